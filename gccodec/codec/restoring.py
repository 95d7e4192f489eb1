"""A decoded picture into a picture file, as the command and archives write it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import IO

from PIL import Image

from gccodec.codec.decoding import Decoding
from gccodec.image.metadata import ALL_METADATA, Kind, Metadata
from gccodec.image.writer import Format, write_strips
from gccodec.image.xmp import with_source_type

PHOTOGRAPHIC = ("compress_type", zlib.Z_RLE)
"""A photograph repeats nothing that a search would find: five times as fast, and no larger."""


def metadata_to_write(
    decoding: Decoding, form: Format, kept: frozenset[Kind]
) -> tuple[Metadata, tuple[str, ...]]:
    """What of the metadata belongs into the picture file, and notes.

    The XMP of a picture that a network has made says so, by the IPTC's digital source type; one
    that is held exactly is left as it is. A colour profile stays with the pixels: where it is not
    `kept` the writer applies it.
    """
    metadata = decoding.metadata.only(kept | {"icc"})
    if "xmp" not in form.metadata or decoding.file.coding == "lossless":
        return metadata, ()
    packet, notes = with_source_type(metadata.xmp)
    return metadata._replace(xmp=packet), tuple(notes)


def write_decoded(
    decoding: Decoding,
    form: Format,
    out: IO[bytes],
    kept: frozenset[Kind] = ALL_METADATA,
    strips: Iterable[Image.Image] | None = None,
) -> tuple[str, ...]:
    """Write the picture; returns notes on what the format cannot hold.

    strips: those of `decoding`, where the caller has wrapped or computed them.
    """
    metadata, said = metadata_to_write(decoding, form, kept)
    if form.name == "PNG" and decoding.file.coding != "lossless":
        form = form._replace(options=(*form.options, PHOTOGRAPHIC))
    source = decoding.strips if strips is None else strips
    return said + write_strips(source, decoding.size, form, out, metadata, kept | {"xmp"})
