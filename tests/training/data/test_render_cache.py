"""Renders follow from their number alone; what is cut of them is of one place."""

import dataclasses

import numpy as np
import torch

from gccodec.model.autoencoder import Autoencoder
from gccodec.training.data.render_cache import Rectangle, RenderCache
from gccodec.training.initialization import initialize_from_weights
from tests.models import whole_weights
from tests.training.stand_ins import CPU, RENDER_PRESET


def test_pictures_latents_and_labels_of_a_part_are_of_one_place(renderer_stage, dataset):
    run = renderer_stage(
        preset=dataclasses.replace(
            RENDER_PRESET, label_share=1.0, mask_share=1.0, faithful_share=0.0
        )
    )
    run.renders.make(3, CPU)
    whole, part = Rectangle(slice(0, 8), slice(0, 8)), Rectangle(slice(1, 6), slice(2, 7))
    all_of, some = run.renders.crops([0, 2], whole, whole), run.renders.crops([0, 2], part, part)
    rows, columns = slice(16, 96), slice(32, 112)
    assert torch.equal(some.photo, all_of.photo[..., rows, columns])
    assert torch.equal(some.teacher, all_of.teacher[..., rows, columns])
    assert torch.equal(some.y_hat, all_of.y_hat[..., 1:6, 2:7])
    assert torch.equal(some.given_labels, all_of.given_labels[..., 2:12, 4:14])
    assert torch.equal(some.roi_cells, all_of.roi_cells[..., 2:12, 4:14])
    assert 0 < float(all_of.roi_cells.mean()) < 1
    plan = run.renders.plan(2)
    assert torch.equal(all_of.photo[1], dataset.crops([plan.window], RENDER_PRESET.tile_px)[0])
    codec = Autoencoder(RENDER_PRESET.model)
    initialize_from_weights(codec, whole_weights())
    codec.context.quantized = True
    named = (
        torch.from_numpy(plan.roi_cells)[None, None]
        .float()
        .repeat_interleave(8, 2)
        .repeat_interleave(8, 3)
    )
    dials = torch.tensor([plan.quality]), torch.tensor([1.0])
    with torch.no_grad():
        expected = codec.eval()(
            all_of.photo[1:] / 255, *dials, named, all_of.given_labels[1:]
        ).x_hat.clamp(0, 1)
    # one of them rounds to bfloat16
    assert float((all_of.teacher[1:] / 255 - expected).abs().mean()) < 0.01


def test_a_render_follows_from_its_number_alone(renderer_stage, dataset, tmp_path):
    run = renderer_stage()
    run.renders.make(6, CPU)
    again = RenderCache(dataset, run.renders.labels, whole_weights(), RENDER_PRESET, tmp_path)
    again.make(6, CPU)
    assert np.array_equal(run.renders.records[:6], again.records[:6])
    assert len({record["quality"] for record in again.records[:6]}) == 6
    more = dataclasses.replace(RENDER_PRESET, renders=RENDER_PRESET.renders + 1)
    kept = RenderCache(dataset, run.renders.labels, whole_weights(), more, tmp_path)
    assert np.array_equal(run.renders.records[:6], kept.records[:6])
    assert kept.records["made"].tolist() == [1] * 6 + [0] * (RENDER_PRESET.renders - 5)
