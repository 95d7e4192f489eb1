"""What the adversaries are paid for; a stand-in for the frozen trunk, which is not shipped."""

import pytest
import torch
import torch.nn.functional as F

from gccodec.model.config import LABEL_CLASSES
from gccodec.training import discriminator as module
from gccodec.training.discriminator import (
    Discriminator,
    Judgement,
    discriminator_loss,
    generator_loss,
)
from gccodec.training.preset import load_preset

LABELS = torch.tensor([[[3, 7], [LABEL_CLASSES, 3]]])
FAKE = torch.full_like(LABELS, LABEL_CLASSES)


def logits(classes):
    """Sure of these classes."""
    return 9.0 * F.one_hot(classes, LABEL_CLASSES + 1).permute(0, 3, 1, 2).float()


def judged(score, classes=None):
    return Judgement(
        [torch.full((1, 1, 2, 2), float(score))], [], None if classes is None else logits(classes)
    )


@pytest.mark.parametrize("kind", ["hinge", "least-squares"])
def test_the_discriminator_pays_for_mistakes_and_the_generator_for_being_found_out(kind):
    good = discriminator_loss(judged(1), judged(-1 if kind == "hinge" else 0), kind, LABELS)
    bad = discriminator_loss(judged(-1), judged(1), kind, LABELS)
    assert good == 0
    assert bad > 1
    assert generator_loss(judged(1), kind, LABELS) < generator_loss(judged(-1), kind, LABELS)


def test_the_semantic_head_names_real_patches_and_tells_fakes():
    right = discriminator_loss(judged(1, LABELS), judged(-1, FAKE), "hinge", LABELS)
    fooled = discriminator_loss(judged(1, LABELS), judged(-1, LABELS), "hinge", LABELS)
    wrong = discriminator_loss(judged(1, FAKE), judged(-1, FAKE), "hinge", LABELS)
    assert right < 0.01 < min(fooled, wrong)
    assert generator_loss(judged(0, LABELS), "hinge", LABELS) < generator_loss(
        judged(0, FAKE), "hinge", LABELS
    )


def test_cells_of_unknown_class_are_not_judged():
    some = torch.where(LABELS == LABEL_CLASSES, 5, LABELS)
    assert torch.equal(
        generator_loss(judged(0, some), "hinge", LABELS),
        generator_loss(judged(0, LABELS), "hinge", LABELS),
    )
    assert generator_loss(judged(0, FAKE), "hinge", FAKE) == 0


class Trunk(torch.nn.Module):
    """Maps of the right shapes at the right strides."""

    def __init__(self, path):
        super().__init__()

    def stages(self, x):
        maps = {}
        for stage, channels, stride in zip(
            module.TAPPED_STAGES, module.TAPPED_CHANNELS, (4, 8, 16, 32), strict=True
        ):
            maps[stage] = F.avg_pool2d(x, stride).mean(1, keepdim=True).expand(-1, channels, -1, -1)
        return maps


@pytest.mark.parametrize("semantic", [False, True])
def test_all_adversaries_reach_the_picture(semantic, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "EfficientNetLite", Trunk)
    config = load_preset("tiny").model
    adversaries = Discriminator(config, 4, tmp_path, semantic)
    x, latent = (
        torch.rand(1, 3, 64, 96, requires_grad=True),
        torch.randn(1, config.latent_channels, 4, 6),
    )
    judgement = adversaries(x, latent)
    assert len(judgement.logits) == module.SCALES + len(module.TAPPED_STAGES)
    labels = torch.randint(0, LABEL_CLASSES, (1, 8, 12))
    if semantic:
        assert judgement.classes.shape == (1, LABEL_CLASSES + 1, 8, 12)
    else:
        assert judgement.classes is None
    (gradient,) = torch.autograd.grad(generator_loss(judgement, "hinge", labels), x)
    assert gradient.abs().min() > 0
