"""The largest file under a ceiling, for about the time of one: one analysis, and a sample to know where to begin."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gccodec.codec.encoder import Encoded, Encoder, Source
from gccodec.codec.goal import Goal
from gccodec.codec.latent import grid_size
from gccodec.codec.loaded_model import untold
from gccodec.codec.rate import AIMED_SHARE, USUAL_SLOPE, LevelSearch, Point, setting, within_range
from gccodec.codec.sample import sample_of
from gccodec.container.file import MAX_QUALITY, serialize
from gccodec.entropy.context import LATENT_FRACTION_BITS
from gccodec.entropy.latent import Limit, band_rows, fixed_point
from gccodec.entropy.mask import QualityMap

Bands = Iterator[npt.NDArray[np.int16]]

TARGET_TOLERANCE = 0.02

ANALYSED_LOWER = 20
"""Latents are taken at a quality so much below the one expected: too coarse ones look better than too fine ones."""

NEAR = range(-30, 121)
"""Levels above the quality of latents that these serve, scaled; further away they cost a percent of LPIPS."""

NEAR_SAMPLED = range(-100, 141)

MAX_HELD_POSITIONS = 1 << 19
"""Of 134 megapixels, in 200 MB; the latents of larger pictures are not held, but taken each time."""

FIRST_BITS, FIRST_SLOPE = 4.9, 0.0029
"""A latent position of a photograph takes so many at quality 0, and the logarithm of that grows so much a level."""

MAX_SAMPLINGS = 5
LAST_STEP = 70
"""Levels within which another size of the sample tells less than the file itself."""


class HeldLatents:
    """The latents of a picture at one quality, which stand for those nearby."""

    def __init__(self, encoder: Encoder, source: Source, near: range, refined_at: int | None = None) -> None:
        self.encoder, self.source, self.near, self.refined_at = encoder, source, near, refined_at
        self._quality, self._bands = -1, list[npt.NDArray[np.int16]]()
        rows, columns = grid_size(*source.image.size[::-1])
        self._held = rows * columns <= MAX_HELD_POSITIONS

    def at(self, quality: int) -> Bands:
        """Bands of y [n, w, C] in fixed point, in steps of this quality, to be overwritten."""
        if not self._held:
            return self.encoder.latent(self.source, quality)
        if not self._bands or not self._serves(quality):
            self._bands.clear()
            self._quality = max(0, quality - ANALYSED_LOWER) if self.refined_at is None else self.refined_at
            self._bands += self.encoder.latent(self.source, self._quality)
        return self._scaled(quality)

    def _serves(self, quality: int) -> bool:
        if self.refined_at is not None:
            return True
        # the lowest levels must not depend on how a search came there: the smallest file is one of them
        return quality - self._quality in self.near and (quality > 0 or self._quality == 0)

    def _scaled(self, quality: int) -> Bands:
        transforms, by_position, top = self.encoder.model.transforms, self.source.quality(quality), 0
        finer = transforms.finer(quality, self._quality).flatten().cpu().numpy()
        for band in self._bands:
            scaled = fixed_point(band * (finer / (1 << LATENT_FRACTION_BITS)))
            if isinstance(by_position, QualityMap):
                keep = by_position.keep[top : top + len(band), :, None]
                scaled = np.where(keep, scaled, band)
            top += len(band)
            yield scaled


class RateControl:
    """Of one picture under the ceiling of a goal without a quality."""

    def __init__(self, encoder: Encoder, source: Source, goal: Goal) -> None:
        ceiling = goal.ceiling(source.template)
        assert ceiling is not None
        self.encoder, self.source, self.goal, self.ceiling = encoder, source, goal, ceiling
        # what does not count must not even enter the search: it would end at another of several levels that fit
        self.beside = goal.beside(source.template)
        self.framing = len(serialize(source.template)) + 1 - self.beside

    def encode(self, refined_at: int | None = None) -> Encoded:
        """Above the ceiling when even the smallest file is; `refined_at`: the quality of latents that are known."""
        latents = HeldLatents(self.encoder, self.source, NEAR, refined_at)
        search = self._sampled() if refined_at is None else LevelSearch(self.ceiling, refined_at)
        rows, columns = grid_size(*self.source.image.size[::-1])
        # the file without latents, and the one byte more that their length may take in it
        limit = Limit(self.ceiling - self.framing, -(-rows // band_rows(columns)))
        fitting = None
        while not search.is_over:
            at = setting(search.level)
            data = self.encoder.file(self.source, latents.at(at.quality), at, limit)
            made = Encoded(data, at.quality, False, coding=self.source.template.coding)
            if search.record(len(data) - self.beside):
                fitting = made
        if fitting is None:
            return made
        least = (1 - TARGET_TOLERANCE) * self.ceiling - 4
        below = fitting.quality == MAX_QUALITY and len(fitting.data) - self.beside < least
        return fitting._replace(below_target=below and not self.goal.is_wish)

    def _sampled(self) -> LevelSearch:
        """The search, begun at the level at which a sample of the picture would fill the ceiling."""
        level, slope = self._first_level(), USUAL_SLOPE
        sample = sample_of(self.source)
        if sample is None:
            return LevelSearch(self.ceiling, level)
        latents = HeldLatents(Encoder(self.encoder.model, self.encoder.strip_pixels, untold), sample.source, NEAR_SAMPLED)
        last: Point | None = None
        for _ in range(MAX_SAMPLINGS):
            point = Point(level, self.framing + self._bits(sample.source, latents, level) / (8 * sample.share))
            slope = slope if last is None else point.slope_from(last) or slope
            step = math.log(AIMED_SHARE * max(self.ceiling, 1) / point.size) / slope
            level, last = within_range(level + step), point
            if abs(step) <= LAST_STEP:
                break
        return LevelSearch(self.ceiling, level, slope)

    def _first_level(self) -> int:
        """Of a usual photograph."""
        rows, columns = grid_size(*self.source.image.size[::-1])
        bits = 8 * max(self.ceiling - self.framing, 1) / (rows * columns)
        return max(0, within_range(math.log(bits / FIRST_BITS) / FIRST_SLOPE))

    def _bits(self, source: Source, latents: HeldLatents, level: int) -> float:
        """Of the payload."""
        at = setting(level)
        quality = source.quality(at.quality)
        return self.encoder.model.latents.cost(latents.at(at.quality), quality, at.rate_weight, source.side)
