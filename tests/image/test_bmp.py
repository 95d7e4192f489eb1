"""BMP files of 16 and 32 bits a pixel, by masks."""

import struct

import numpy as np
import pytest

from gccodec.errors import PictureError, UsageError
from gccodec.image.mode import DENIED_ALPHA_NOTE
from gccodec.image.reader import read_picture

RNG = np.random.default_rng(8)
SAMPLES = RNG.random((5, 7, 4))
"""Red, green, blue, alpha in 0..1, of an odd width."""


def bmp(words, bits, compression, masks, header_bytes=40, top_down=False, reserved=0):
    """words [H, W], the upper row first; masks stand in the header or behind it."""
    height, width = words.shape
    rows = words.astype(f"<u{bits // 8}")
    stride = -(-width * bits // 32) * 4
    data = b"".join(
        row.tobytes().ljust(stride, b"\0") for row in (rows if top_down else rows[::-1])
    )
    table = struct.pack(f"<{len(masks)}I", *masks)
    size = -height if top_down else height
    head = (
        struct.pack(
            "<IiiHHIIiiII", header_bytes, width, size, 1, bits, compression, len(data), 0, 0, 0, 0
        )
        + table
    )
    head = head.ljust(header_bytes, b"\0")
    start = 14 + len(head)
    return struct.pack("<2sIII", b"BM", start + len(data), reserved, start) + head + data


def packed(masks):
    """SAMPLES as words by these masks, and what is shown of them."""
    words, shown = np.zeros(SAMPLES.shape[:2], np.int64), []
    for i, mask in enumerate(masks):
        lowest = mask & -mask
        values = np.rint(SAMPLES[..., i] * (mask // lowest)).astype(np.int64)
        words |= values * lowest
        shown.append(np.rint(values * 255 / (mask // lowest)))
    return words, np.stack(shown, -1)


@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0xF800, 0x7E0, 0x1F)),
        (16, (0x7C00, 0x3E0, 0x1F)),
        (16, (0x1F, 0x3E0, 0x7C00)),
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (32, (0xFF0000, 0xFF00, 0xFF)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
        (32, (0x3FF, 0xFFC00, 0x3FF00000, 0xC0000000)),
    ],
)
def test_channels_are_where_their_masks_say(bits, masks, top_down):
    words, shown = packed(masks)
    has_alpha = len(masks) == 4
    files = [bmp(words, bits, 6 if has_alpha else 3, masks, 40, top_down)]
    if has_alpha:
        files += [bmp(words, bits, 3, masks, size, top_down) for size in (56, 108, 124)]
    for data in files:
        picture = read_picture(data)
        assert np.array_equal(picture.pixels, shown[..., :3])
        assert picture.notes == ()
        if has_alpha:
            assert np.array_equal(picture.alpha, shown[..., 3])
            with pytest.raises(UsageError, match="transparency"):
                read_picture(data, alpha="refuse")


@pytest.mark.parametrize("bits", [16, 32])
@pytest.mark.parametrize("header_bytes", [40, 108])
def test_bits_that_no_mask_claims_are_no_alpha_and_named(bits, header_bytes):
    default = (0x7C00, 0x3E0, 0x1F, 0x8000) if bits == 16 else (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    words, shown = packed(default)
    picture = read_picture(bmp(words, bits, 0, default if header_bytes > 40 else (), header_bytes))
    assert np.array_equal(picture.pixels, shown[..., :3])
    assert (picture.alpha, picture.notes) == (None, (DENIED_ALPHA_NOTE,))


def test_reserved_bytes_mean_nothing():
    words, shown = packed((0xF800, 0x7E0, 0x1F))
    data = bmp(words, 16, 3, (0xF800, 0x7E0, 0x1F), reserved=0x01020304)
    assert np.array_equal(read_picture(data).pixels, shown)


def test_a_file_that_ends_too_early_is_damaged():
    masks = (0xF800, 0x7E0, 0x1F)
    data = bmp(packed(masks)[0], 16, 3, masks)
    read_picture(data[:-2])  # the padding of the last row alone
    with pytest.raises(PictureError, match="damaged"):
        read_picture(data[:-3])
