"""What shapes the files of a run, apart from the pictures."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, Literal

AlphaPolicy = Literal["keep", "drop", "refuse"]
Scale = Literal[2, 4, 8, 16]
Others = Literal["skip", "copy", "fail"]
ALL_METADATA = ("exif", "icc", "xmp")
MAX_PIXELS = 1 << 28
DIGEST_CHARACTERS = 16


class _Options:
    @property
    def facts(self) -> dict[str, Any]:
        """Those that say something, for a manifest."""
        values = dataclasses.asdict(self)  # type: ignore[call-overload]
        return {
            key: value for key, value in values.items() if value is not None and value is not False
        }

    @property
    def digest(self) -> str:
        """Equal for options that give equal files."""
        told = json.dumps(self.facts, sort_keys=True).encode()
        return hashlib.sha256(told).hexdigest()[:DIGEST_CHARACTERS]


@dataclasses.dataclass(frozen=True)
class EncodeOptions(_Options):
    """As of `gccodec encode`.

    bpp: ceiling in bits a pixel on each file; size_bytes: in bytes; total_bytes: on all files
    together; quality: 0..1000; none of them: the default rate. effort: 0..9, None by the size of
    the picture; metadata: kinds that are kept; count_metadata: it counts under bpp and size_bytes.
    """

    bpp: float | None = None
    size_bytes: int | None = None
    total_bytes: int | None = None
    quality: int | None = None
    effort: int | None = None
    metadata: tuple[str, ...] = ALL_METADATA
    count_metadata: bool = False
    alpha: AlphaPolicy = "keep"
    max_pixels: int = MAX_PIXELS


@dataclasses.dataclass(frozen=True)
class DecodeOptions(_Options):
    """As of `gccodec decode`.

    format: of a picture file, or `original` for the one that the name tells; output_quality: 1..100
    of lossy formats, None for the usual one; realism: 0..1; scale: 4 for a quarter of each side.
    """

    format: str = "original"
    output_quality: int | None = None
    realism: float = 1.0
    metadata: tuple[str, ...] = ALL_METADATA
    max_pixels: int = MAX_PIXELS
    scale: Scale | None = None


@dataclasses.dataclass(frozen=True)
class Machine:
    """Where a worker computes.

    weights: a folder, None for the installed ones; device: as torch names it, `auto` for CUDA where
    it is; threads: of one worker.
    """

    weights: str | None = None
    device: str = "cpu"
    threads: int = 1
