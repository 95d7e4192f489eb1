"""What an encoding is to reach: a quality, a ceiling in bytes, or the default, which is a wish."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

from gccodec.codec.lossless import is_transparent
from gccodec.container.file import GczFile, metadata_bytes, serialize
from gccodec.container.section import METADATA, SectionId
from gccodec.errors import UsageError

DEFAULT_BPP = 0.06
"""The rate in bits per pixel where neither a quality nor a ceiling is given."""

MIN_WISHED_BYTES = 400
"""The default rate gives a picture so many bytes for its latents, however small it is.

With fewer, icons are mush: at 96x96 px LPIPS-Alex is 0.26 with 60 bytes, 0.12 with 150, 0.08 with
300 and 0.07 with 400.
"""

MAX_BPP = 24
"""What `--bpp` takes."""

NAMES: dict[int, str] = {
    SectionId.LABEL_MAP: "the label map",
    SectionId.KEEP_MASK: "the keep mask",
    SectionId.REST_QUALITY: "the quality of the rest",
    SectionId.ALPHA: "alpha",
    SectionId.LOSSLESS: "the exact picture",
    SectionId.EXIF: "EXIF",
    SectionId.ICC: "the ICC profile",
    SectionId.XMP: "XMP",
    SectionId.FLAT_PARTS: "the flat parts",
}


class Goal(NamedTuple):
    """A quality 0..1000 or a ceiling in bytes, and whether metadata counts; neither: a wish.

    That is the default rate. It leaves alpha aside as well, and is at least
    `MIN_WISHED_BYTES` for the latents.
    """

    quality: int | None
    size_bytes: int | None
    count_metadata: bool

    @property
    def is_wish(self) -> bool:
        return self.quality is None and self.size_bytes is None

    def beside(self, file: GczFile) -> int:
        """Bytes of a file that do not count under the ceiling."""
        return 0 if self.count_metadata else metadata_bytes(file)

    def ceiling(self, template: GczFile) -> int | None:
        """The ceiling in bytes that count, for a file as yet without latents; None where the
        quality is fixed."""
        if self.quality is not None:
            return None
        if self.size_bytes is not None:
            return self.size_bytes
        alpha = _section_bytes(template, SectionId.ALPHA)
        needed = len(serialize(template)) - self.beside(template) - alpha
        wish = bytes_of_bpp(DEFAULT_BPP, template.width, template.height)
        return max(wish, needed + MIN_WISHED_BYTES) + alpha

    def is_met(self, template: GczFile, size_bytes: int) -> bool:
        """Whether a file of `size_bytes` with the template's sections is within any ceiling."""
        ceiling = self.ceiling(template)
        return ceiling is None or size_bytes - self.beside(template) <= ceiling

    def notes(self, file: GczFile) -> tuple[str, ...]:
        """Why a file has a higher rate than was wished for; nothing when it has not."""
        counted = len(serialize(file)) - self.beside(file)
        if not self.is_wish or counted <= bytes_of_bpp(DEFAULT_BPP, file.width, file.height):
            return ()
        largest = max(self._parts(file), key=lambda part: part.bytes)
        if file.coding == "lossless":
            if counted <= MIN_WISHED_BYTES:
                return ()
            why = "it holds the picture exactly"
        elif largest.name in ("latents", "framing"):
            why = f"small pictures get up to {MIN_WISHED_BYTES} bytes; --bpp sets a ceiling"
        else:
            takes = f"{largest.name} takes {largest.bytes:,} bytes"
            why = "; ".join([takes, *self._ways_out(file)])
        return (f"the file has {bpp_of(counted, file):.2f} bpp: {why}",)

    def too_few(self, file: GczFile) -> UsageError:
        """The error for a file that is the smallest, and above the ceiling."""
        counted = len(serialize(file)) - self.beside(file)
        first, *others = sorted(self._parts(file), key=lambda part: -part.bytes)
        verb = "take" if first.name == "latents" else "takes"
        parts = [f"{first.name} {verb} {first.bytes:,} bytes"]
        parts += [f"{part.name} {part.bytes:,}" for part in others if part.bytes]
        enough = f"--size {counted}"
        if (rate := math.ceil(100 * bpp_of(counted, file)) / 100) <= MAX_BPP:
            enough = f"--bpp {rate:g}"
        return UsageError(
            f"{self.size_bytes:,} bytes are too few: the smallest file for this"
            f" {file.width}x{file.height} picture has {counted:,} bytes"
            f" ({bpp_of(counted, file):.4f} bpp): {', '.join(parts)};"
            f" {', or '.join([*self._ways_out(file), enough])}"
        )

    def _parts(self, file: GczFile) -> list[Part]:
        """The parts of a file that count under the ceiling."""
        ids = [s.id for s in file.sections if self.count_metadata or s.id not in METADATA]
        parts = [Part(NAMES.get(i, f"section {i}"), _section_bytes(file, i)) for i in ids]
        parts.append(Part("latents", len(file.payload)))
        framing = len(serialize(file)) - self.beside(file) - sum(part.bytes for part in parts)
        return [*parts, Part("framing", framing)]

    def _ways_out(self, file: GczFile) -> list[str]:
        present = {section.id for section in file.sections}
        ways = ["--alpha drop"] if is_transparent(file) else []
        if self.count_metadata and present & METADATA:
            ways.append("--metadata none")
        return ways


class Part(NamedTuple):
    """A part of a file: what it is, and the bytes that it takes, its row of the table included."""

    name: str
    bytes: int


def _section_bytes(file: GczFile, section_id: int) -> int:
    """The bytes of a section with its row of the table; 0 where there is none."""
    rest = tuple(section for section in file.sections if section.id != section_id)
    return len(serialize(file)) - len(serialize(dataclasses.replace(file, sections=rest)))


def bytes_of_bpp(bpp: float, width: int, height: int) -> int:
    """The ceiling in whole bytes for a rate in bits a pixel."""
    return math.floor(bpp * width * height / 8)


def bpp_of(size_bytes: int, file: GczFile) -> float:
    """The rate in bits a pixel of the file's picture."""
    return 8 * size_bytes / (file.width * file.height)
