"""Reading and writing picture files: every mode, orientation, profile and kind of metadata."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin

from gccodec.errors import LimitError, PictureError, UsageError
from gccodec.image.metadata import Metadata
from gccodec.image.reader import read_picture
from gccodec.image.writer import FORMATS, picture_format, write_picture

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), np.uint8)
ALPHA = RNG.integers(0, 255, (5, 7), np.uint8)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'


def stored(image, form="PNG", **options):
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, form, **options)
    return out.getvalue()


def wide_gamut():
    """A real matrix profile with other primaries than sRGB's: the blue and red columns swapped."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = data.index(b"rXYZ"), data.index(b"bXYZ")
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data)


WIDE, NOTHING = wide_gamut(), Metadata()


def camera_exif(orientation):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    return exif


def test_rgb_and_gray_arrive_untouched():
    assert np.array_equal(read_picture(stored(RGB)).pixels, RGB)
    gray = read_picture(stored(RGB[..., 0]))
    assert gray.gray
    assert np.array_equal(gray.pixels, RGB[..., 0])
    assert gray.notes == ()


def test_palettes_and_bilevel_pictures_are_expanded():
    palette = Image.fromarray(RGB).quantize(16)
    picture = read_picture(stored(palette))
    assert np.array_equal(picture.pixels, np.asarray(palette.convert("RGB")))
    bilevel = read_picture(stored(Image.fromarray(RGB[..., 0]).convert("1")))
    assert bilevel.gray
    assert set(np.unique(bilevel.pixels)) == {0, 255}


def test_cmyk_is_converted_with_a_note():
    picture = read_picture(stored(Image.fromarray(RGB).convert("CMYK"), "TIFF"))
    assert np.abs(picture.pixels.astype(int) - RGB).max() <= 1
    assert picture.notes == ("mode CMYK is converted to RGB",)


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 257, 65535], [0, 1, 255]), ([0, 128, 65407], [0, 0, 255])]
)
def test_sixteen_bit_gray_is_reduced_with_a_note(values, expected):
    picture = read_picture(stored(np.array([values], np.uint16)))
    assert picture.pixels.tolist() == [expected]
    assert picture.notes == ("16 bits a channel are reduced to 8",)


def test_sixteen_bit_colour_is_reduced_with_a_note():
    rows = b"".join(b"\0" + np.array([[257 * i, 65535, 0]] * 2, ">u2").tobytes() for i in range(2))
    picture = read_picture(png_file(2, 2, 16, 2, rows))
    assert picture.pixels.tolist() == [[[0, 255, 0]] * 2, [[1, 255, 0]] * 2]
    assert picture.notes == ("16 bits a channel are reduced to 8",)


def written(pixels, form, alpha=None, metadata=NOTHING):
    """The file and the notes."""
    out = io.BytesIO()
    image = Image.fromarray(pixels if alpha is None else np.dstack([pixels, alpha]))
    notes = write_picture(image, picture_format(form), out, metadata)
    return out.getvalue(), notes


def png_file(width, height, depth, colour_type, rows):
    """A PNG of modes that Pillow reads but cannot write."""
    import struct
    import zlib

    def chunk(name, body):
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_floats_are_taken_as_zero_to_one():
    assert read_picture(stored(np.array([[0, 0.5, 1, 7]], np.float32), "TIFF")).pixels.tolist() == [
        [0, 128, 255, 255]
    ]


