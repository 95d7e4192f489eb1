import numpy as np
import torch
from PIL import Image

from gccodec.codec.codec import Codec
from gccodec.codec.strip import MANY_STRIPS, pixels_per_strip, to_strips
from gccodec.image.picture import Picture
from tests.models import random_weights


def test_threads_share_the_strips_of_large_pictures():
    assert pixels_per_strip(1000, 1, 1 << 20) == 1000
    assert pixels_per_strip(1000, 2, 1 << 20) == 500
    assert pixels_per_strip(1000, 2, MANY_STRIPS * 1000) == 1000


def test_strips_are_whole_rows_of_latents_and_make_up_the_picture():
    pixels = np.random.default_rng(0).integers(0, 256, (70, 50, 3), np.uint8)
    strips = list(to_strips(Image.fromarray(pixels), 64 * 32))
    assert [tuple(strip.shape) for strip in strips] == [(1, 3, 32, 64)] * 2 + [(1, 3, 16, 64)]
    whole = (torch.cat(strips, 2)[0, :, :70, :50].permute(1, 2, 0) * 255).round().byte().numpy()
    assert np.array_equal(whole, pixels)


def test_both_directions_are_the_same_to_the_bit_with_strips_that_threads_share():
    picture = Picture.of(np.random.default_rng(1).integers(0, 256, (400, 64, 3), np.uint8))
    made = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            codec = Codec(random_weights(), strip_pixels=64 * 64)
            data = codec.encode(picture, quality=300, effort=0).data
            made.append((data, codec.decode(data).pixels.tobytes()))
    finally:
        torch.set_num_threads(before)
    assert made[0] == made[1]
