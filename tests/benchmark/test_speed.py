"""Times beside what this machine allows, and beside another source tree."""

from pathlib import Path

import pytest
import torch

from gccodec.benchmark.floor import OPERATIONS_PER_MAC, convolution_rate, floor_seconds, stacks
from gccodec.benchmark.side_by_side import WORKS, side_by_side
from gccodec.errors import UsageError
from gccodec.model.analysis import Analysis
from gccodec.model.generator import Generator
from gccodec.training.preset import load_preset
from tests.paths import COFFEE

TREE = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", [Analysis, Generator])
def test_the_floor_counts_the_operations_of_all_stacks(kind):
    network, threads = kind(load_preset("tiny").model), torch.get_num_threads()
    seconds = convolutions = 0
    for name, places in (("coarse", 1), ("mid", 4), ("fine", 16)):
        for block in getattr(network, name).blocks:
            for convolution in (block.conv1, block.conv2):
                rate = convolution_rate(convolution.out_channels, threads)
                seconds += OPERATIONS_PER_MAC * places * convolution.weight.numel() / rate
                convolutions += 1
    assert floor_seconds(network, 256 * 100) == pytest.approx(100 * seconds)
    assert sum(count for *_, count in stacks(network)) == convolutions


def test_two_source_trees_work_in_turns(tmp_path):
    found = list(side_by_side(TREE, COFFEE, (192, 128), 1, 1))
    assert [comparison.work for comparison in found] == list(WORKS)
    assert all(min(comparison[1:]) > 0 for comparison in found)
    (tmp_path / "gccodec").mkdir()
    (tmp_path / "gccodec" / "__init__.py").write_text("raise ImportError")
    with pytest.raises(UsageError, match="the other source tree failed"):
        list(side_by_side(tmp_path, COFFEE, (192, 128), 1, 1))
