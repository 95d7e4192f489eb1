"""One door for reading: formats of a list, whatever else a file may be, and nothing left behind."""

import io
import os
import random
import stat
import struct
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gccodec
from gccodec.codec.strip import to_strips
from gccodec.errors import GccodecError, LimitError, PictureError
from gccodec.image import reader
from gccodec.image.opening import decoding, detect, open_image
from gccodec.image.reader import read_picture
from gccodec.image.signature import foreign_kind, format_of
from gccodec.image.tiff_structure import Field
from tests.paths import CASES, COFFEE
from tests.picture_files import tiff_file, with_tags

RNG = np.random.default_rng(0)
PIXELS = np.kron(RNG.integers(0, 256, (6, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))


def stored(form, image=None, **options):
    out = io.BytesIO()
    (Image.fromarray(PIXELS) if image is None else image).save(out, form, **options)
    return out.getvalue()


def stored_heif(image, **options):
    import pillow_heif

    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, **options)
    return out.getvalue()


def stored_jxl(image, **options):
    import pillow_jxl  # noqa: F401  # registers the format

    return stored("JXL", image, **options)


FORMATS = {
    "PNG": "PNG", "JPEG": "JPEG", "MPO": "JPEG", "WEBP": "WEBP", "AVIF": "AVIF", "TIFF": "TIFF", "BMP": "BMP",
    "GIF": "GIF", "JPEG2000": "JPEG2000", "PPM": "PPM", "TGA": "TGA", "ICO": "ICO",
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_of_the_list_is_read(name):
    data = stored(name, **({"sizes": [(64, 48)]} if name == "ICO" else {}))
    assert format_of(data) == FORMATS[name]
    picture = read_picture(data)
    assert picture.image.size == (64, 48)
    assert np.abs(picture.pixels.astype(int) - PIXELS).mean() < 12


def test_a_gray_float_map_is_read():
    data = stored("PPM", Image.fromarray(np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)))
    assert data.startswith(b"Pf")
    assert read_picture(data).gray


@pytest.mark.parametrize("store", [stored_heif, stored_jxl])
def test_files_of_the_extras_are_read(store):
    options = {"quality": -1} if store is stored_heif else {"lossless": True}
    assert (
        np.abs(
            read_picture(store(Image.fromarray(PIXELS), **options)).pixels.astype(int) - PIXELS
        ).max()
        <= 3
    )
    soft = Image.fromarray(PIXELS)
    soft.putalpha(Image.linear_gradient("L").resize((64, 48)))
    picture = read_picture(store(soft, **options))
    assert picture.alpha is not None
    assert np.abs(picture.alpha.astype(int) - np.asarray(soft.getchannel("A"))).max() <= 3
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    assert (
        b"Maker"
        in read_picture(
            store(Image.fromarray(PIXELS), exif=exif.tobytes(), **options)
        ).metadata.exif
    )


@pytest.mark.parametrize(("store", "extra"), [(stored_heif, "heif"), (stored_jxl, "jxl")])
def test_without_its_extra_a_format_is_named_with_the_way_out(store, extra, monkeypatch):
    import sys

    data = store(Image.fromarray(PIXELS))
    for module in ("pillow_heif", "pillow_jxl", "pillow_jxl.JpegXLImagePlugin"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PictureError, match=rf"pip install 'gccodec\[{extra}\]'"):
        read_picture(data)


SVG = "<svg xmlns='http://www.w3.org/2000/svg'><text>ä</text></svg>"


def tiff_head(tags, maker=b"NIKON CORPORATION\0"):
    """The first directory of a file like those of cameras, little-endian."""
    entries = b"".join(
        struct.pack("<HHII", tag, 2, len(maker), 200)
        if tag == 271
        else struct.pack("<HHII", tag, 4, 1, 1)
        for tag in sorted(tags)
    )
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + maker


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "EPS"),
        (b"\xc5\xd0\xd3\xc6" + bytes(30), "EPS"),
        (b'<?xml version="1.0"?>\n<svg width="9"/>', "SVG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"8BPS\0\1" + bytes(20), "Photoshop"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(20), "CR2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "CR3"),
        (b"FUJIFILMCCD-RAW 0201", "RAF"),
        (b"IIRO\x08\0\0\0", "ORF"),
        (b"IIU\0\x18\0\0\0", "RW2"),
        (tiff_head([254, 259, 271, 330]), "NEF"),
        (tiff_head([254, 259, 271, 330], b"SONY\0"), "ARW"),
        (tiff_head([254, 259, 50706]), "DNG"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "MP4"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0qt  ", "MOV"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"PK\3\4\x14\0", "ZIP"),
        (b"\xe7GC\1\0", "decode"),
        (b"\x01\xc0\x0b\xb1" + bytes(30), "GameCube"),
        (b"hello, world\n", "text"),
        (b"", "empty"),
        (SVG.encode("utf-8-sig"), "SVG"),
        (SVG.encode("utf-16"), "SVG"),
        ("Ärger\n".encode(), "text"),
        ("Ärger\n".encode("utf-16"), "text"),
        (b"\x04%!PS-Adobe-3.0\n", "EPS"),
        (b"\x1b%-12345X@PJL\n%!PS-Adobe-3.0\n", "EPS"),
        (b"\n\n%PDF-1.4\n\x80", "PDF"),
        (b"\x0a\3\1\x08" + bytes(124), "PCX"),
        (b"P7\nWIDTH 1\n", "PAM"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\4CgBI\x50\0\x20\6", "CgBI"),
        (b"\x89PNG\n\x1a\n\0\0\0\rIHDR", "transfer"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"Rar!\x1a\7\0", "RAR"),
        (b"RIFF\0\0\0\0WAVEfmt ", "sound"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "MOV"),
        (b"\0\0\0\x14ftypjpx \0\0\0\0jpx ", "JPX"),
        (b"\x8f\x93\x11\x07", "begins with 8f 93 11 07"),
        (b"DDS |\0\0\0", "DirectDraw"),
        (b"\x76\x2f\x31\x01\2\0\0\0", "OpenEXR"),
    ],
)
def test_what_is_no_picture_for_us_is_named(data, message):
    with pytest.raises(PictureError, match=message) as caught:
        read_picture(data)
    assert "_io." not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_editors_tiff_with_smaller_copies_and_a_cameras_name_is_no_raw_file():
    data = with_tags(
        tiff_file(PIXELS, 2, tags={330: [8]}), Field(271, 2, 18, b"NIKON CORPORATION\0")
    )
    assert np.array_equal(read_picture(data).pixels, PIXELS)


