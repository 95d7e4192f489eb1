"""Ranges of a generator's activations for tests."""

import torch

from gccodec.model.ranges import ranges_of
from gccodec.training.ranges import RangeMeter, range_arrays
from gccodec.weights.file import WeightsFile


def ranges_for(generator, latents, realism):
    """As a file would hold what a meter finds on some latents, at every quality node."""
    nodes = []
    for node in range(generator.nodes):
        meter = RangeMeter(generator)
        for y_hat in latents:
            generator(y_hat, torch.tensor([node / (generator.nodes - 1)]), realism)
        meter.close()
        nodes.append(meter.found)
    return ranges_of(WeightsFile("renderer", range_arrays(nodes), "{}", b""), generator)
