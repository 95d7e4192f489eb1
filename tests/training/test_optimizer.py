"""Muon moves all directions of a kernel alike."""

import torch

from gccodec.training.optimizer import orthogonalized


def test_muons_update_moves_all_directions_alike():
    torch.manual_seed(0)
    update = (
        torch.randn(24, 5) @ torch.diag(torch.tensor([9.0, 3, 1, 0.5, 0.2])) @ torch.randn(5, 40)
    )
    singular = torch.linalg.svdvals(orthogonalized(update))[:5]
    assert singular.min() > 0.3
    assert singular.max() < 1.5
    assert torch.allclose(orthogonalized(update.T), orthogonalized(update).T, atol=1e-4)
