"""EXIF structures: which way is up, what must change once the picture is upright, and what damage
costs.

Everything is patched in place: rewriting the structure would move the offsets that maker notes rely
on.
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterable, Iterator

from gccodec.image.tiff_structure import (
    ENTRY_BYTES,
    HEADER_BYTES,
    INLINE_BYTES,
    LONG,
    SHORT,
    Directory,
    Entry,
    TiffStructure,
    structure_of,
)

EXIF_PREFIX = b"Exif\0\0"
ORIENTATION_TAG = 0x0112
UPRIGHT = 1
ORIENTATIONS = range(1, 9)

PIXEL_DIMENSIONS = 0xA002, 0xA003
"""Tags of the width and the height of the picture that the structure describes."""

EXIF_POINTER, GPS_POINTER, INTEROP_POINTER = 0x8769, 0x8825, 0xA005
POINTERS = frozenset({EXIF_POINTER, GPS_POINTER, INTEROP_POINTER})
"""Tags whose value is the offset of another directory."""
MAX_DIRECTORIES = 8
"""There are five: of the picture, its camera, its place, its thumbnail, and of interoperability."""
_THUMBNAIL_DATA = ((0x0201, 0x0202), (0x0111, 0x0117))
"""Offset and length of a thumbnail: a JPEG file, or strips."""


def tiff_structure(raw: bytes) -> bytes | None:
    """EXIF as a TIFF structure, without what file formats put before it; None when it is none.

    JPEG puts "Exif" before it, HEIF and JPEG XL the offset of its header, some programs both or one
    of them twice.
    """
    for _ in range(3):
        if structure_of(raw) is not None:
            return raw
        named = raw.startswith(EXIF_PREFIX)
        raw = raw[len(EXIF_PREFIX) if named else 4 + int.from_bytes(raw[:4], "big") :]
    return None


def orientation_of(exif: bytes) -> int | None:
    """1..8 as in EXIF 3.0, tag Orientation of any type and count; None without the tag.

    What is no orientation says nothing: the picture is upright.
    """
    structure = structure_of(exif)
    directory = structure.directory(structure.first()) if structure is not None else None
    if structure is None or directory is None:
        return None
    said = [structure.number(entry) for entry in directory.entries if entry.tag == ORIENTATION_TAG]
    return orientation_from(said) if said else None


def orientation_from(said: Iterable[float | None]) -> int:
    """1..8 by the first number of several entries, as readers do; 1 for everything that is no
    orientation."""
    value = next((value for value in said if value is not None), None)
    return int(value) if value is not None and value in ORIENTATIONS else UPRIGHT


def sound_exif(exif: bytes) -> tuple[bytes | None, int]:
    """EXIF whose directories are whole and whose tags all have their data, and how many tags had to
    go for that.

    Readers stumble over the others, and there is nothing in them to be lost. None when no directory
    can be found.
    """
    structure = structure_of(exif)
    first = structure.first() if structure is not None else 0
    if structure is None or structure.directory(first) is None:
        return None, 0
    data, removed, seen, pending = bytearray(exif), 0, {first}, [first]
    while pending:
        at = pending.pop()
        structure = structure_of(data)
        directory = structure.directory(at) if structure is not None else None
        if structure is None or directory is None:
            continue
        kept: list[Entry] = []
        for entry in directory.entries:
            target = structure.offset(entry.at + 8)
            if entry.tag in POINTERS:
                full = len(seen) >= MAX_DIRECTORIES
                if full or target in seen or structure.directory(target) is None:
                    continue
                seen.add(target)
                pending.append(target)
            elif entry.size is not None and not structure.holds(entry):
                continue
            kept.append(entry)
        following = structure.offset(directory.next_at)
        if at == first and (following in seen or structure.directory(following) is None):
            following = 0
        elif at == first:
            seen.add(following)
            pending.append(following)
        removed += directory.announced - len(kept)
        _rewrite(data, structure, directory, kept, following)
    return bytes(data), removed


def _rewrite(
    data: bytearray,
    structure: TiffStructure,
    directory: Directory,
    kept: list[Entry],
    following: int,
) -> None:
    """The directory with these of its entries alone, at its place; the rest of the place becomes
    zeros."""
    order, end = structure.order, directory.next_at
    # some programs leave out the offset of the next directory and begin the values there
    pointer = range(end, end + 4)
    ends = not any(place.start in pointer for place in _values(structure, directory))
    body = struct.pack(order + "H", len(kept))
    body += b"".join(data[entry.at : entry.at + ENTRY_BYTES] for entry in kept)
    if ends or len(kept) < directory.announced:
        body += struct.pack(order + "I", following)
    body += bytes(max(0, min(end + 4 * ends, len(data)) - directory.at - len(body)))
    data[directory.at : directory.at + len(body)] = body


def upright_exif(exif: bytes, turned: bool) -> bytes:
    """The EXIF structure of the picture once it is upright: every orientation is 1.

    A thumbnail that is not upright, as the picture was `turned` or the thumbnail's own orientation
    says so, is taken out: zeros are left where it was.
    """
    structure = structure_of(exif)
    first = structure.directory(structure.first()) if structure is not None else None
    if structure is None or first is None:
        return exif
    data = bytearray(exif)
    thumbnail = structure.directory(structure.offset(first.next_at))
    if thumbnail is not None and thumbnail.at != first.at:
        own = [structure.number(e) for e in thumbnail.entries if e.tag == ORIENTATION_TAG]
        if turned or orientation_from(own) != UPRIGHT:
            _cut_thumbnail(data, structure, first, thumbnail)
    for directory in _directories(structure_of(data)):
        for entry in directory.entries:
            if entry.tag == ORIENTATION_TAG:
                one = struct.pack(structure.order + "HHIHH", ORIENTATION_TAG, SHORT, 1, UPRIGHT, 0)
                data[entry.at : entry.at + ENTRY_BYTES] = one
    return bytes(data)


def with_dimensions(exif: bytes, width: int, height: int) -> bytes:
    """The EXIF structure of a picture that has another size now: where it tells sides, those."""
    data = bytearray(exif)
    for directory in _directories(structure := structure_of(exif)):
        for entry in directory.entries:
            if entry.tag in PIXEL_DIMENSIONS and structure is not None:
                side = (width, height)[PIXEL_DIMENSIONS.index(entry.tag)]
                field = struct.pack(structure.order + "HHII", entry.tag, LONG, 1, side)
                data[entry.at : entry.at + ENTRY_BYTES] = field
    return bytes(data)


def without_thumbnail(exif: bytes) -> bytes:
    """The EXIF structure with zeros in place of its thumbnail."""
    structure = structure_of(exif)
    first = structure.directory(structure.first()) if structure is not None else None
    thumbnail = (
        structure.directory(structure.offset(first.next_at)) if structure and first else None
    )
    if structure is None or first is None or thumbnail is None:
        return exif
    data = bytearray(exif)
    _cut_thumbnail(data, structure, first, thumbnail)
    return bytes(data)


def _directories(structure: TiffStructure | None) -> Iterator[Directory]:
    """The first directory, those it points to, and the thumbnail's."""
    if structure is None:
        return
    seen, pending = set[int](), [structure.first()]
    while pending:
        at = pending.pop()
        directory = structure.directory(at) if len(seen) < MAX_DIRECTORIES else None
        if directory is None or at in seen:
            continue
        seen.add(at)
        yield directory
        pending.extend(structure.offset(e.at + 8) for e in directory.entries if e.tag in POINTERS)
        if len(seen) == 1:
            pending.append(structure.offset(directory.next_at))


