"""CUDA graphs of a training step: thousands of small kernels, replayed faster than Python could
launch them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch.utils._pytree import tree_map


class StepGraphs:
    """A function of (tree of host tensors, shapes), captured once for each `shapes` and then
    replayed.

    The first call with some shapes runs as it is, so that libraries choose their kernels; the
    second is captured. What a replay returns lies where the next one writes.
    """

    def __init__(self, function: Callable[[Any, Hashable], Any], device: torch.device) -> None:
        """`function` takes tensors on the device."""
        self.function, self.device = function, device
        self.inputs: Any = None
        self.warm: set[Hashable] = set()
        self.captured: dict[Hashable, tuple[torch.cuda.CUDAGraph, Any]] = {}
        self.stream, self.pool = torch.cuda.Stream(device), torch.cuda.graph_pool_handle()

    def __call__(self, tensors: Any, shapes: Hashable) -> Any:
        """The result of the function for tensors of the host."""
        if self.inputs is None:
            self.inputs = tree_map(lambda t: t.to(self.device), tensors)
        else:  # a graph reads where it read when it was captured
            tree_map(lambda to, t: to.copy_(t, non_blocking=True), self.inputs, tensors)
        if shapes not in self.warm:
            return self._warmed(shapes)
        if shapes not in self.captured:
            graph = torch.cuda.CUDAGraph()
            # readers pin memory meanwhile
            with torch.cuda.graph(graph, self.pool, capture_error_mode="thread_local"):
                outputs = self.function(self.inputs, shapes)
            self.captured[shapes] = graph, outputs
        graph, outputs = self.captured[shapes]
        graph.replay()
        return outputs

    def _warmed(self, shapes: Hashable) -> Any:
        """Run the function as it is, on a stream of its own, as captures are."""
        self.warm.add(shapes)
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            outputs = self.function(self.inputs, shapes)
        current.wait_stream(self.stream)
        return outputs
