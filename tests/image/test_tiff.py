"""TIFF files: EXIF in them and out of them, and never their structure."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps, TiffImagePlugin

from gccodec.image.metadata import Metadata
from gccodec.image.reader import read_picture
from gccodec.image.tiff import read_tiff_metadata, write_tiff
from gccodec.image.tiff_structure import Field
from gccodec.image.tiff_tags import STRUCTURAL_TAGS
from gccodec.image.writer import picture_format, write_picture
from gccodec.image.xmp import orientation_of_xmp
from tests.exif_bytes import directory, exif_of, with_thumbnail
from tests.image.test_picture import WIDE
from tests.picture_files import tiff_file, with_tags

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), np.uint8)
MAKER = (0x010F, 2, b"Maker\0")
ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["II", "MM"])


def orientation_packet(value, prefix="tiff"):
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        f' xmlns:{prefix}="http://ns.adobe.com/tiff/1.0/" {prefix}:Orientation="{value}"/></rdf:RDF>'
    ).encode()


def tiff_of(pixels, **metadata):
    out = io.BytesIO()
    notes = write_picture(Image.fromarray(pixels), picture_format("tif"), out, Metadata(**metadata))
    return out.getvalue(), notes


def opened(data):
    """As Pillow reads it, with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = Image.open(io.BytesIO(data))
        image.load()
        return image


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_pixels_come_back_in_either_byte_order(bands, order):
    pixels = RNG.integers(0, 256, (5, 7, bands), np.uint8).squeeze()
    image = opened(tiff_of(pixels, exif=exif_of(order, MAKER), icc=WIDE, xmp=b"<x/>")[0])
    assert image.mode == ["L", "LA", "RGB", "RGBA"][bands - 1]
    assert np.array_equal(np.asarray(image), pixels)
    assert image.info["icc_profile"] == WIDE
    assert image.info["xmp"] == b"<x/>"
    assert image.getexif()[0x010F] == "Maker"


def test_many_strips_of_any_height_make_one_picture(monkeypatch):
    monkeypatch.setattr("gccodec.image.tiff.STRIP_BYTES", 50)
    pixels, out = RNG.integers(0, 256, (23, 7, 3), np.uint8), io.BytesIO()
    strips = [Image.fromarray(pixels[top : top + 4]) for top in range(0, 23, 4)]
    write_tiff(out, (7, 23), strips, Metadata())
    assert np.array_equal(np.asarray(opened(out.getvalue())), pixels)


@ORDERS
@pytest.mark.parametrize(
    ("kind", "values"), [(3, [6]), (4, [4000]), (3, [6, 6, 6]), (2, b"structure\0")]
)
def test_structure_in_exif_does_not_become_the_files(order, kind, values):
    for tag in STRUCTURAL_TAGS:
        data, notes = tiff_of(RGB, exif=exif_of(order, (tag, kind, values), MAKER))
        image = opened(data)
        assert (image.size, image.mode) == ((7, 5), "RGB"), tag
        assert np.array_equal(np.asarray(image), RGB), tag
        assert image.getexif()[0x010F] == "Maker", tag
        assert notes == (), tag


@ORDERS
@pytest.mark.parametrize(
    "entry",
    [
        (0x11A, 2, b"abc\0"),
        (0x11A, 10, [(-5, 3)]),
        (0x11B, 5, [(0, 0)]),
        (0x128, 2, b"in\0"),
        (0x11A, 5, []),
    ],
)
def test_a_resolution_that_readers_stumble_over_is_left_out_with_a_note(order, entry):
    data, notes = tiff_of(RGB, exif=exif_of(order, entry, (0x128, 3, [3]), MAKER))
    assert np.array_equal(np.asarray(opened(data)), RGB)
    assert opened(data).getexif()[0x010F] == "Maker"
    assert (entry[0] == 0x128 and notes == ()) or notes == (
        f"TIFF cannot hold EXIF's tags 0x{entry[0]:04X}",
    )


def test_a_good_resolution_stays():
    data, notes = tiff_of(
        RGB, exif=exif_of(">", (0x11A, 5, [(300, 1)]), (0x11B, 5, [(300, 1)]), (0x128, 3, [2]))
    )
    assert opened(data).info["dpi"] == (300, 300)
    assert notes == ()


