"""Cameras' raw pictures that are TIFF files: Pillow would show the small preview that lies beside
the sensor's values.

TIFF/EP (ISO 12234-2), DNG 1.7.
"""

from __future__ import annotations

from typing import IO, Literal

from gccodec.image.tiff_structure import (
    IFD8,
    LONG,
    LONG8,
    SHORT,
    Directory,
    TiffStructure,
    file_structure,
)

COMPRESSION, PHOTOMETRIC, SUB_DIRECTORIES, DNG_VERSION = 259, 262, 330, 50706
MOSAICS = (32803, 34892)
"""Photometric interpretations: colour filter array, linear raw."""
RAW_COMPRESSIONS = (32767, 32770, 34713, 65535)
"""Compressions of Sony, Samsung, Nikon and Pentax."""
IFD = 13
INTEGERS = (SHORT, LONG, IFD, LONG8, IFD8)
MAX_DIRECTORIES, MAX_VALUES = 32, 16


def is_raw(file: IO[bytes]) -> bool:
    """Whether any directory of a TIFF file, wherever it lies, holds a sensor's values."""
    structure = file_structure(file)
    if structure is None:
        return False
    offsets, seen = [structure.first()], set[int]()
    while offsets and len(seen) < MAX_DIRECTORIES:
        at = offsets.pop(0)
        directory = structure.directory(at) if at and at not in seen else None
        seen.add(at)
        if directory is None:
            continue
        if any(entry.tag == DNG_VERSION for entry in directory.entries):
            return True
        if at != structure.first() and _has_sensor_values(structure, directory):
            return True  # in the first, Pillow would not show anything else in their place
        offsets += _numbers(structure, directory, SUB_DIRECTORIES)
        offsets.append(structure.offset(directory.next_at))
    return False


def _has_sensor_values(structure: TiffStructure, directory: Directory) -> bool:
    return any(
        number in known
        for tag, known in ((PHOTOMETRIC, MOSAICS), (COMPRESSION, RAW_COMPRESSIONS))
        for number in _numbers(structure, directory, tag)
    )


def _numbers(structure: TiffStructure, directory: Directory, tag: int) -> list[int]:
    """All values of a tag; none where they are no integers or too many to mean what they should."""
    found: list[int] = []
    for entry in directory.entries:
        field = (
            structure.field(entry) if entry.tag == tag and 0 < entry.amount <= MAX_VALUES else None
        )
        if field is not None and field.type in INTEGERS:
            unit = len(field.value) // field.amount
            order: Literal["little", "big"] = "little" if structure.order == "<" else "big"
            found += [
                int.from_bytes(field.value[i : i + unit], order)
                for i in range(0, len(field.value), unit)
            ]
    return found
