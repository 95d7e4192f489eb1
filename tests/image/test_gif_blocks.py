"""The first picture of a GIF file, and what follows it."""

import io

import numpy as np
import pytest
from PIL import Image

from gccodec.errors import PictureError
from gccodec.image.gif_blocks import first_picture
from gccodec.image.reader import CUT_NOTE, read_picture

PIXELS = np.kron(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10, np.ones((8, 8), np.uint8))
COUNT = 3


def animation(**options):
    out = io.BytesIO()
    frames = [
        Image.fromarray(PIXELS).convert("P"),
        *(Image.fromarray(PIXELS + i).convert("P") for i in range(1, COUNT)),
    ]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"disposal": 2}, {"disposal": 3}, {"transparency": 0}, {"comment": b"x" * 600}]
)
def test_the_first_picture_is_as_pillow_shows_it(options):
    data = animation(**options)
    with Image.open(io.BytesIO(data)) as image:
        theirs, frames = image.convert("RGBA"), image.n_frames
    gif = first_picture(io.BytesIO(data))
    assert (gif.frames, gif.cut) == (frames, False)
    with Image.open(gif.first) as image:
        assert image.n_frames == 1
        assert np.array_equal(image.convert("RGBA"), theirs)
    assert read_picture(data).notes[0] == f"only the first of {COUNT} frames is kept"


def test_damage_behind_the_first_picture_costs_nothing():
    data = animation()
    second = data.index(b"\x2c", data.index(b"\0\x21\xf9", 20))
    for end in (second + 3, second + 14, len(data) - 10):
        picture = read_picture(data[:end])
        assert np.array_equal(picture.pixels[..., 0], PIXELS)
        assert CUT_NOTE in picture.notes


def test_a_missing_trailer_is_nothing_to_speak_of():
    picture = read_picture(animation()[:-1])
    assert picture.notes == (f"only the first of {COUNT} frames is kept",)


def test_bytes_between_blocks_are_passed_over():
    data = animation()
    at = data.index(b"\x21\xf9")
    assert np.array_equal(read_picture(data[:at] + b"\0\1" + data[at:]).pixels[..., 0], PIXELS)


def test_a_picture_beyond_the_screen_is_seen_in_full():
    data = bytearray(animation())
    data[6:10] = b"\x04\0\x04\0"
    assert np.array_equal(read_picture(bytes(data)).pixels[..., 0], PIXELS)


def test_a_gif_without_a_whole_picture_is_damaged():
    data = animation()
    for end in (10, 13, 40, data.index(b"\x2c") + 5, data.index(b"\x2c") + 40):
        with pytest.raises(PictureError, match="damaged"):
            read_picture(data[:end])
