"""A resumable training run: the loop that every stage shares."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gccodec.training import checkpoint
from gccodec.training.average import RunningAverage
from gccodec.training.data.augment_colour import drawn_colour, with_colour
from gccodec.training.data.augment_noise import drawn_grain, with_grain
from gccodec.training.data.dataset import PhotoStore, Window
from gccodec.training.distributed import average_gradients, rank, world_size
from gccodec.training.graph import StepGraphs
from gccodec.training.optimizer import MuonAdamW
from gccodec.training.preset import Preset

COOLDOWN_SHARE = 0.5
WARMUP_STEPS = 50
GRADIENT_NORM_LIMIT = 1.0
REPORT_EVERY_STEPS = 50
STOP_FILE = "STOP"
"""While it lies beside the state, runs end, state saved."""

READERS = 8
"""Batches that are cropped and scaled ahead, each in a thread of its own, so that a GPU need not
wait."""

FOCUS = (0.05, 0.75)
"""Qualities at which files have 0.025 to 0.15 bpp: those that the codec exists for, and a
margin."""


class Drawn(NamedTuple):
    """All that a step takes from the host: crops as bytes, quality [B], colour [5, B], grain [3,
    B], a stage's own."""

    x: Tensor
    quality: Tensor
    colour: Tensor
    grain: Tensor
    own: Any


class Chance(NamedTuple):
    """What a stage draws for a step: a tree of tensors, and whatever decides the shapes of the
    step's other tensors."""

    own: Any = ()
    shapes: Hashable = ()


class Prepared(NamedTuple):
    """A step to be made: what it takes, what its shapes depend on, and the seed of what it draws on
    the device."""

    drawn: Drawn
    shapes: Hashable
    seed: int


class Batch(NamedTuple):
    """x [B, 3, H, W] in [0, 1], quality [B] in [0, 1], and what the stage drew: `Chance`, its
    tensors on the device."""

    x: Tensor
    quality: Tensor
    own: Any
    shapes: Hashable


class Measured(NamedTuple):
    """One step of a codec's stage: loss and, each [B], rate in bits a pixel, PSNR in dB and
    perceptual distance."""

    loss: Tensor
    bpp: Tensor
    psnr_db: Tensor
    perception: Tensor


class Progress(NamedTuple):
    """What a run tells now and then; means: of what its steps measured since the last report, in
    the same fields."""

    crops: int
    target_crops: int
    seconds: float
    crops_per_second: float
    means: Any


def learning_rate_share(share: float, step: int) -> float:
    """Linear warm-up, flat, then linear cool-down over the last part; `share` of the run is
    done."""
    return min(1.0, (step + 1) / WARMUP_STEPS, max(0.02, (1 - share) / COOLDOWN_SHARE))


def laid_out_as(gradient: Tensor | None, parameter: Tensor) -> Tensor | None:
    """The gradient with the parameter's strides, without which an optimizer moves many only one by
    one."""
    if gradient is None or gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def drawn_qualities(rng: np.random.Generator, preset: Preset) -> np.ndarray:
    """float32 [batch] in [0, 1]: u^quality_power, or, for a part of the crops, evenly from
    FOCUS."""
    any_quality = rng.random(preset.batch, np.float32) ** preset.quality_power
    lowest, highest = FOCUS
    focused = lowest + (highest - lowest) * rng.random(preset.batch, np.float32)
    return np.where(rng.random(preset.batch) < preset.focus_share, focused, any_quality).astype(
        np.float32
    )


