"""Graphics are held exactly where that is small enough, and come back so without a model."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from gccodec.codec import lossless
from gccodec.codec.codec import Codec
from gccodec.codec.goal import MIN_WISHED_BYTES
from gccodec.codec.lossless import decode_lossless, is_transparent, lossless_file
from gccodec.container.file import NO_MODEL, metadata_bytes, overhead_bytes, parse, serialize
from gccodec.container.section import Section, SectionId
from gccodec.errors import LimitError, SectionError, UsageError
from gccodec.image.metadata import Metadata
from gccodec.image.picture import Picture
from gccodec.image.reader import read_picture
from gccodec.semantics.region import Region
from gccodec.semantics.selection import Selection
from tests.golden.cases import graphics
from tests.models import random_weights
from tests.paths import GOLDEN

CODEC = Codec(random_weights())
NOISE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8)


def flat(width, height, colour):
    return Picture(Image.new("L" if isinstance(colour, int) else "RGB", (width, height), colour))


def drawn(width, height, mode, draw):
    image = Image.new(mode, (width, height), "white")
    draw(ImageDraw.Draw(image))
    return Picture(image)


def icon():
    return drawn(
        48,
        48,
        "RGB",
        lambda d: (d.rectangle((0, 0, 47, 47), "red"), d.ellipse((12, 12, 36, 36), "white")),
    )


def screenshot():
    return drawn(
        200,
        120,
        "RGB",
        lambda d: d.multiline_text((4, 4), "File  Edit  View\nOpen...\nClose", "black"),
    )


def line_art():
    return drawn(
        150, 150, "L", lambda d: [d.line((0, 10 * i, 149, 149 - 10 * i), 0) for i in range(15)]
    )


def gradient(mode="RGB"):
    return Picture(Image.linear_gradient("L").resize((256, 64)).convert(mode))


def cutout():
    """A red disc whose border is soft, on nothing."""
    y, x = np.mgrid[:60, :80]
    alpha = np.clip(4 * (25 - np.hypot(x - 40, y - 30)) * 32, 0, 255).astype(np.uint8)
    return Picture.of(np.where(alpha[..., None] > 0, np.uint8([200, 0, 40]), NOISE[:1, :1]), alpha)


def assert_exact(picture, decoded):
    assert decoded.file.coding == "lossless"
    shown = slice(None) if picture.alpha is None else picture.alpha > 0
    assert decoded.image.mode == ("L" if picture.gray else "RGB") + (
        "" if picture.alpha is None else "A"
    )
    assert np.array_equal(decoded.pixels[shown], picture.pixels[shown])
    assert (decoded.alpha is None and picture.alpha is None) or np.array_equal(
        decoded.alpha, picture.alpha
    )


@pytest.mark.parametrize(
    "picture",
    [
        flat(1, 1, "white"),
        flat(1, 70, "white"),
        flat(333, 217, "white"),
        flat(600, 400, "black"),
        flat(64, 64, 0),
        flat(500, 3, 255),
        flat(48, 48, (255, 0, 0)),
        icon(),
        gradient(),
        gradient("L"),
        drawn(
            64,
            64,
            "RGB",
            lambda d: [d.rectangle((8 * i, 0, 8 * i + 7, 63), (32 * i, 90, 255)) for i in range(8)],
        ),
        Picture.of(np.zeros((40, 40, 3), np.uint8), np.tri(40, dtype=np.uint8) * 200),
        Picture.of(np.full((40, 40), 9, np.uint8), np.tri(40, dtype=np.uint8) * 255),
    ],
    ids=lambda p: f"{p.image.mode} {p.image.size}",
)
def test_flat_colour_icons_and_gradients_are_exact_by_default(picture):
    encoded = CODEC.encode(picture, effort=0)
    assert (encoded.coding, encoded.quality, encoded.below_target) == ("lossless", 0, False)
    assert_exact(picture, Codec(random_weights(1)).decode(encoded.data))


@pytest.mark.parametrize("picture", [screenshot(), line_art()], ids=["text", "lines"])
def test_graphics_are_exact_where_the_ceiling_allows_it_and_only_there(codec, picture):
    size = len(lossless_file(picture, 10_000, False))
    assert_exact(picture, CODEC.decode(codec.encode(picture, size_bytes=size, effort=0).data))
    assert codec.encode(picture, size_bytes=size - 1, effort=0).coding == "generative"


def test_a_fixed_quality_is_replaced_by_a_file_that_is_no_larger():
    high = CODEC.encode(Picture.of(NOISE), quality=1000, effort=0)
    assert high.coding == "generative"
    assert len(lossless_file(Picture.of(NOISE), 10**6, False)) > len(high.data)
    same = CODEC.encode(icon(), quality=1000, effort=0)
    assert same.coding == "lossless"
    assert_exact(icon(), CODEC.decode(same.data))


def test_the_exact_file_is_named_where_it_is_the_smallest():
    """Noise in the tiny model's file takes more than the exact picture of a few colours."""
    tiles = Picture.of(np.kron(NOISE[:6, :8] // 128 * 128, np.ones((32, 32, 1), np.uint8)))
    exact = len(lossless_file(tiles, 10**6, False))
    with pytest.raises(UsageError, match=f"has {exact} bytes .*the exact picture takes"):
        CODEC.encode(tiles, size_bytes=exact - 1, effort=0)


def test_a_cutout_that_is_exact_says_how_to_leave_its_alpha_out():
    picture = cutout()
    exact = len(lossless_file(picture, 10**6, False))
    with pytest.raises(
        UsageError, match=f"has {exact} bytes .*the exact picture takes .*; --alpha drop, or --bpp"
    ):
        CODEC.encode(picture, size_bytes=exact - 1, effort=0)


def test_with_a_selection_or_on_demand_the_model_is_used():
    keep = np.ones((3, 3), bool)
    assert (
        CODEC.encode(icon(), quality=500, selection=Selection(keep, None, 0), effort=0).coding
        == "region"
    )
    assert CODEC.encode(icon(), selection=Selection(keep, None, 0), effort=0).coding == "region"
    assert CODEC.encode(icon(), lossless=False, effort=0).coding == "generative"


def test_photographs_are_generated(codec, coffee):
    crop = Picture.of(coffee.pixels[100:196, 100:228])
    assert codec.encode(crop, size_bytes=2000, effort=0).coding == "generative"
    assert codec.encode(crop, effort=0).coding == "generative"


def test_effort_does_not_matter_and_needs_nothing():
    assert (
        CODEC.encode(icon(), effort=9)
        == CODEC.encode(icon(), effort=None)
        == CODEC.encode(icon(), effort=0)
    )
    with pytest.raises(UsageError, match="effort 10"):
        CODEC.encode(icon(), effort=10)


def test_colour_that_nobody_sees_does_not_survive():
    picture = cutout()
    assert (picture.pixels[0, 0] == NOISE[0, 0]).all()
    assert (
        CODEC.decode(lossless_file(picture, 10**6, False)).pixels[picture.alpha == 0] == 0
    ).all()
    long = Picture.of(
        np.full((1, 16_384, 3), 77, np.uint8), np.arange(16_384, dtype=np.uint8)[None]
    )
    decoded = CODEC.decode(lossless_file(long, 10**6, False))
    assert_exact(long, decoded)
    assert (decoded.pixels[long.alpha == 0] == 0).all()


def test_full_alpha_is_no_alpha():
    picture = icon()._replace(alpha=np.full((48, 48), 255, np.uint8))
    assert_exact(icon(), CODEC.decode(CODEC.encode(picture, effort=0).data))


def test_the_file_names_no_model_and_its_framing_is_small():
    file = parse(CODEC.encode(icon(), effort=0).data)
    assert (file.model_id, file.quality, file.symbol_digest, file.payload) == (NO_MODEL, 0, 0, b"")
    assert [section.id for section in file.sections] == [SectionId.LOSSLESS]
    assert overhead_bytes(file) <= 24 + 6
    largest = dataclasses.replace(file, width=65_535, height=65_535)
    assert overhead_bytes(largest) <= 23 + 9


def test_metadata_is_kept_beside_the_ceiling_or_under_it():
    metadata = Metadata(exif=b"II*\0" + bytes(range(200)), xmp=b"<x/>")
    picture = icon()._replace(metadata=metadata)
    bare = len(lossless_file(icon(), 10_000, False))
    beside = CODEC.encode(picture, size_bytes=bare, effort=0)
    assert CODEC.decode(beside.data).metadata == metadata
    assert len(beside.data) - metadata_bytes(parse(beside.data)) == bare
    assert (
        CODEC.encode(picture, size_bytes=len(beside.data), count_metadata=True, effort=0).data
        == beside.data
    )
    assert (
        CODEC.encode(picture, size_bytes=len(beside.data) - 1, count_metadata=True, effort=0).coding
        == "generative"
    )


@pytest.mark.parametrize("picture", [screenshot(), cutout(), line_art()], ids=["RGB", "RGBA", "L"])
def test_a_region_is_cut_out_and_strips_make_up_the_whole(picture, monkeypatch):
    data = lossless_file(picture, 10_000, False)
    whole, part = CODEC.decode(data), CODEC.decode(data, region=Region(20, 11, 33, 30))
    assert np.array_equal(np.asarray(part.image), np.asarray(whole.image)[11:41, 20:53])
    monkeypatch.setattr(lossless, "STRIP_PIXELS", 1000)
    decoding = CODEC.decode_strips(data)
    strips = [np.asarray(strip) for strip in decoding.strips]
    assert len(strips) > 3
    assert np.array_equal(np.concatenate(strips), np.asarray(whole.image))
    with pytest.raises(UsageError, match="not within"):
        CODEC.decode(data, region=Region(0, 0, 1000, 1))


def test_a_large_picture_read_in_strips_is_exact_too(monkeypatch):
    """White with a mark: PNG in, PNG inside, never held as a whole by the encoder."""
    image = Image.new("L", (3000, 2900), 255)
    image.paste(17, (2000, 1400, 2100, 1500))
    png = io.BytesIO()
    image.save(png, "PNG")
    monkeypatch.setattr("gccodec.image.reader.STREAMED_PIXELS", 1 << 23)
    picture = read_picture(png)
    assert picture.streamed
    encoded = CODEC.encode(picture, effort=0)
    body = parse(encoded.data).sections[0].body
    assert body.startswith(b"\x89PNG")
    decoded = CODEC.decode(encoded.data).image
    assert decoded.mode == "L"
    assert decoded.tobytes() == image.tobytes()


def with_body(body, gray=False, size=(48, 48)):
    file = parse(CODEC.encode(icon(), effort=0).data)
    sections = (Section(int(SectionId.LOSSLESS), body),)
    return parse(
        serialize(
            dataclasses.replace(file, width=size[0], height=size[1], gray=gray, sections=sections)
        )
    )


def saved(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def test_a_body_of_another_kind_or_size_is_refused():
    image, body = icon().image, parse(CODEC.encode(icon(), effort=0).data).sections[0].body
    with pytest.raises(SectionError, match="48x48, expected 48x47"):
        CODEC.decode(serialize(with_body(body, size=(48, 47))))
    for broken in (
        b"",
        b"junk",
        body[: len(body) // 2],
        saved(image, "JPEG"),
        saved(image, "GIF"),
        saved(image, "BMP"),
    ):
        with pytest.raises(SectionError, match="cannot be read"):
            decode_lossless(with_body(broken), Region(0, 0, 48, 48))
    frames = {"save_all": True, "append_images": [Image.new("RGB", (48, 48), "blue")]}
    for wrong in (
        saved(image, "WEBP", lossless=True, **frames),
        saved(image, "PNG", **frames),
        saved(image, "PNG", transparency=(255, 0, 0)),
        saved(image.convert("P"), "PNG"),
        saved(Image.new("I;16", (48, 48)), "PNG"),
    ):
        with pytest.raises(SectionError, match="section lossless: .*allowed"):
            decode_lossless(with_body(wrong), Region(0, 0, 48, 48))


def test_the_size_is_compared_before_pixels_are_decoded(monkeypatch):
    huge = with_body(saved(Image.new("RGB", (4000, 3000)), "PNG"))
    monkeypatch.setattr(
        "PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("pixels were decoded")
    )
    with pytest.raises(SectionError, match="4000x3000"):
        decode_lossless(huge, Region(0, 0, 48, 48))


def test_channels_follow_the_gray_flag():
    odd = Image.new("RGB", (48, 48), (10, 20, 30))
    gray = decode_lossless(with_body(saved(odd, "PNG"), gray=True), Region(0, 0, 48, 48))
    assert next(gray.strips).getextrema() == (20, 20)
    colour = decode_lossless(
        with_body(saved(Image.new("LA", (48, 48), (7, 9)), "PNG")), Region(0, 0, 48, 48)
    )
    strip = next(colour.strips)
    assert strip.mode == "RGBA"
    assert strip.getpixel((0, 0)) == (7, 7, 7, 9)


def test_what_else_the_body_says_is_ignored():
    body = saved(icon().image, "PNG", icc_profile=b"profile", dpi=(300, 300))
    decoded = CODEC.decode(serialize(with_body(body)))
    assert decoded.image.info == {}
    assert decoded.metadata == Metadata()


def test_alpha_is_known_without_pixels(monkeypatch):
    files = [parse(CODEC.encode(p, effort=0).data) for p in (graphics(), icon())]
    monkeypatch.setattr(
        "PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("pixels were decoded")
    )
    assert [is_transparent(file) for file in files] == [True, False]


def test_more_memory_than_allowed_is_refused():
    file = parse(CODEC.encode(flat(600, 400, "white"), effort=0).data)
    with pytest.raises(
        LimitError, match="memory limit: 1000 bytes, this picture of 240000 pixels needs"
    ):
        decode_lossless(file, Region(0, 0, 600, 400), 1000)
    assert decode_lossless(file, Region(0, 0, 600, 400), 1 << 27).size == (600, 400)


def test_the_golden_file_decodes_to_the_same_pixels():
    data = (GOLDEN / "lossless.gcz").read_bytes()
    assert len(data) <= MIN_WISHED_BYTES
    assert_exact(graphics(), CODEC.decode(data))
