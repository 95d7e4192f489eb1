"""A renderer beside the teacher on photographs held out."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from gccodec.training.stages import renderer as stage_renderer
from tests.training.stand_ins import RENDER_PRESET, OnlyPixels


def test_a_renderer_is_compared_with_the_teacher_on_photographs_held_out(
    renderer_stage, dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr(stage_renderer, "AlexTrunk", lambda path: OnlyPixels())
    run = renderer_stage("alike", dataclasses.replace(RENDER_PRESET, renderer=RENDER_PRESET.model))
    figures = run.compare(0.35)
    assert figures.held_out_lpips_alex == pytest.approx(figures.teacher_lpips_alex, rel=1e-3)
    assert figures.held_out_psnr_db == pytest.approx(figures.teacher_psnr_db, abs=0.01)
    with Image.open(tmp_path / "alike" / "samples.png") as image:
        assert image.size == (3 * RENDER_PRESET.tile_px, RENDER_PRESET.tile_px)
    assert np.isnan(run.interim_figures(due=False)["held_out_lpips_alex"])
    light = renderer_stage("light").compare(0.35)
    assert light.teacher_lpips_alex == pytest.approx(figures.teacher_lpips_alex)
    assert light.held_out_lpips_alex != pytest.approx(figures.held_out_lpips_alex, rel=1e-2)