class Run(ABC):
    """Holds model, averaged model, optimizer and counters; continues from its state file when there
    is one.

    Every step draws its randomness from (seed, step, rank) alone, so a resumed run goes on as if
    never stopped. The host draws ahead, in threads; what remains is made of tensors alone, so that
    a GPU can replay it.
    """

    closer = False
    """Whether crops come from close by, too (`PhotoStore.windows`)."""

    def __init__(
        self,
        preset: Preset,
        store: PhotoStore,
        model: nn.Module,
        groups: list[dict[str, Any]],
        crops: int,
        state: Path,
        device: torch.device,
    ) -> None:
        self.preset, self.store, self.model = preset, store, model
        self.target_crops, self.state_path, self.device = crops, state, device
        self.optimizer = MuonAdamW(groups, preset.weight_decay)
        self.average = RunningAverage(model)
        self.counters: dict[str, float] = {"step": 0, "crops": 0, "seconds": 0.0}
        if state.exists():
            self.counters = checkpoint.restore(state, model, self.average, self.optimizer)
        self.readers = ThreadPoolExecutor(READERS)
        self.ahead: deque[Future[Prepared]] = deque()
        # adversaries average theirs in a step
        replayed = preset.graphs and device.type == "cuda" and world_size() == 1
        self.graphs = StepGraphs(self._differentiate, device) if replayed else None

    def draw(self, rng: np.random.Generator, windows: list[Window]) -> Chance:
        """What `measure` needs of chance and of where the crops come from."""
        return Chance()

    @abstractmethod
    def measure(self, batch: Batch) -> Any:
        """A named tuple of tensors: the loss, with gradient, and what else is worth telling.

        It reads nothing back from the device and makes no tensors of the host's numbers, which no
        graph could replay.
        """

    def trained(self) -> list[nn.Parameter]:
        """The parameters that this stage moves."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def step(self, done: float = 0.0) -> Any:
        """One optimizer step; the run is done to this share at least, if not by its crops."""
        step, share = (
            int(self.counters["step"]),
            max(done, self.counters["crops"] / self.target_crops),
        )
        drawn, shapes, seed = self._next_prepared(step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * learning_rate_share(share, step)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if self.graphs is not None:
                measured, gradients = self.graphs(drawn, shapes)
            else:
                measured, gradients = self._differentiate(
                    tree_map(lambda t: t.to(self.device), drawn), shapes
                )
        for parameter, gradient in zip(self.trained(), gradients, strict=True):
            parameter.grad = gradient
        average_gradients(self.trained())
        nn.utils.clip_grad_norm_(self.trained(), GRADIENT_NORM_LIMIT)
        self.optimizer.step()
        self.average.update(self.model)
        self.counters["step"] += 1
        self.counters["crops"] += self.preset.batch * world_size()
        return type(measured)(*(t.clone() for t in measured))

    def _differentiate(self, drawn: Drawn, shapes: Hashable) -> tuple[Any, list[Tensor | None]]:
        """What `measure` tells, without gradients, and those of `trained`."""
        x = drawn.x.float() / 255
        x = with_colour(x, drawn.colour) if self.preset.colour else x
        x = with_grain(x, drawn.grain) if self.preset.grain else x
        measured = self.measure(Batch(x, drawn.quality, drawn.own, shapes))
        parameters = self.trained()
        gradients = torch.autograd.grad(measured.loss, parameters, allow_unused=True)
        pairs = zip(gradients, parameters, strict=True)
        return type(measured)(*(t.detach() for t in measured)), [
            laid_out_as(*pair) for pair in pairs
        ]

    def _prepared(self, step: int) -> Prepared:
        preset, rng = self.preset, np.random.default_rng([self.preset.seed, step, rank()])
        windows = self.store.windows(rng, preset.batch, preset.crop_px, self.closer)
        x, quality = (
            self.store.crops(windows, preset.crop_px),
            torch.from_numpy(drawn_qualities(rng, preset)),
        )
        own, shapes = self.draw(rng, windows)
        drawn = Drawn(
            x, quality, drawn_colour(rng, preset.batch), drawn_grain(rng, preset.batch), own
        )
        if self.device.type == "cuda":
            drawn = tree_map(Tensor.pin_memory, drawn)
        return Prepared(drawn, shapes, int(rng.integers(1 << 31)))

    def _next_prepared(self, step: int) -> Prepared:
        """Of this step; the next ones are begun."""
        while len(self.ahead) <= READERS:
            self.ahead.append(self.readers.submit(self._prepared, step + len(self.ahead)))
        return self.ahead.popleft().result()

    def run(self, minutes: float, report: Callable[[Progress], None], cool: bool = False) -> None:
        """Train until the crops or the minutes are spent or a STOP_FILE lies there; saves then and
        every few minutes.

        cool: the learning rates are to have fallen when the minutes are over, not only when the
        crops are.
        """
        try:
            self._loop(minutes, report, cool)
        finally:  # an interrupted run keeps what it has learned
            self.save()

    def _loop(self, minutes: float, report: Callable[[Progress], None], cool: bool) -> None:
        start = saved = tick = time.monotonic()
        before = self.counters["seconds"]
        window: list[Any] = []
        now, stop = start, self.state_path.with_name(STOP_FILE)
        while (
            self.counters["crops"] < self.target_crops
            and now - start < minutes * 60
            and not stop.exists()
        ):
            window.append(self.step((now - start) / (minutes * 60) if cool else 0.0))
            now = time.monotonic()
            self.counters["seconds"] = before + now - start
            if len(window) == REPORT_EVERY_STEPS and rank() == 0:
                report(self._progress(window, now - tick))
                window, tick = [], now
            if now - saved > self.preset.save_every_min * 60:
                self.save()
                saved = now

    def _progress(self, window: list[Any], seconds: float) -> Progress:
        crops = len(window) * self.preset.batch * world_size()
        fields = zip(*window, strict=True)
        means = type(window[0])(
            *(float(torch.stack([t.mean() for t in values]).mean()) for values in fields)
        )
        counters = self.counters
        return Progress(
            int(counters["crops"]), self.target_crops, counters["seconds"], crops / seconds, means
        )

    def save(self) -> None:
        """Write the state (rank 0 alone)."""
        if rank() == 0:
            checkpoint.save(
                self.state_path, self.model, self.average, self.optimizer, self.counters
            )