def camera(order):
    """EXIF with all directories, and a maker note that relies on its place."""
    first = exif_of(order, MAKER, (0x8769, 4, [0]), (0x8825, 4, [0]))
    at = len(first)
    size = len(
        directory(order, at, [(0x829A, 5, [(1, 50)]), (0x927C, 7, b"maker note"), (0xA005, 4, [0])])
    )
    gps_at, interop_at = at + size, at + size + 100
    below = directory(
        order, at, [(0x829A, 5, [(1, 50)]), (0x927C, 7, b"maker note"), (0xA005, 4, [interop_at])]
    )
    gps = directory(order, gps_at, [(1, 2, b"N\0"), (2, 5, [(48, 1), (8, 1), (1234, 100)])]).ljust(
        100, b"\0"
    )
    interop = directory(order, interop_at, [(1, 2, b"R98\0")])
    return exif_of(order, MAKER, (0x8769, 4, [at]), (0x8825, 4, [gps_at])) + below + gps + interop


def check_camera(exif):
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8769)[0x829A] == 1 / 50
    assert exif.get_ifd(0x8769)[0x927C] == b"maker note"
    assert exif.get_ifd(0x8825)[2] == (48, 8, 12.34)
    assert exif.get_ifd(0xA005)[1] == "R98"


@ORDERS
def test_directories_below_stay_at_their_offsets(order):
    exif = camera(order)
    data, _ = tiff_of(RGB, exif=exif)
    check_camera(opened(data).getexif())
    assert data[8 : len(exif)] == exif[8:]


@ORDERS
def test_directories_below_are_read_from_a_tiff_file(order):
    seen = Image.Exif()
    seen.load(read_picture(tiff_of(RGB, exif=camera(order))[0]).metadata.exif)
    check_camera(seen)


def test_a_thumbnail_does_not_become_a_second_page():
    data, _ = tiff_of(RGB, exif=with_thumbnail("<", [MAKER], [], b"\xff\xd8 a thumbnail"))
    assert opened(data).n_frames == 1
    assert b"a thumbnail" not in data


def test_big_tiff_is_read():
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[0x010F], info[700] = "Maker", b"<x/>"
    info[0x8769] = {0x9003: "2026:01:02 03:04:05"}
    out = io.BytesIO()
    Image.fromarray(RGB).save(out, "TIFF", tiffinfo=info, big_tiff=True)
    assert out.getvalue()[2] == 43
    metadata = read_picture(out.getvalue()).metadata
    seen = Image.Exif()
    seen.load(metadata.exif)
    assert seen[0x010F] == "Maker"
    assert seen.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"


@pytest.mark.parametrize("by", ["tag", "two", "long", "xmp", "other prefix", "both"])
@pytest.mark.parametrize("value", range(1, 9))
def test_a_tiff_file_is_turned_once(by, value):
    packet = orientation_packet(value, "t" if by == "other prefix" else "tiff")
    entry = {"two": (0x112, 3, [value, 1]), "long": (0x112, 4, [value])}.get(
        by, (0x112, 3, [value])
    )
    exif = exif_of("<", MAKER, entry) if by in ("tag", "two", "long", "both") else None
    out = io.BytesIO()
    xmp = packet if by in ("xmp", "other prefix", "both") else None
    write_tiff(out, (7, 5), [Image.fromarray(RGB)], Metadata(exif, None, xmp))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, on two orientations
        picture = read_picture(out.getvalue())
    reference = exif_of("<", (0x112, 3, [value]))
    png = io.BytesIO()
    Image.fromarray(RGB).save(png, "PNG", exif=reference)
    assert np.array_equal(picture.pixels, np.asarray(ImageOps.exif_transpose(Image.open(png))))
    again, _ = tiff_of(picture.pixels, **picture.metadata._asdict())
    assert np.array_equal(read_picture(again).pixels, picture.pixels)
    assert np.array_equal(np.asarray(opened(again)), picture.pixels)


@pytest.mark.parametrize("kind", [1, 2, 4, 7])
def test_a_packet_of_any_type_is_obeyed_and_says_1_afterwards(kind):
    packet = orientation_packet(6).ljust(400)
    size = len(packet) // (4 if kind == 4 else 1)
    picture = read_picture(with_tags(tiff_file(RGB, 2), Field(700, kind, size, packet)))
    assert np.array_equal(picture.pixels, np.rot90(RGB, -1))
    assert orientation_of_xmp(picture.metadata.xmp) == 1


@pytest.mark.parametrize(
    "data", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0+\0\x08\0\0" + bytes(30)]
)
def test_a_damaged_file_has_no_metadata(data):
    assert read_tiff_metadata(io.BytesIO(data)) == (None, None, None)


def test_more_than_four_gibibytes_are_refused():
    class Endless:
        mode = "RGB"

        def getbands(self):
            return self.mode

    with pytest.raises(ValueError, match="4 GiB"):
        write_tiff(io.BytesIO(), (40_000, 40_000), [Endless()], Metadata())
