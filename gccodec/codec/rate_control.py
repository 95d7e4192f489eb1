"""The largest file under a ceiling, for little more than the time of any file: most take one
analysis."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gccodec.codec.activity import expected_payload
from gccodec.codec.encoder import Encoded, Encoder, Source
from gccodec.codec.goal import Goal
from gccodec.codec.loaded_model import untold
from gccodec.codec.rate import LEVELS, MIN_LEVEL, LevelSearch, setting
from gccodec.codec.refined_latents import RefinedLatents
from gccodec.codec.window import windows_of
from gccodec.container.file import MAX_QUALITY, serialize
from gccodec.entropy.constants import LATENT_FRACTION_BITS
from gccodec.entropy.grid import grid_size
from gccodec.entropy.latent import band_rows, fixed_point
from gccodec.entropy.mask import QualityMap
from gccodec.entropy.symbol_source import Limit

Bands = Iterator[npt.NDArray[np.int16]]

TARGET_TOLERANCE = 0.02

ANALYSED_LOWER = 35
"""Latents are taken at a quality so much below the one expected: too coarse ones look better than
too fine ones."""

NEAR = range(-45, 121)
"""Levels above the quality of latents that these serve, scaled; further away they cost a percent of
LPIPS."""

AIMED_EXCESS = 0.03
"""Over the ceiling: the last step of the last band is made to fit, and takes a sixth of the bits of
its band."""

TRIED_RUN, MAX_TILTED_RUN = 60, 150
"""Levels between the two at which that is done, and up to which what they tell of a slope is
believed."""

MIN_TRIED_POSITIONS = 1 << 13
"""Latent positions, of 2 megapixels, above which parts of a picture are tried first: its time is
small beside that of a wrong guess."""

MAX_HELD_POSITIONS = 1 << 19
"""Latent positions that are held at most, of 134 megapixels in 200 MB; the latents of larger
pictures are taken each time."""


class HeldLatents:
    """The latents of a picture at one quality, which stand for those nearby.

    held_at: the quality 0..1000 whose latents stand for all others; None: by what is asked for.
    refined: the picture's own, which are held at the quality that they were refined for.
    """

    def __init__(
        self,
        encoder: Encoder,
        source: Source,
        held_at: int | None = None,
        refined: RefinedLatents | None = None,
    ) -> None:
        self.encoder, self.source, self.refined = encoder, source, refined
        self.held_at = held_at if refined is None else refined.quality
        self._quality, self._bands = -1, list[npt.NDArray[np.int16]]()
        self._coming: Bands = iter(())
        rows, columns = grid_size(*source.image.size[::-1])
        self._held = rows * columns <= MAX_HELD_POSITIONS

    def at(self, quality: int) -> Bands:
        """Bands of y [n, w, C] in fixed point, in steps of this quality, to be overwritten."""
        if not self._held:
            return self.encoder.latent(self.source, quality, self.refined)
        if not self._bands or not self._serves(quality):
            self._bands.clear()
            self._quality = (
                max(0, quality - ANALYSED_LOWER) if self.held_at is None else self.held_at
            )
            self._coming = self.encoder.latent(self.source, self._quality, self.refined)
        return self._scaled(quality)

    def bits(self, level: int) -> float:
        """The bits of the payload at a level, about."""
        source, at = self.source, setting(level)
        latents, quality = self.encoder.model.latents, source.quality(at.quality)
        return latents.cost(self.at(at.quality), quality, at.rate_weight, source.side)

    def _serves(self, quality: int) -> bool:
        if self.held_at is not None:
            return True
        # the lowest levels must not depend on how a search came there: the smallest file is one of
        # them
        return quality - self._quality in NEAR and (quality > 0 or self._quality == 0)

    def _analysed(self) -> Bands:
        """The bands that are held, and then those that are still to come."""
        yield from self._bands
        for band in self._coming:
            self._bands.append(band)
            yield band

    def _scaled(self, quality: int) -> Bands:
        transforms, by_position, top = (
            self.encoder.model.transforms,
            self.source.quality(quality),
            0,
        )
        finer = transforms.finer(quality, self._quality).flatten().cpu().numpy() / (
            1 << LATENT_FRACTION_BITS
        )
        for band in self._analysed():
            scaled = fixed_point(np.multiply(band, finer, dtype=np.float32))
            if isinstance(by_position, QualityMap):
                keep = by_position.keep[top : top + len(band), :, None]
                scaled = np.where(keep, scaled, band)
            top += len(band)
            yield scaled


class RateControl:
    """Finds the file of one picture that fills the ceiling of a goal without a quality."""

    def __init__(self, encoder: Encoder, source: Source, goal: Goal) -> None:
        ceiling = goal.ceiling(source.template)
        assert ceiling is not None
        self.encoder, self.source, self.goal, self.ceiling = encoder, source, goal, ceiling
        # what does not count must not even enter the search: it would end at another of several
        # levels that fit
        self.beside = goal.beside(source.template)
        self.framing = len(serialize(source.template)) - self.beside

    def encode(self, refined: RefinedLatents | None = None) -> Encoded:
        """The file, above the ceiling when even the smallest one is; refined: the picture's own
        latents, in the place of those of its analysis."""
        refined_at = None if refined is None else refined.quality
        latents = HeldLatents(self.encoder, self.source, refined=refined)
        rows, columns = grid_size(*self.source.image.size[::-1])
        height = band_rows(columns)
        aim = (1 + AIMED_EXCESS * ((rows - 1) % height + 1) / rows) * self.ceiling
        search = self._search(aim, refined_at)
        fitting = None
        while not search.is_over:
            at = setting(search.level)
            # the file without latents has this quality, too, whose length in bytes counts
            framing = (
                len(serialize(dataclasses.replace(self.source.template, quality=at.quality)))
                - self.beside
            )
            limit = Limit(self.ceiling - framing, -(-rows // height))
            data = self.encoder.file(self.source, latents.at(at.quality), at, limit)
            made = Encoded(data, at.quality, False, coding=self.source.template.coding)
            if search.record(len(data) - self.beside):
                fitting = made
        if fitting is None:
            return made
        least = (1 - TARGET_TOLERANCE) * self.ceiling - 4
        below = fitting.quality == MAX_QUALITY and len(fitting.data) - self.beside < least
        return fitting._replace(below_target=below and not self.goal.is_wish)

    def _search(self, aim: float, refined_at: int | None) -> LevelSearch:
        expected, positions = (
            expected_payload(self.source),
            math.prod(grid_size(*self.source.image.size)),
        )
        search = LevelSearch(self.ceiling, aim, self.framing + expected / 8, refined_at)
        if refined_at is not None or positions <= MIN_TRIED_POSITIONS:
            return search
        deviation = self._deviation(search.level)
        return LevelSearch(self.ceiling, aim, self.framing + expected * deviation / 8, steeper=1.0)

    def _deviation(self, first: int) -> npt.NDArray[np.float64]:
        """The factor by which windows onto the picture take more bits at each level than is
        expected of them.

        That is found out at two levels, from latents of the first.
        """
        encoder = Encoder(self.encoder.model, self.encoder.strip_pixels, untold)
        windows = [
            HeldLatents(encoder, window, setting(first).quality)
            for window in windows_of(self.source)
        ]
        if not windows:
            return np.ones(len(LEVELS))
        expected = sum(expected_payload(window.source) for window in windows)

        def log_deviation(level: int) -> float:
            bits = sum(window.bits(level) for window in windows)
            return math.log(bits / np.asarray(expected)[level - MIN_LEVEL])

        near, other = log_deviation(first), max(first - TRIED_RUN, MIN_LEVEL)
        tilt = 0.0 if other == first else (near - log_deviation(other)) / (first - other)
        run = np.clip(np.array(LEVELS) - first, -MAX_TILTED_RUN, MAX_TILTED_RUN)
        return np.asarray(np.exp(near + tilt * run))
