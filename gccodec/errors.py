"""The error tree. Each class has one exit code; messages are one line and name field, value found,
value allowed.

GccodecError
├── UsageError          2   options that contradict each other or the input
├── NothingToDoError    3
├── CorruptError        4   damaged or hostile .gcz file
│   ├── NotGczError         another kind of file
│   ├── TruncatedError
│   ├── ChecksumError
│   ├── HeaderError         a field out of range, reserved bits set
│   └── SectionError        unknown critical section, bad table
├── PictureError        4   input picture that cannot be read
├── WeightsError        5   missing, damaged or wrong weights
├── LimitError          6   too many pixels, too little memory
└── FileError           7   cannot read, cannot write, would overwrite
"""

from __future__ import annotations


class GccodecError(Exception):
    """Base of everything that gccodec raises on purpose."""

    exit_code = 1


class UsageError(GccodecError):
    exit_code = 2


class NothingToDoError(GccodecError):
    exit_code = 3


class CorruptError(GccodecError):
    exit_code = 4


class NotGczError(CorruptError):
    pass


class TruncatedError(CorruptError):
    pass


class ChecksumError(CorruptError):
    pass


class HeaderError(CorruptError):
    pass


class SectionError(CorruptError):
    pass


class PictureError(GccodecError):
    exit_code = 4


class WeightsError(GccodecError):
    exit_code = 5


class LimitError(GccodecError):
    exit_code = 6


class FileError(GccodecError):
    exit_code = 7
