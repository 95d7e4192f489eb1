"""Picture -> file at a quality: analysis, the finished bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gccodec.codec.alpha import encode_alpha, fill_transparent
from gccodec.codec.flat import flat_section
from gccodec.codec.loaded_model import LoadedModel, Progress
from gccodec.codec.metadata import metadata_sections
from gccodec.codec.parallel import writing_thread
from gccodec.codec.rate import Setting, setting
from gccodec.codec.refined_latents import RefinedLatents
from gccodec.codec.strip import pixels_per_strip, to_strips
from gccodec.container.file import Coding, GczFile, serialize
from gccodec.container.section import Section, SectionId
from gccodec.entropy.grid import grid_size, padded
from gccodec.entropy.latent import band_rows, fixed_point
from gccodec.entropy.mask import Quality
from gccodec.entropy.side_information import NO_SIDE_INFORMATION, SideInformation
from gccodec.entropy.symbol_source import Limit
from gccodec.image.picture import Picture, Pixels
from gccodec.model.analysis import masked_input
from gccodec.semantics.selection import Selection
from gccodec.weights.bitstream import Bitstream

MAX_FLAT_SHARE = 0.1
"""The share of the bytes that are allowed which flat parts may take."""


class Encoded(NamedTuple):
    """A finished file.

    quality 0..1000, 0 where it is exact; below_target: the model's best quality needs less than the
    ceiling that was given; effort 0..9, as it was made; notes: what the user may want to know, a
    line each.
    """

    data: bytes
    quality: int
    below_target: bool
    effort: int = 0
    coding: Coding = "generative"
    notes: tuple[str, ...] = ()


class Source(NamedTuple):
    """What is encoded: the file without latents, the pixels, and what is kept of them (None: all
    alike)."""

    template: GczFile
    image: Pixels
    selection: Selection | None

    @property
    def side(self) -> SideInformation:
        return NO_SIDE_INFORMATION if self.selection is None else self.selection.side

    @property
    def keep_pixels(self) -> npt.NDArray[np.bool_] | None:
        """Pixels [H, W] to keep, where the rest is synthesised."""
        if self.selection is None or self.selection.labels is None:
            return None
        return self.selection.pixels(self.template.width, self.template.height)

    def quality(self, kept: int) -> Quality:
        return kept if self.selection is None else self.selection.quality(kept)

    @classmethod
    def of(
        cls,
        picture: Picture,
        selection: Selection | None,
        bitstream: Bitstream,
        size_bytes: int | None = None,
    ) -> Source:
        """Prepare a picture that is to be encoded, under a ceiling if any; WeightsError for labels
        when the model was not trained for them."""
        width, height = picture.image.size
        sections: tuple[Section, ...] = ()
        if selection is not None:
            selection.check(width, height)
            sections += selection.sections(bitstream)
        if picture.alpha is not None:
            sections += (Section(int(SectionId.ALPHA), encode_alpha(picture.alpha)),)
        sections += metadata_sections(picture.metadata)
        if picture.alpha is None:  # what is cut out has no background
            sections += _flat_sections(picture.image, selection, size_bytes)
        template = GczFile(width, height, picture.gray, bitstream.id, 0, 0, b"", sections)
        image = (
            picture.image
            if picture.alpha is None
            else fill_transparent(picture.whole(), picture.alpha)
        )
        return cls(template, image, selection)


def _flat_sections(
    image: Pixels, selection: Selection | None, size_bytes: int | None
) -> tuple[Section, ...]:
    """The section of flat parts of what is kept, to the pixel; none where it would take too much of
    the ceiling."""
    keep_pixels = (
        None if selection is None or selection.labels is None else selection.pixels(*image.size)
    )
    body = flat_section(image, keep_pixels)
    if body is None or (size_bytes is not None and len(body) > MAX_FLAT_SHARE * size_bytes):
        return ()
    return (Section(int(SectionId.FLAT_PARTS), body),)


class Encoder:
    """A model at work on strips of one size."""

    def __init__(self, model: LoadedModel, strip_pixels: int, progress: Progress) -> None:
        self.model, self.strip_pixels, self.progress = model, strip_pixels, progress

    def strips(self, source: Source) -> Iterator[Tensor]:
        """Strips of the picture [1, 3, 16 n, W] in [0, 1], as the analysis is to see them."""
        top, keep_pixels = 0, source.keep_pixels
        width, height = source.image.size
        at_once = self.model.transforms.strips_at_once
        per_strip = pixels_per_strip(self.strip_pixels, at_once, width * height)
        for strip in to_strips(source.image, per_strip):
            height, width = strip.shape[2:]
            if keep_pixels is not None:
                part = padded(keep_pixels[top : top + height], height, width)
                strip = masked_input(strip, torch.from_numpy(part[None, None].astype(np.float32)))
            yield strip
            top += height

    def latent(
        self, source: Source, kept: int, refined: RefinedLatents | None = None
    ) -> Iterator[npt.NDArray[np.int16]]:
        """Bands of y [n, w, C] in fixed point, ready to be coded; the rest of a selection at its
        own quality.

        refined: the picture's own, which then is not looked at.
        """
        quality = source.quality(kept)
        if isinstance(quality, int):
            yield from self._latent_at(source, quality, refined)
            return
        top = 0
        for fine, rest in zip(
            *(self._latent_at(source, q, refined) for q in (quality.kept, quality.rest)),
            strict=True,
        ):
            yield np.where(quality.keep[top : top + len(fine), :, None], fine, rest)
            top += len(fine)

    def _latent_at(
        self, source: Source, quality: int, refined: RefinedLatents | None
    ) -> Iterator[npt.NDArray[np.int16]]:
        rows, columns = grid_size(*source.image.size[::-1])
        height = band_rows(columns)
        parts: list[npt.NDArray[np.int16]] = []
        done = 0
        transforms = self.model.transforms
        if refined is None:
            latents = transforms.analyse(self.strips(source), quality)
        else:
            latents = refined.parts(transforms, quality)
        for part in latents:
            parts.append(fixed_point(part[0].permute(1, 2, 0).cpu().numpy()))
            done += part.shape[2]
            self.progress(f"analysis at quality {quality / 10:g}", done, rows)
            while sum(map(len, parts)) >= height:
                whole = np.concatenate(parts)
                parts = [whole[height:]]
                yield whole[:height]
        if len(rest := np.concatenate(parts)):
            yield rest

    def file(
        self,
        source: Source,
        bands: Iterable[npt.NDArray[np.int16]],
        at: Setting,
        limit: Limit | None = None,
    ) -> bytes:
        """The file of a latent in fixed point, in steps of the setting's quality; the bands are
        overwritten."""
        quality = source.quality(at.quality)
        with writing_thread() as writer:
            payload, digest = self.model.latents.encode(
                bands, quality, at.rate_weight, source.side, limit, writer
            )
        file = dataclasses.replace(
            source.template, quality=at.quality, payload=payload, symbol_digest=digest
        )
        return serialize(file)

    def encode(
        self, source: Source, quality: int, refined: RefinedLatents | None = None
    ) -> Encoded:
        """The file at a quality 0..1000; refined: as in `latent`."""
        data = self.file(source, self.latent(source, quality, refined), setting(quality))
        return Encoded(data, quality, False, coding=source.template.coding)
