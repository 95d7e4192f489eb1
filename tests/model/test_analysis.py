"""What the encoder is shown."""

import torch

from gccodec.model.analysis import HIDDEN, blur_blocks, keep_mask_from_pixels, masked_input


def test_each_block_is_blurred_by_itself():
    x = torch.full((1, 3, 32, 48), 0.25)
    assert torch.allclose(blur_blocks(x), x)
    x[..., 16:, 16:32] = 0.75
    assert torch.allclose(blur_blocks(x), x)  # no block leaks into another
    noise = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    blurred = blur_blocks(noise)
    assert blurred.var() < 0.05 * noise.var()
    blocks = torch.stack([noise[0, 0, :16, :16], noise[0, 0, 16:32, :16]])[:, None]
    assert torch.allclose(blur_blocks(blocks[:1]), blurred[:1, :1, :16, :16])
    assert torch.allclose(blur_blocks(noise.flip(3)), blurred.flip(3), atol=1e-6)
    assert torch.allclose(blur_blocks(noise.transpose(2, 3)), blurred.transpose(2, 3), atol=1e-6)


def test_named_pixels_are_shown_their_positions_blurred_all_else_hidden():
    x = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    keep_pixels = torch.zeros(1, 1, 48, 64)
    keep_pixels[..., 20:40, 5:16] = 1
    keep = keep_mask_from_pixels(keep_pixels)
    assert keep[0, 0].tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    seen = masked_input(x, keep_pixels)
    assert torch.equal(seen[..., 20:40, 5:16], x[..., 20:40, 5:16])
    assert torch.equal(seen[..., 20:40, :5], blur_blocks(x)[..., 20:40, :5])
    assert torch.equal(seen[..., :16, :], torch.full((1, 3, 16, 64), HIDDEN))
    assert torch.equal(seen[..., 16:], torch.full((1, 3, 48, 48), HIDDEN))
    assert torch.equal(masked_input(x, torch.ones_like(keep_pixels)), x)
