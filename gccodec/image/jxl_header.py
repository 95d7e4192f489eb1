"""The size of a JPEG XL picture, which its decoder tells with the pixels only.

ISO/IEC 18181-1, annex D (size header); 18181-2 (boxes).
"""

from __future__ import annotations

from typing import IO

from gccodec.image.boxes import jxl_boxes

CODESTREAM = b"\xff\x0a"
HEAD_BYTES = 32
PART_NUMBER_BYTES = 4
RECONSTRUCTION = b"jbrd"
"""A box of what turns the pixels back into the JPEG file that they came from."""
_SIZE_BITS = (9, 13, 18, 30)
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, for the numbers from 1 on."""


def jxl_size(file: IO[bytes]) -> tuple[int, int] | None:
    """Width and height before the picture is turned; None where the codestream is not found."""
    head = _codestream_head(file)
    if not head.startswith(CODESTREAM):
        return None
    bits = int.from_bytes(head[len(CODESTREAM) :], "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & (1 << count) - 1, bits >> count
        return value

    small = take(1)
    height = 8 * (take(5) + 1) if small else take(_SIZE_BITS[take(2)]) + 1
    if ratio := take(3):
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return 8 * (take(5) + 1) if small else take(_SIZE_BITS[take(2)]) + 1, height


def holds_jpeg(file: IO[bytes]) -> bool:
    """Whether a JPEG XL file was made of a JPEG file that can be had back."""
    return any(box.kind == RECONSTRUCTION for box in jxl_boxes(file))


def _codestream_head(file: IO[bytes]) -> bytes:
    """The first bytes, of the file, of the box that holds it, or of several in order."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if head.startswith(CODESTREAM):
        return head
    head = b""
    for box in jxl_boxes(file):
        if box.kind in (b"jxlc", b"jxlp") and len(head) < HEAD_BYTES:
            skipped = PART_NUMBER_BYTES if box.kind == b"jxlp" else 0
            file.seek(box.at + skipped)
            head += file.read(max(0, min(box.size - skipped, HEAD_BYTES)))
    return head
