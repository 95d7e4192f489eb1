"""What a decoded picture is called: the name it had, in a format that can be written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from gccodec.batch.manifest import Record
from gccodec.errors import UsageError
from gccodec.image.suffix import suffix_of
from gccodec.image.writer import FORMATS

SUFFIX = ".gcz"
ORIGINAL = "original"
FALLBACK = "png"
"""The format of pictures whose own cannot be written: HEIC, GIF, JPEG 2000."""


def is_coded_name(name: str) -> bool:
    """Whether it is that of a .gcz file."""
    return name.lower().endswith(SUFFIX) and len(os.path.basename(name)) > len(SUFFIX)


def picture_name(format_name: str) -> Callable[[str], str]:
    """From the name of a file to that of its picture.

    format_name: `original` takes the suffix before .gcz (IMG_1.jpg.gcz becomes IMG_1.jpg) and adds
    .png where no such format can be written; another takes its place. UsageError for an unknown
    one.
    """
    if format_name != ORIGINAL and format_name.lower() not in FORMATS:
        raise UsageError(f"--format {format_name}: known are {ORIGINAL}, {', '.join(FORMATS)}")

    def named(name: str) -> str:
        name = name[: -len(SUFFIX)]
        known = suffix_of(name) in FORMATS
        if format_name == ORIGINAL:
            return name if known else f"{name}.{FALLBACK}"
        return f"{os.path.splitext(name)[0] if known else name}.{format_name.lower()}"

    return named


def original_times(records: Iterable[Record]) -> dict[str, int]:
    """Modification times of the originals, in nanoseconds, by the names of their files."""
    return {record.target: record.mtime_ns for record in records if record.status == "ok"}
