"""Picture files that Pillow cannot write, byte by byte."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from gccodec.image.tiff_structure import TiffStructure, append_directory


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(samples, depth=8, chunks=(), palette=False, interlaced=False):
    """[H, W] or [H, W, C]; C: gray, gray and alpha, RGB, RGBA. chunks: kind and body, before the
    pixels."""
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    colour = 3 if palette else {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    if depth < 8:
        bits = (samples[..., None] >> np.arange(depth)[::-1] & 1).reshape(height, -1)
        rows = np.packbits(bits.astype(np.uint8), axis=1)
    else:
        rows = samples.astype(">u2" if depth == 16 else "u1").reshape(height, -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    before = b"".join(chunk(kind, body) for kind, body in chunks)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def gama(gamma):
    return b"gAMA", struct.pack(">I", round(gamma * 100_000))


def chrm(*numbers):
    """White, red, green, blue."""
    return b"cHRM", struct.pack(">8I", *(round(n * 100_000) for n in numbers))


def cicp(*codes):
    return b"cICP", bytes(codes)


def iccp(profile):
    return b"iCCP", b"profile\0\0" + zlib.compress(profile)


_PACKED = {
    1: lambda data: data,
    5: None,
    8: zlib.compress,
    32946: zlib.compress,
    32773: lambda data: b"".join(bytes([len(p) - 1]) + p for p in _pieces(data, 128)),
}


def _pieces(data, size):
    return [data[i : i + size] for i in range(0, len(data), size)]


def _lzw(data):
    """By libtiff: a picture of bytes in one strip."""
    out = io.BytesIO()
    Image.frombytes("L", (len(data), 1), data).save(
        out, "TIFF", compression="tiff_lzw", tiffinfo={317: 1}
    )
    with Image.open(io.BytesIO(out.getvalue())) as image:
        (at,), (count,) = image.tag_v2[273], image.tag_v2[279]
    return out.getvalue()[at : at + count]


def _predicted(cell, predictor, order):
    """Bytes of samples [h, w, c]."""
    if predictor == 2:
        words = cell.view(f"u{cell.itemsize}")
        return (
            np.diff(words, axis=1, prepend=words[:, :1] * 0)
            .astype(f"{order}u{cell.itemsize}")
            .tobytes()
        )
    if predictor == 3:
        height, width, depth = cell.shape
        planes = (
            cell.astype(cell.dtype.newbyteorder(">"))
            .view(np.uint8)
            .reshape(height, width * depth, -1)
        )
        flat = planes.transpose(0, 2, 1).reshape(height, -1, depth)
        return np.diff(flat, axis=1, prepend=flat[:, :1] * 0).tobytes()
    return cell.astype(cell.dtype.newbyteorder(order)).tobytes()


def _bytes_of(cell, bits, predictor, order):
    if bits == 8 * cell.itemsize:
        return _predicted(cell, predictor, order)
    flat = cell.reshape(len(cell), -1).astype(np.int64)
    if bits == 24:
        three = [flat >> shift & 255 for shift in ((16, 8, 0) if order == ">" else (0, 8, 16))]
        return np.stack(three, -1).astype(np.uint8).tobytes()
    ones = (flat[..., None] >> np.arange(bits)[::-1] & 1).reshape(len(cell), -1).astype(np.uint8)
    return np.packbits(ones, axis=1).tobytes()


def tiff_file(
    samples,
    photometric,
    bits=None,
    order="<",
    extra=None,
    planar=False,
    compression=1,
    predictor=1,
    cell=None,
    tiled=False,
    tags=None,
    reversed_bits=False,
):
    """samples [H, W, C] of any type. cell: width and height of tiles, or rows of a strip."""
    samples = samples if samples.ndim == 3 else samples[..., None]
    height, width, depth = samples.shape
    bits = bits or 8 * samples.itemsize
    cell_width, cell_height = cell if tiled else (width, cell or height)
    pack = _lzw if compression == 5 else _PACKED[compression]
    cells = []
    for plane in [slice(i, i + 1) for i in range(depth)] if planar else [slice(None)]:
        for top in range(0, height, cell_height):
            for left in range(0, width, cell_width):
                part = samples[top : top + cell_height, left : left + cell_width, plane]
                if tiled:
                    missing = (
                        (0, cell_height - part.shape[0]),
                        (0, cell_width - part.shape[1]),
                        (0, 0),
                    )
                    part = np.pad(part, missing)
                data = pack(_bytes_of(np.ascontiguousarray(part), bits, predictor, order))
                if reversed_bits:
                    data = data.translate(bytes(int(f"{i:08b}"[::-1], 2) for i in range(256)))
                cells.append(data)
    kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
    body = b"".join(cells)
    starts = np.cumsum([8] + [len(c) for c in cells])[:-1]
    fields = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * depth), 259: (3, [compression]),
        262: (3, [photometric]), 277: (3, [depth]), 284: (3, [2 if planar else 1]),
        317: (3, [predictor]), 339: (3, [kind] * depth),
        (324 if tiled else 273): (4, starts), (325 if tiled else 279): (4, [len(c) for c in cells]),
    }  # fmt: skip
    if tiled:
        fields |= {322: (4, [cell_width]), 323: (4, [cell_height])}
    else:
        fields |= {278: (4, [cell_height])}
    if extra is not None:
        fields |= {338: (3, extra)}
    if reversed_bits:
        fields |= {266: (3, [2])}
    fields |= {tag: (3, value) for tag, value in (tags or {}).items()}
    at = 8 + len(body) + 2 + 12 * len(fields) + 4
    entries = values = b""
    for tag in sorted(fields):
        type_, numbers = fields[tag]
        packed = struct.pack(
            order + str(len(numbers)) + {3: "H", 4: "I"}[type_], *(int(n) for n in numbers)
        )
        entries += struct.pack(order + "HHI", tag, type_, len(numbers))
        entries += (
            packed.ljust(4, b"\0")
            if len(packed) <= 4
            else struct.pack(order + "I", at + len(values))
        )
        values += packed if len(packed) > 4 else b""
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(body))
    return head + body + struct.pack(order + "H", len(fields)) + entries + bytes(4) + values


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def with_tags(data, *fields):
    """A little-endian TIFF file with further fields in its directory."""
    structure = TiffStructure.of(lambda at, count: data[at : at + count], len(data))
    own = structure.fields(structure.directory(structure.first()).entries, len(data))
    again = bytearray(data)
    again[4:8] = append_directory(again, "<", [*own, *fields]).to_bytes(4, "little")
    return bytes(again)
