"""EXIF structures built entry by entry, odd ones too."""

import struct

TYPE_FORMATS = {
    1: "B",
    2: "c",
    3: "H",
    4: "I",
    5: "II",
    6: "b",
    7: "c",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
}


def packed(order, kind, values):
    """Numbers of a TIFF type, or bytes as they are; a fraction is a pair."""
    if isinstance(values, bytes):
        return values
    flat = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return b"".join(struct.pack(order + TYPE_FORMATS[kind][0], part) for part in flat)


def directory(order, at, entries, following=0):
    """(tag, type, values) or (tag, type, count, bytes of the place of the value) -> a directory for
    this offset."""
    table, values, values_at = b"", b"", at + 2 + 12 * len(entries) + 4
    for entry in entries:
        tag, kind = entry[:2]
        if len(entry) == 4:
            count, place = entry[2:]
        else:
            place, count = packed(order, kind, entry[2]), len(entry[2])
            if len(place) > 4:
                values += place
                place = struct.pack(order + "I", values_at + len(values) - len(place))
        table += struct.pack(order + "HHI", tag, kind, count) + place.ljust(4, b"\0")
    return (
        struct.pack(order + "H", len(entries))
        + table
        + struct.pack(order + "I", following)
        + values
    )


def exif_of(order, *entries, following=0):
    """A structure of one directory."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return head + directory(order, 8, entries, following)


def with_thumbnail(order, entries, thumbnail_entries, data):
    """A structure whose second directory has a thumbnail, `data`, at the very end."""
    first = exif_of(order, *entries)
    at = len(first)
    size = len(directory(order, at, [*thumbnail_entries, (0x201, 4, [0]), (0x202, 4, [0])]))
    second = directory(
        order, at, [*thumbnail_entries, (0x201, 4, [at + size]), (0x202, 4, [len(data)])]
    )
    return exif_of(order, *entries, following=at) + second + data
