"""Recognition in decoded scenes; stand-ins for the frozen networks, which are not shipped."""

import numpy as np
import pytest
import torch
from PIL import Image

from gccodec.benchmark import scenes
from gccodec.benchmark.avif import avif_within
from gccodec.codec.codec import Codec
from gccodec.errors import FileError
from gccodec.semantics.label_classes import fold_from
from tests.models import random_weights
from tests.paths import COFFEE

CAR, PAVEMENT, WINDOW, BUILDING = 13, 2, 8, 7
WIDTH, HEIGHT = 256, 192


class Brightness:
    """Judges a bright pixel to be a car and a dark one to be a pavement, in ADE20K's ids."""

    def __init__(self, path):
        fold = fold_from("ade20k", scenes.UNKNOWN_LABEL)
        self.car, self.pavement = (int(np.flatnonzero(fold == i)[0]) for i in (CAR, PAVEMENT))

    def labels(self, x, height, width):
        assert x.shape[-2:] == (height, width)
        return torch.where(x.mean(1) > 0.5, self.car, self.pavement)


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """The function under test, on two scenes with a bright lower half."""
    monkeypatch.setattr(scenes, "DeepLab", Brightness)
    monkeypatch.setattr(scenes, "EfficientNetLite", lambda path: lambda x: x.mean((2, 3)))
    monkeypatch.setattr(scenes, "AlexTrunk", lambda path: None)
    monkeypatch.setattr(scenes, "lpips", lambda trunk, x, y: (x - y).abs().mean((1, 2, 3)))
    for i in range(2):
        # not flat
        pixels = np.random.default_rng(i).integers(40, 80, (HEIGHT, WIDTH, 3)).astype(np.uint8)
        pixels[HEIGHT // 2 :] += 140
        Image.fromarray(pixels).save(tmp_path / f"{i}.bmp")
        ids = np.where(pixels[..., 0] > 127, CAR, PAVEMENT).astype(np.uint8)
        Image.fromarray(ids).save(tmp_path / f"{i}.png")

    def judge():
        codec = Codec(random_weights(selective=True))
        return {
            row.name: row
            for row in scenes.judge_scenes(codec, tmp_path, tmp_path, 0.5, None, effort=0)
        }

    return judge


def test_every_way_is_judged_and_coded_regions_cost_bits(judged):
    rows = judged()
    assert rows["original"].mean_iou == 1
    assert rows["original"].bpp == 24
    assert rows["AVIF"].mean_iou == 1
    equal = rows["SC road users, GC's quality"]
    assert rows["SC nothing, GC's quality"].bpp < equal.bpp < rows["GC"].bpp <= 0.5
    assert 0 < rows["GC, bits of SC road users"].bpp <= equal.bpp
    assert "GC, bits of SC nothing" not in rows  # these weights have no file so small
    assert equal.kept_psnr_db > 0
    assert 0 < equal.kept_bpp < rows["GC where SC keeps road users"].kept_bpp * 2
    assert np.isnan(rows["GC"].kept_bpp)
    assert np.isnan(rows["SC nothing, GC's quality"].kept_psnr_db)
    assert 0 <= rows["GC"].mean_iou < 1  # random weights give noise back


def test_classes_fold_into_their_parents():
    table = scenes._parents()
    assert table[WINDOW] == BUILDING
    assert table[CAR] == CAR
    assert table[255] == table[scenes.UNKNOWN_LABEL] == scenes.UNKNOWN_LABEL


def test_a_folder_without_scenes_is_refused(tmp_path):
    with pytest.raises(FileError, match="no picture with its label map"):
        list(scenes.read_scenes(tmp_path))


def test_avif_keeps_to_its_ceiling_halved_where_need_be():
    with Image.open(COFFEE) as image:
        image = image.convert("RGB").crop((0, 0, 200, 120))
    errors = []
    for ceiling in (500, 2500, 5000):  # the lowest quality takes about 550 bytes
        data, pixels = avif_within(image, ceiling)
        assert 0.5 * ceiling < len(data) <= ceiling
        assert pixels.shape == (120, 200, 3)
        errors.append(np.abs(pixels.astype(int) - np.asarray(image)).mean())
    assert errors[0] > errors[1] > errors[2]
    assert 1 < len(avif_within(image, 1)[0]) < 500


def test_what_comes_back_exactly_has_an_infinite_psnr():
    way = scenes._Way("exact")
    assert np.isnan(way._kept_psnr_db())
    way.samples = 3
    assert way._kept_psnr_db() == np.inf
    way.square_error = 3e-2
    assert way._kept_psnr_db() == pytest.approx(20)