def _cut_thumbnail(
    data: bytearray, structure: TiffStructure, first: Directory, thumbnail: Directory
) -> None:
    """Unlink the thumbnail's directory, and zero it and its data where nothing else claims the
    place."""
    data[first.next_at : first.next_at + 4] = bytes(4)
    claimed = [range(HEADER_BYTES)]
    for directory in _directories(structure_of(data)):
        claimed.append(range(directory.at, directory.next_at + 4))
        claimed += _values(structure, directory)
    ranges = [range(thumbnail.at, min(thumbnail.next_at + 4, len(data)))]
    ranges += [*_values(structure, thumbnail), *_thumbnail_data(structure, thumbnail)]
    others = _merged(claimed)
    starts = [other.start for other in others]
    free = []
    for place in ranges:
        before = bisect.bisect_left(starts, place.stop) - 1
        if before < 0 or others[before].stop <= place.start:
            free.append(place)
    for place in _merged(free):
        data[place.start : place.stop] = bytes(len(place))


def _merged(ranges: Iterable[range]) -> list[range]:
    """Places merged, ascending and apart."""
    merged: list[range] = []
    for place in sorted(ranges, key=lambda place: place.start):
        if merged and place.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, place.stop))
        else:
            merged.append(place)
    return merged


def _values(structure: TiffStructure, directory: Directory) -> Iterable[range]:
    """Places of values outside of their entries."""
    for entry in directory.entries:
        if entry.size is not None and entry.size > INLINE_BYTES and structure.holds(entry):
            yield range(entry.value_at, entry.value_at + entry.size)


def _thumbnail_data(structure: TiffStructure, thumbnail: Directory) -> Iterable[range]:
    """Places of the thumbnail's pixels."""
    entries = {entry.tag: entry for entry in thumbnail.entries}
    for offsets, lengths in _THUMBNAIL_DATA:
        if offsets in entries and lengths in entries:
            starts, sizes = (_integers(structure, entries[tag]) for tag in (offsets, lengths))
            for start, size in zip(starts, sizes, strict=False):
                if 0 < start <= structure.length:
                    yield range(start, min(start + size, structure.length))


def _integers(structure: TiffStructure, entry: Entry) -> tuple[int, ...]:
    """All values of an entry of type SHORT or LONG; nothing for other types."""
    field = structure.field(entry)
    if field is None or field.type not in (SHORT, LONG):
        return ()
    return struct.unpack(
        f"{structure.order}{field.amount}{'H' if field.type == SHORT else 'I'}", field.value
    )
