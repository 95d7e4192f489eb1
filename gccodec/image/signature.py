"""What a file is, by its first bytes: formats that are read, and formats that are known by name
alone."""

from __future__ import annotations

import codecs
from typing import Literal

Format = Literal[
    "PNG",
    "JPEG",
    "WEBP",
    "AVIF",
    "TIFF",
    "BMP",
    "GIF",
    "JPEG2000",
    "PPM",
    "ICO",
    "HEIF",
    "JXL",
    "TGA",
]

HEAD_BYTES = 4096
"""Bytes of a file that `format_of` and `foreign_kind` look at."""

AVIF_BRANDS = frozenset([b"avif", b"avis"])
HEIF_BRANDS = frozenset(
    [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"]
    + [b"mif1", b"mif2", b"msf1", b"miaf"]
)
MAX_BRANDS = 64
DOCUMENT_START_BYTES = 1024
"""Within these a PDF document says what it is (ISO 32000, implementation notes), and a print
job."""
BMP_HEADER_BYTES = frozenset([12, 16, 40, 52, 56, 64, 108, 124])
"""Lengths of headers of OS/2 and of Windows."""
TGA_IMAGE_TYPES = frozenset([1, 2, 3, 9, 10, 11])
TGA_DEPTHS = frozenset([1, 8, 15, 16, 24, 32])
TGA_HEADER_BYTES = 18
REDUCED_SIZE = 1
"""A bit of a TIFF directory's NewSubfileType: what it has is a thumbnail."""
TIFF_COMPRESSIONS = frozenset([1, 5, 7, 8, 32773, 32946])
"""Those of photo editors; cameras have compressions of their own."""


def format_of(head: bytes) -> Format | None:
    """The format of a file that begins like this, if it is one that can be read."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return None if head[12:16] == b"CgBI" else "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _isobmff_format(head)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") and raw_camera(head) is None:
        return "TIFF"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in BMP_HEADER_BYTES:
        return "BMP"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head.startswith((b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")):
        return "JPEG2000"
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return "JXL"
    if head[:1] == b"P" and head[1:2] in b"123456Ff" and head[2:3] in b" \t\n\r#" and head[2:3]:
        return "PPM"
    if head.startswith(b"\0\0\1\0") and 0 < int.from_bytes(head[4:6], "little") < 256:
        return "ICO"
    return "TGA" if foreign_kind(head) is None and _is_tga(head) else None


def _brands(head: bytes) -> list[bytes]:
    """Major brand first, of an ISO base media file (ISO/IEC 14496-12, section 4.3)."""
    size = min(int.from_bytes(head[:4], "big"), len(head), 16 + 4 * MAX_BRANDS)
    return [head[8:12]] + [head[i : i + 4] for i in range(16, size - 3, 4)]


def _isobmff_format(head: bytes) -> Format | None:
    brands = _brands(head)
    if brands[0] in AVIF_BRANDS or (brands[0] in HEIF_BRANDS and AVIF_BRANDS & set(brands)):
        return "AVIF"
    return "HEIF" if brands[0] in HEIF_BRANDS or HEIF_BRANDS & set(brands[1:]) else None


def _is_tga(head: bytes) -> bool:
    """Whether the fields of a TGA header (which has no magic) are in their ranges."""
    if len(head) < TGA_HEADER_BYTES or head[1] > 1 or head[2] not in TGA_IMAGE_TYPES:
        return False
    palette = head[1] == 1
    width, height = int.from_bytes(head[12:14], "little"), int.from_bytes(head[14:16], "little")
    sane_palette = head[7] in (15, 16, 24, 32) if palette else head[3:8] == bytes(5) or head[2] > 1
    return bool(width and height and head[16] in TGA_DEPTHS and sane_palette)


def raw_camera(head: bytes) -> str | None:
    """The name of a camera's raw format, many of which begin like TIFF files."""
    for start, name in (
        (b"II*\0\x10\0\0\0CR", "Canon raw (CR2)"),
        (b"II\x1a\0\0\0HEAPCCDR", "Canon raw (CRW)"),
        (b"FUJIFILMCCD-RAW", "Fujifilm raw (RAF)"),
        (b"IIRO", "Olympus raw (ORF)"),
        (b"IIRS", "Olympus raw (ORF)"),
        (b"MMOR", "Olympus raw (ORF)"),
        (b"IIU\0", "Panasonic raw (RW2)"),
        (b"FOVb", "Sigma raw (X3F)"),
        (b"\0MRM", "Minolta raw (MRW)"),
    ):
        if head.startswith(start):
            return name
    if head[4:12] == b"ftypcrx ":
        return "Canon raw (CR3)"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_raw(head)
    return None


def _tiff_raw(head: bytes) -> str | None:
    """The kind of raw file by the tags and the maker in the first directory of a TIFF file, as far
    as it is in `head`."""
    order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
    start = int.from_bytes(head[4:8], order)
    count = int.from_bytes(head[start : start + 2], order)
    entries = {}
    for i in range(min(count, 200)):
        entry = head[start + 2 + 12 * i : start + 14 + 12 * i]
        if len(entry) < 12:
            break
        entries[int.from_bytes(entry[:2], order)] = entry
    if 50706 in entries:  # DNGVersion
        return "digital negative (DNG)"
    if 330 not in entries or 259 not in entries or 271 not in entries:
        return None  # raw files have sub-directories, a thumbnail and a maker
    kind, compression = (_first_number(entries.get(tag), order) for tag in (254, 259))
    if not kind & REDUCED_SIZE and compression in TIFF_COMPRESSIONS:
        return None  # a picture of full size, which editors save with a pyramid of smaller ones
    at = int.from_bytes(entries[271][8:12], order)
    maker = head[at : at + 5].upper()
    return {
        b"NIKON": "Nikon raw (NEF)",
        b"SONY ": "Sony raw (ARW)",
        b"SONY\0": "Sony raw (ARW)",
    }.get(maker, {b"PENTA": "Pentax raw (PEF)", b"SAMSU": "Samsung raw (SRW)"}.get(maker))


def _first_number(entry: bytes | None, order: Literal["little", "big"]) -> int:
    """The value of a directory's entry with one SHORT or LONG; 0 without it."""
    if entry is None:
        return 0
    return int.from_bytes(
        entry[8:10] if entry[2:4] == (3).to_bytes(2, order) else entry[8:12], order
    )


CONVERT = "convert it to PNG, JPEG or TIFF first"
_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xe7GC", "a .gcz file already; gccodec decode reads it"),
    (0, b"\x01\xc0\x0b\xb1", "a GameCube disc image"),
    (0, b"%PDF-", "a PDF document; export its pages as PNG (pdftoppm does)"),
    (0, b"%!PS", f"PostScript (EPS), which is a program; {CONVERT}"),
    (0, b"\xc5\xd0\xd3\xc6", f"PostScript (EPS), which is a program; {CONVERT}"),
    (0, b"8BPS", f"a Photoshop document; {CONVERT}"),
    (0, b"gimp xcf", f"a GIMP document; {CONVERT}"),
    (0, b"\x76\x2f\x31\x01", f"OpenEXR; {CONVERT}"),
    (0, b"#?RADIANCE", f"Radiance HDR; {CONVERT}"),
    (0, b"#?RGBE", f"Radiance HDR; {CONVERT}"),
    (0, b"DDS ", f"a DirectDraw surface; {CONVERT}"),
    (0, b"SIMPLE  =", f"FITS; {CONVERT}"),
    (0, b"qoif", f"QOI; {CONVERT}"),
    (0, b"icns", f"an Apple icon; {CONVERT}"),
    *(
        (0, bytes([10, version, 1, bits]), f"PCX; {CONVERT}")
        for version in (0, 2, 3, 4, 5)
        for bits in (1, 2, 4, 8)
    ),
    (
        12,
        b"CgBI",
        "a PNG of Apple's own kind (CgBI); pngcrush -revert-iphone-optimizations makes it one "
        "that all read",
    ),
    (
        0,
        b"\x89PNG\n",
        "a PNG file damaged by a transfer that took it for text; transfer it again as binary",
    ),
    (0, b"P7\n", f"PAM; {CONVERT}"),
    (0, b"FLIF", f"FLIF; {CONVERT}"),
    (0, b"\x59\xa6\x6a\x95", f"a Sun raster; {CONVERT}"),
    (128, b"DICM", f"a DICOM file; {CONVERT}"),
    (4, b"ftypjpx ", f"JPEG 2000 with several pictures (JPX); {CONVERT}"),
    (0, b"Rar!\x1a\7", "a RAR archive; unpack it first"),
    (0, b"PK\5\6", "an empty ZIP archive"),
    (8, b"WAVE", "a sound file (WAV)"),
    (8, b"ACON", f"an animated Windows cursor; {CONVERT}"),
    (4, b"moov", "a video (MOV)"),
    (4, b"mdat", "a video (MOV)"),
    (4, b"wide", "a video (MOV)"),
    (0, b"\x01\xda\0\1", f"SGI; {CONVERT}"),
    (0, b"\x01\xda\1\1", f"SGI; {CONVERT}"),
    (0, b"\xd7\xcd\xc6\x9a", f"a Windows metafile; {CONVERT}"),
    (40, b" EMF", f"a Windows metafile; {CONVERT}"),
    (0, b"\x97JB2", f"JBIG2; {CONVERT}"),
    (0, b"BPG\xfb", f"BPG; {CONVERT}"),
    (0, b"II\xbc", f"JPEG XR; {CONVERT}"),
    (0, b"AT&TFORM", f"DjVu; {CONVERT}"),
    (0, b"\0\0\2\0\1\0", f"a Windows cursor; {CONVERT}"),
    (0, b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    (8, b"AVI ", "a video (AVI)"),
    (0, b"PK\3\4", "a ZIP archive; unpack it first"),
    (0, b"\x1f\x8b", "compressed by gzip; unpack it first (zcat FILE | gccodec encode -)"),
    (0, b"BZh", "compressed by bzip2; unpack it first"),
    (0, b"\xfd7zXZ", "compressed by xz; unpack it first"),
    (0, b"(\xb5/\xfd", "compressed by zstd; unpack it first"),
    (0, b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (257, b"ustar", "a tar archive; unpack it first"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the picture; git lfs pull brings it"),
)


def foreign_kind(head: bytes) -> str | None:
    """What a file is that cannot be read, and the way out, to follow "it is"; None where it is
    unknown."""
    if raw := raw_camera(head):
        return f"{raw}; develop it to JPEG or TIFF first"
    for offset, magic, kind in _FOREIGN:
        if head[offset : offset + len(magic)] == magic:
            return kind
    if head[4:8] == b"ftyp" and _isobmff_format(head) is None:
        return "a video or sound file (MP4, MOV)"
    return _text_kind(head)


def _text_kind(head: bytes) -> str | None:
    # both may begin with the language of a printer, or with a mail
    if b"%!PS" in head[:DOCUMENT_START_BYTES]:
        return f"PostScript (EPS), which is a program; {CONVERT}"
    if b"%PDF-" in head[:DOCUMENT_START_BYTES]:
        return "a PDF document; export its pages as PNG (pdftoppm does)"
    text = _text_of(head)
    start = text.lstrip().lower()
    if start.startswith(("<svg", "<?xml", "<!--", "<!doctype svg")) and (
        "<svg" in start or ":svg" in start
    ):
        return "SVG; render it to PNG first (rsvg-convert or inkscape do)"
    if start.startswith(("<!doctype html", "<html")):
        return "an HTML page, perhaps a failed download"
    return "a text file" if text and not text.startswith(("P", "BM")) else None


def _text_of(head: bytes) -> str:
    """The text of bytes in UTF-8, or in UTF-16 with its mark; empty for anything else."""
    encoding = (
        "utf-16" if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    )
    try:
        # the last character may be cut
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return ""
    return text if all(character.isprintable() or character.isspace() for character in text) else ""
