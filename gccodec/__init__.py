"""gccodec: photographs below 0.1 bit per pixel with a generative model.

    import gccodec

    data = gccodec.encode("photo.jpg", bpp=0.05)     # bytes of a .gcz file
    gccodec.decode(data).save("back.png")
    gccodec.thumbnail(data).save("small.png")        # without torch

The first two load the model once. `Codec` is the same with everything that can be chosen. Names are
imported when they are used; nothing is loaded, and nothing of the process changed, by `import
gccodec`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gccodec import errors
    from gccodec.codec.codec import Codec, Decoded
    from gccodec.codec.encoder import Encoded
    from gccodec.codec.shortcuts import decode, encode
    from gccodec.codec.thumbnail import thumbnail
    from gccodec.image.picture import Picture
    from gccodec.image.reader import read_picture
    from gccodec.image.writer import write_picture
    from gccodec.semantics.region import Region
    from gccodec.semantics.selection import Selection

__version__ = "0.1.0"

__all__ = [
    "Codec",
    "Decoded",
    "Encoded",
    "Picture",
    "Region",
    "Selection",
    "__version__",
    "decode",
    "encode",
    "errors",
    "read_picture",
    "thumbnail",
    "write_picture",
]

_MODULES = {
    "Codec": "gccodec.codec.codec",
    "Decoded": "gccodec.codec.codec",
    "Encoded": "gccodec.codec.encoder",
    "Picture": "gccodec.image.picture",
    "Region": "gccodec.semantics.region",
    "Selection": "gccodec.semantics.selection",
    "decode": "gccodec.codec.shortcuts",
    "encode": "gccodec.codec.shortcuts",
    "read_picture": "gccodec.image.reader",
    "thumbnail": "gccodec.codec.thumbnail",
    "write_picture": "gccodec.image.writer",
}


def __getattr__(name: str) -> object:
    if name == "errors":
        return importlib.import_module("gccodec.errors")
    if name not in _MODULES:
        raise AttributeError(f"module 'gccodec' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return __all__