def test_lab_is_converted_by_its_definition():
    lab = ImageCms.profileToProfile(
        Image.fromarray(RGB),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    picture = read_picture(stored(lab, "TIFF"))
    assert np.abs(picture.pixels.astype(int) - RGB).mean() < 4
    assert picture.notes == ("mode LAB is converted to sRGB",)


@pytest.mark.parametrize("gray", [False, True])
def test_transparency_is_split_off_dropped_or_refused(gray):
    pixels = RGB[..., 0] if gray else RGB
    data = stored(np.dstack([pixels, ALPHA]))
    kept = read_picture(data)
    assert np.array_equal(kept.pixels, pixels)
    assert np.array_equal(kept.alpha, ALPHA)
    assert read_picture(data, alpha="drop").alpha is None
    with pytest.raises(UsageError, match="--alpha"):
        read_picture(data, alpha="refuse")


def test_an_opaque_alpha_channel_is_no_transparency():
    data = stored(np.dstack([RGB, np.full((5, 7), 255, np.uint8)]))
    assert read_picture(data, alpha="refuse").alpha is None


def test_a_transparent_palette_entry_becomes_alpha():
    palette = Image.fromarray(RGB).quantize(16)
    picture = read_picture(stored(palette, transparency=0))
    assert np.array_equal(picture.alpha == 0, np.asarray(palette) == 0)
    assert picture.pixels.shape == RGB.shape


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_come_out_upright(orientation, form):
    flat = np.kron(RGB // 64 * 80, np.ones((16, 16, 1), np.uint8))
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(form, {})
    data = stored(flat, form, exif=camera_exif(orientation).tobytes(), **options)
    picture = read_picture(data)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(picture.pixels, expected)
    again = Image.Exif()
    again.load(b"Exif\0\0" + picture.metadata.exif)
    assert again.get(0x0112, 1) == 1
    assert again[0x010F] == "Maker"
    assert again.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"


def test_exif_keeps_every_byte_but_the_orientation():
    raw = camera_exif(6).tobytes()
    kept = read_picture(stored(RGB, "JPEG", exif=raw)).metadata.exif
    different = [i for i, (a, b) in enumerate(zip(raw[6:], kept, strict=True)) if a != b]
    assert len(different) == 1
    assert raw[6:][different[0]] == 6


@pytest.mark.parametrize("form", ["png", "jpg", "webp", "tiff", "avif"])
def test_metadata_survives_in_every_format_that_holds_it(form):
    exif = camera_exif(1).tobytes()[6:]
    data, notes = written(RGB, form, None, Metadata(exif, WIDE, XMP))
    assert notes == ()
    metadata = read_picture(data).metadata
    assert (metadata.icc, metadata.xmp) == (WIDE, XMP)
    again = Image.Exif()
    again.load(b"Exif\0\0" + metadata.exif)
    assert again[0x010F] == "Maker"
    assert again.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
    # TIFF's tags are the file's own, libavif rewrites the orientation
    if form in (
        "png",
        "jpg",
        "webp",
    ):
        assert metadata.exif == exif


def test_only_the_metadata_asked_for_is_kept():
    data, _ = written(RGB, "png", None, Metadata(camera_exif(1).tobytes()[6:], WIDE, XMP))
    assert read_picture(data, metadata=frozenset({"xmp"})).metadata == Metadata(xmp=XMP)


def test_a_profile_that_equals_srgb_is_left_out():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_picture(stored(RGB, icc_profile=srgb))
    assert picture.metadata.icc is None
    assert np.array_equal(picture.pixels, RGB)


def test_colours_are_converted_when_their_profile_is_not_kept():
    kept = read_picture(stored(RGB, icc_profile=WIDE))
    assert np.array_equal(kept.pixels, RGB)
    assert kept.metadata.icc == WIDE
    converted = read_picture(stored(RGB, icc_profile=WIDE), metadata=frozenset())
    # red and blue are swapped in WIDE
    assert np.abs(converted.pixels.astype(int) - RGB[..., ::-1]).max() <= 2
    assert "converted to sRGB" in converted.notes[0]


def test_a_profile_of_other_pixels_is_dropped_with_a_note():
    picture = read_picture(stored(RGB[..., 0], icc_profile=WIDE))
    assert picture.metadata.icc is None
    assert "describes other pixels" in picture.notes[0]


def test_of_an_animation_the_first_frame_is_kept_with_a_note():
    frames = [Image.fromarray(RGB), Image.fromarray(255 - RGB)]
    data = stored(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    picture = read_picture(data)
    assert np.array_equal(picture.pixels, RGB)
    assert picture.notes == ("only the first of 2 frames is kept",)


@pytest.mark.parametrize("data", [b"", b"not a picture", stored(RGB)[:-40], stored(RGB)[:30]])
def test_unreadable_input_is_a_picture_error(data):
    with pytest.raises(PictureError):
        read_picture(data)


def test_a_large_picture_is_refused_before_it_is_decoded():
    with pytest.raises(LimitError, match="35 pixels, allowed 34"):
        read_picture(stored(RGB), max_pixels=34)


def test_our_limit_replaces_pillows(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert np.array_equal(read_picture(stored(RGB)).pixels, RGB)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_written_pictures_read_back():
    for name in FORMATS.keys() - {"pgm"}:
        data, notes = written(RGB, name)
        assert read_picture(data).pixels.shape == RGB.shape
        assert notes == ()
    for name in ("png", "tiff", "bmp", "ppm"):
        assert np.array_equal(read_picture(written(RGB, name)[0]).pixels, RGB)
    assert np.array_equal(read_picture(written(RGB[..., 0], "pgm")[0]).pixels, RGB[..., 0])


@pytest.mark.parametrize("pixels", [RGB, RGB[..., 0]], ids=["colour", "gray"])
def test_alpha_is_written_where_it_can_be_and_flattened_elsewhere(pixels):
    for name in ("png", "tiff"):
        picture = read_picture(written(pixels, name, ALPHA)[0])
        assert np.array_equal(picture.alpha, ALPHA)
        assert np.array_equal(picture.pixels, pixels)
    data, notes = written(pixels, "bmp", np.zeros((5, 7), np.uint8))
    assert (read_picture(data).pixels == 255).all()
    assert notes == ("BMP cannot hold transparency; the picture is put on white",)


def test_metadata_that_a_format_cannot_hold_is_named():
    assert written(RGB, "ppm", None, Metadata(xmp=XMP, icc=WIDE))[1] == (
        "PPM cannot hold icc, xmp",
        "colours are converted to sRGB, as their ICC profile is not kept",
    )


def test_an_unknown_format_lists_the_known_ones():
    with pytest.raises(UsageError, match="png, jpg"):
        picture_format("xyz")


def test_tiff_structure_is_not_taken_for_metadata():
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory[270] = "a description"
    assert read_picture(stored(RGB, "TIFF")).metadata.exif is None
    assert b"a description" in read_picture(stored(RGB, "TIFF", tiffinfo=directory)).metadata.exif