def test_postscript_runs_no_program(tmp_path, monkeypatch):
    spy = tmp_path / "gs"
    spy.write_text(f"#!/bin/sh\necho ran >> {tmp_path}/log\necho 10.0\n")
    spy.chmod(spy.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    data = (CASES / "eps-named.jpg").read_bytes()
    for wrapped in (data, b"\xef\xbb\xbf" + data, b"\n" + data):
        with pytest.raises(PictureError):
            read_picture(wrapped)
    assert not (tmp_path / "log").exists()


def test_a_wmf_and_a_fits_file_reach_no_plugin():
    for head in (b"\xd7\xcd\xc6\x9a" + bytes(60), b"SIMPLE  =" + bytes(60)):
        assert foreign_kind(head)
        with pytest.raises(PictureError):
            detect(io.BytesIO(head))


@pytest.mark.parametrize(
    "error",
    [
        struct.error("unpack"), TypeError("Missing dimensions"), KeyError(9), SyntaxError("bad"), RuntimeError("x"),
        AssertionError(), OverflowError("big"), RecursionError("deep"), EOFError(), OSError("truncated"),
        NotImplementedError("mode"), ZeroDivisionError(), UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
    ],
)  # fmt: skip
def test_whatever_a_decoder_raises_is_one_line_of_ours(error):
    with pytest.raises(PictureError, match="^the picture is damaged: .+") as caught, decoding():
        raise error
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            "Unsupported BMP pixel depth (2)",
            "the picture cannot be read: Unsupported BMP pixel depth (2)",
        ),
        ("cannot handle 12-bit layers", "the picture cannot be read: cannot handle 12-bit layers"),
        (
            "not identified by this driver",
            "the picture is damaged, or not what its first bytes say",
        ),
    ],
)
def test_what_a_decoder_does_not_know_is_not_called_damaged(said, line):
    with pytest.raises(PictureError) as caught, decoding():
        raise OSError(said)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("marker", "precision", "height", "kind"),
    [
        (0xC3, 8, 1, "lossless JPEG"),
        (0xF7, 8, 1, "JPEG-LS"),
        (0xC5, 8, 1, "hierarchical JPEG"),
        (0xC1, 12, 1, "JPEG of 12 bits"),
        (0xC0, 8, 0, "JPEG whose height"),
    ],
)
def test_a_jpeg_of_another_kind_is_named(marker, precision, height, kind):
    data = bytearray(stored("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, precision
    if not height:
        data[at + 5 : at + 7] = bytes(2)
    with pytest.raises(
        PictureError, match=f"not a picture that can be read: it is {kind}.*convert it"
    ):
        read_picture(bytes(data))
    for end in range(at + 2, at + 12):
        with pytest.raises(PictureError):
            read_picture(bytes(data[:end]))


def test_trouble_of_the_file_itself_and_of_memory_is_not_the_pictures():
    with pytest.raises(OSError, match="Input/output"), decoding():
        raise OSError(5, "Input/output error")
    with pytest.raises(LimitError, match="more memory"), decoding():
        raise MemoryError
    with pytest.raises(LimitError, match="too large"), decoding():
        raise Image.DecompressionBombError("Image size")
    with pytest.raises(KeyboardInterrupt), decoding():
        raise KeyboardInterrupt


def test_pillows_limit_is_neither_changed_nor_consulted(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    data = COFFEE.read_bytes()
    seen = []

    def work():
        for _ in range(4):
            read_picture(data)
            seen.append(Image.MAX_IMAGE_PIXELS)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [10] * 32


class Failing(io.BytesIO):
    """Has no more to do with memory, and fails behind some of its bytes."""

    def __init__(self, data, after, error):
        super().__init__(data)
        self._after, self._error = after, error

    getvalue = getbuffer = property(lambda self: object.__getattribute__(self, "nothing"))

    def read(self, size=-1, /):
        data = super().read(size)
        if self.tell() > self._after:
            raise self._error
        return data

    def readinto(self, buffer, /):
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


NOISE = Image.fromarray(np.random.default_rng(4).integers(0, 256, (120, 160, 3), np.uint8))


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), KeyboardInterrupt()], ids=["EIO", "interrupt"]
)
@pytest.mark.parametrize("name", [*FORMATS, "HEIF", "JXL"])
def test_trouble_of_the_file_is_told_from_damage_in_every_format(name, error):
    store = {"HEIF": stored_heif, "JXL": stored_jxl}.get(name)
    noise = (
        NOISE.quantize(64) if name == "GIF" else NOISE.convert("RGBA") if name == "ICO" else NOISE
    )
    data = stored(name, noise) if store is None else store(noise)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(type(error)):
            read_picture(Failing(data, int(share * len(data)), error))


