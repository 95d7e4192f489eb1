"""The two transforms at run time: loaded from a weights file, on a device, in its best precision,
strip by strip."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from gccodec.entropy.constants import MAX_QUALITY
from gccodec.entropy.mask import Quality
from gccodec.model.analysis import Analysis
from gccodec.model.analysis_rows import AnalysisRows, FusedAnalysis
from gccodec.model.byte_block import StacksInBytes, stacks_in_bytes
from gccodec.model.config import ModelConfig
from gccodec.model.gain import GainUnit
from gccodec.model.generator import Generator
from gccodec.model.generator_rows import FusedGenerator, GeneratorRows
from gccodec.model.loading import Network, network_of, once
from gccodec.model.mixture import Mixture, qualities_of
from gccodec.model.pipeline import MAX_STAGES_AT_ONCE, staged
from gccodec.model.precision import arithmetic, has_fast_bytes
from gccodec.model.ranges import Ranges, ranges_of
from gccodec.model.streaming import LatentStrip, with_last
from gccodec.weights.file import WeightsFile
from gccodec.weights.model import ModelWeights

FUSED_KEPT = 1
"""Copies of either transform that are kept, with what is constant for a picture folded in: the next
one may be of the same quality."""

LATENTS_AHEAD = 16
"""Strips of latents, a megabyte each, that may wait while a band before them is coded."""


class Transforms:
    """Analysis, gain unit and generator, frozen; either network is read when it is first needed."""

    def __init__(self, weights: ModelWeights, device: torch.device) -> None:
        """WeightsError, here or later, when names or shapes do not fit the configuration of a
        file."""
        self.device = device
        self.gain = GainUnit.load(weights.bitstream).to(device)
        self._load_analysis = once(
            lambda: _network(weights.analysis(), "analysis.", Analysis, device)
        )
        self._load_renderer = once(lambda: _renderer(weights.renderer(), device))
        self._load_bytes = once(self._in_bytes)
        self.fused_analysis = functools.lru_cache(FUSED_KEPT)(self._fused_analysis)
        self.fused_generator = functools.lru_cache(FUSED_KEPT)(self._fused_generator)

    @property
    def analysis(self) -> Analysis:
        """The encoder's network; WeightsError where it is missing."""
        return self._load_analysis()

    @property
    def generator(self) -> Generator:
        """The decoder's network; WeightsError where it is missing."""
        return self._load_renderer()[0]

    @property
    def threads(self) -> int:
        """Threads that the stages of a network share; 1 where it is not the processor that
        computes."""
        return torch.get_num_threads() if self.device.type == "cpu" else 1

    @property
    def strips_at_once(self) -> int:
        """Strips of a large picture that stages work on at the same time."""
        return min(self.threads, MAX_STAGES_AT_ONCE)

    def _quality(self, quality: int) -> Tensor:
        return torch.full((1,), quality / MAX_QUALITY, device=self.device)

    @torch.inference_mode()
    def _gain(self, quality: Quality, origin: tuple[int, int], shape: torch.Size) -> Tensor:
        """The gain of latents [1, C, n, w] from some position on: as many, or [1, C, 1, 1] where
        all are alike."""
        if isinstance(quality, int):
            return self.gain(self._quality(quality))
        (top, left), (height, width) = origin, shape[2:]
        keep = torch.from_numpy(quality.keep[top : top + height, left : left + width]).to(
            self.device
        )
        return torch.where(
            keep, *(self.gain(self._quality(q)) for q in (quality.kept, quality.rest))
        )

    @torch.inference_mode()
    def _fused_analysis(self, quality: int) -> FusedAnalysis:
        return FusedAnalysis.of(self.analysis, self._quality(quality), arithmetic(self.device))

    @torch.inference_mode()
    def _fused_generator(self, realism: float, *qualities: int) -> FusedGenerator:
        q = torch.cat([self._quality(quality) for quality in qualities])
        in_bytes = self._load_bytes() if has_fast_bytes(self.device) else None
        return FusedGenerator.of(
            self.generator, q, torch.full_like(q, realism), arithmetic(self.device), in_bytes
        )

    def _in_bytes(self) -> StacksInBytes | None:
        """The generator's residual stacks; None where its file does not say what they range
        over."""
        generator, ranges = self._load_renderer()
        return None if ranges is None else stacks_in_bytes(generator, ranges)

    def finer(self, quality: int, known: int) -> Tensor:
        """The factor by which latents [1, C, h, w] in steps of one quality grow to be in those of
        another: [1, C, 1, 1]."""
        with torch.inference_mode():
            return self.gain(self._quality(quality)) / self.gain(self._quality(known))

    def analyse(self, strips: Iterable[Tensor], quality: int) -> Iterator[Tensor]:
        """Strips of x [1, 3, 16 n, W] in [0, 1], W a multiple of 16 -> of y [1, C, m, W/16] in
        steps, float32."""
        with torch.inference_mode():
            q = self._quality(quality)
            gain = self.gain(q)
        works = AnalysisRows(self.fused_analysis(quality)).works
        on_device = (strip.to(self.device) for strip in strips)
        for y in staged(with_last(on_device), works, self.threads, LATENTS_AHEAD):
            yield y * gain

    def generate(
        self,
        strips: Iterable[LatentStrip],
        quality: Quality,
        realism: float = 0.0,
        origin: tuple[int, int] = (0, 0),
    ) -> Iterator[Tensor]:
        """Strips of the latent [1, C, n, w] in steps -> of x_hat [1, 3, 16 m, 16 w], float32 in [0,
        1].

        quality: of the whole picture, by position or not; origin: row and column in it of their
        first latent, as qualities and noise go by place.
        """
        fused = self.fused_generator(realism, *qualities_of(quality))
        works = GeneratorRows(self.generator, fused, origin, Mixture.of(quality, origin)).works

        def in_units() -> Iterator[LatentStrip]:
            top, left = origin
            for strip in strips:
                gain = self._gain(quality, (top, left), strip.y_hat.shape)
                top += strip.y_hat.shape[2]
                yield LatentStrip(strip.y_hat.to(self.device) / gain, strip.side.to(self.device))

        yield from staged(with_last(in_units()), works, self.threads)


def _network(
    weights: WeightsFile, prefix: str, kind: Callable[[ModelConfig], Network], device: torch.device
) -> Network:
    """A frozen network on its device."""
    network = network_of(weights, lambda config: kind(ModelConfig.from_json(config)), prefix)
    return network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)


def _renderer(weights: WeightsFile, device: torch.device) -> tuple[Generator, Ranges | None]:
    """The decoder's network, and what its activations range over."""
    generator = _network(weights, "generator.", Generator, device)
    return generator, ranges_of(weights, generator)
