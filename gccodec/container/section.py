"""Sections: everything in a file besides header and latents."""

from __future__ import annotations

import enum
from typing import NamedTuple

OPTIONAL_FROM = 128
MAX_SECTIONS = 16
MAX_SECTION_BYTES = 1 << 26


class SectionId(enum.IntEnum):
    """Ids are part of the format; they never change their meaning."""

    LABEL_MAP = 1
    KEEP_MASK = 2
    REST_QUALITY = 3
    ALPHA = 4
    LOSSLESS = 5
    EXIF = 128
    ICC = 129
    XMP = 130
    FLAT_PARTS = 131


METADATA = frozenset({SectionId.EXIF, SectionId.ICC, SectionId.XMP})
"""What says something about a picture, and is no part of it."""


class Section(NamedTuple):
    """id 1..255 and its body."""

    id: int
    body: bytes


def is_critical(section_id: int) -> bool:
    """Whether a reader that does not know this section must refuse the file."""
    return section_id < OPTIONAL_FROM