@pytest.mark.parametrize("name", [*FORMATS, "HEIF", "JXL"])
def test_pillows_limit_is_not_asked_in_any_format(name, monkeypatch):
    """Ours are larger, and a program around us may have set another."""
    store = {"HEIF": stored_heif, "JXL": stored_jxl}.get(name)
    image = Image.fromarray(PIXELS)
    options = {"save_all": True, "append_images": [image], "disposal": 2} if name == "GIF" else {}
    data = stored(name, image, **options) if store is None else store(image)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_picture(data).pixels.size
    monkeypatch.setattr(reader, "STREAMED_PIXELS", 0)
    for strip in to_strips(read_picture(data).image, 512):
        assert strip.shape[1] == 3


def test_a_webps_size_is_checked_before_room_is_made_for_it():
    data = stored("WEBP", lossless=True)
    large = b"VP8X" + struct.pack("<I", 10) + bytes(4) + 2 * (0xFFFF).to_bytes(3, "little")
    data = b"RIFF" + struct.pack("<I", len(data) - 8 + len(large)) + b"WEBP" + large + data[12:]
    with pytest.raises(LimitError, match="size 65536x65536"):
        read_picture(data)


@pytest.mark.parametrize("form", ["png", "bmp"])
def test_of_an_icon_file_the_largest_is_read(form):
    image = Image.fromarray(PIXELS).convert("RGBA")
    data = stored("ICO", image, sizes=[(16, 12), (64, 48), (32, 24)], bitmap_format=form)
    picture = read_picture(data)
    assert picture.image.size == (64, 48)
    assert np.array_equal(picture.pixels, PIXELS)
    assert "only the largest of 3 icons is kept" in picture.notes


def test_nothing_but_the_door_opens_pictures():
    for path in (Path(gccodec.__file__).parent).rglob("*.py"):
        assert "Image.open(" not in path.read_text(), path


class Pipe(io.RawIOBase):
    """Bytes that come once."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._data.readinto(memoryview(buffer)[:1000])


def test_a_source_that_cannot_seek_is_copied(tmp_path):
    data = stored("PNG")
    assert np.array_equal(read_picture(io.BufferedReader(Pipe(data))).pixels, PIXELS)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(data,))
    writer.start()
    with open(fifo, "rb") as file:
        assert np.array_equal(read_picture(file).pixels, PIXELS)
    writer.join()


def test_mutated_files_raise_nothing_but_our_errors():
    small = Image.fromarray(PIXELS[::4, ::4])
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    files = [stored(name, small) for name in FORMATS]
    files += [
        stored("PNG", small, exif=exif),
        stored("JPEG", small, exif=exif),
        stored("TIFF", small, exif=exif),
    ]
    files += [
        stored("TIFF", small, compression=c) for c in ("tiff_lzw", "jpeg", "tiff_adobe_deflate")
    ]
    files += [stored_heif(small), stored_jxl(small)]
    source = random.Random(1)
    kinds, several_lines = set(), False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in files:
            for _ in range(60):
                changed = bytearray(data)
                for _ in range(source.randint(1, 6)):
                    changed[source.randrange(len(changed))] = source.randrange(256)
                try:
                    read_picture(
                        bytes(changed[: source.choice([None, source.randrange(len(changed))])])
                    )
                except GccodecError as error:
                    kinds.add(type(error).__name__)
                    several_lines = several_lines or "\n" in str(error)
    assert "PictureError" in kinds
    assert not several_lines


def test_a_plugin_of_another_list_is_refused():
    with pytest.raises(PictureError, match="it is JPEG"):
        detect(io.BytesIO(stored("JPEG")), frozenset(["PNG"]))
    assert open_image(io.BytesIO(stored("PNG")), "PNG").size == (64, 48)


def test_a_damaged_file_of_an_extra_is_called_by_its_format():
    for data, name in (
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "HEIC"),
        (b"\xff\x0a" + bytes(9), "JPEG XL"),
    ):
        with pytest.raises(PictureError, match=f"the {name} picture is damaged"):
            read_picture(data)
