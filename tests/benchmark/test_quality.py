"""`gccodec bench` with networks of made-up weights: every column is measured."""

import pytest
import torch
from safetensors.numpy import save_file

from gccodec.metrics.nets import conversion
from tests.batch.conftest import picture
from tests.cli.program import run
from tests.metrics import patterns
from tests.metrics.nets import checkpoints


@pytest.fixture
def nets(tmp_path):
    """What `bench` measures with."""
    folder = tmp_path / "nets"
    folder.mkdir()
    torch.save(patterns.alexnet(), tmp_path / "alex.pth")
    heads = {"lpips/weights/v0.1/alex.pth": patterns.heads(checkpoints.ALEX_WIDTHS)}
    wheel = checkpoints.wheel(tmp_path / "lpips.whl", heads)
    alex = conversion.lpips_alex([tmp_path / "alex.pth", wheel])
    torch.save(checkpoints.efficientnet(), tmp_path / "lite0.pth")
    for name, tensors in (
        ("lpips_alex", alex),
        ("stlpips_alex", alex),
        ("effnet_lite0", conversion.effnet_lite0([tmp_path / "lite0.pth"])),
    ):
        save_file(tensors, folder / f"{name}.safetensors")
    return folder


def test_a_row_a_picture_and_the_means(nets, tiny, tmp_path):
    for i in range(2):
        picture(i, (192, 128)).save(tmp_path / f"{i}.png")
    table = tmp_path / "table.tsv"
    options = ["--nets", nets, "--bpp", 1, "--effort", 0, "--avif", "--table", table]
    done = run("bench", "--pictures", tmp_path, *options, weights=tiny)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    heads = next(row for row in rows if "bpp" in row)
    at = rows.index(heads)
    values = [dict(zip(heads, row, strict=True)) for row in rows[at + 1 :]]
    assert len(values) >= 2
    assert all(float(row["bpp"]) <= 1 for row in values)
    assert b"lpips" in done.stdout.lower()
    assert b"avif" in done.stdout.lower()
