"""Encode and decode: the library's front door."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from gccodec.codec.alpha import decode_alpha, encode_alpha, fill_transparent
from gccodec.codec.latent import LATENT_CELL_PX, decode_latent, grid_size
from gccodec.codec.memory import rows_with_smaller_strips, with_smaller_strips
from gccodec.codec.metadata import Metadata
from gccodec.codec.picture import Picture, Pixels
from gccodec.codec.picture_format import joined
from gccodec.codec.rate import search_quality
from gccodec.codec.region import Region
from gccodec.codec.selection import Selection
from gccodec.codec.strip import STRIP_PIXELS, strip_rows, to_pixels, to_strips
from gccodec.container.file import DEFAULT_MAX_PIXELS, MAX_QUALITY, GczFile, metadata_bytes, parse, serialize
from gccodec.container.section import Section, SectionId
from gccodec.entropy.context import LATENT_FRACTION_BITS
from gccodec.entropy.latent import LatentCodec, band_rows, fixed_point
from gccodec.entropy.mask import KeepMask, Quality
from gccodec.entropy.weights import WeightsFile, find_weights, load_weights, weights_folder
from gccodec.errors import UsageError, WeightsError
from gccodec.model.strips import LatentStrip, Semantics
from gccodec.model.transforms import Transforms

DEFAULT_BPP = 0.06
DEFAULT_REALISM = 1.0
TARGET_TOLERANCE = 0.02
HIGHEST_RATE_WEIGHT = 64.0
"""In squared quantization steps a bit: nearly everything is then taken from the predicted means."""


Progress = Callable[[str, int, int], None]
"""Told the phase, and how many of its rows are done and there are in all."""


class Encoded(NamedTuple):
    """A finished file. quality 0..1000; below_target: the model's best quality needs less than was allowed."""

    data: bytes
    quality: int
    below_target: bool


class Decoded(NamedTuple):
    """The picture in mode RGB, L, RGBA or LA, its metadata as stored, and the file it came from."""

    image: Image.Image
    metadata: Metadata
    file: GczFile

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """uint8 [H, W, 3] or [H, W], without alpha."""
        return np.asarray(self.image.convert("L" if self.file.gray else "RGB"))

    @property
    def alpha(self) -> npt.NDArray[np.uint8] | None:
        """uint8 [H, W], or None when opaque."""
        return np.asarray(self.image.getchannel("A")) if self.image.mode in ("LA", "RGBA") else None


class Decoding(NamedTuple):
    """A picture as it comes: strips in mode RGB, L, RGBA or LA from top to bottom, `size` in all.

    They are computed when asked for; a damaged file may show only then.
    """

    strips: Iterator[Image.Image]
    size: tuple[int, int]
    metadata: Metadata
    file: GczFile


class _Source(NamedTuple):
    """What is encoded: the file without latents, the pixels, and what is kept of them (None: all alike)."""

    template: GczFile
    image: Pixels
    selection: Selection | None

    @property
    def coded(self) -> KeepMask | None:
        return None if self.selection is None else self.selection.coded

    def quality(self, kept: int) -> Quality:
        return kept if self.selection is None else self.selection.quality(kept)


class Codec:
    """One loaded model. Not thread-safe; one a process or thread."""

    def __init__(
        self, weights: WeightsFile, device: torch.device | str = "cpu", strip_pixels: int = STRIP_PIXELS
    ) -> None:
        self.weights, self.strip_pixels = weights, strip_pixels
        self.progress: Progress = lambda phase, done, total: None
        self.latents: LatentCodec = weights.latent_codec()
        self.transforms = Transforms.load(weights, torch.device(device))

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        model_id: bytes | None = None,
        device: torch.device | str = "cpu",
        strip_pixels: int = STRIP_PIXELS,
    ) -> Codec:
        """From a weights file, from an installed model's id, or the installed default."""
        return cls(load_weights(path or find_weights(weights_folder(), model_id)), device, strip_pixels)

    def _latent(self, image: Pixels, quality: Quality) -> Iterator[npt.NDArray[np.int16]]:
        """Bands of y [n, w, C] in fixed point, ready to be coded."""
        if isinstance(quality, int):
            yield from self._latent_at(image, quality)
            return
        top = 0
        for kept, rest in zip(*(self._latent_at(image, q) for q in (quality.kept, quality.rest)), strict=True):
            yield np.where(quality.keep[top : top + len(kept), :, None], kept, rest)
            top += len(kept)

    def _latent_at(self, image: Pixels, quality: int) -> Iterator[npt.NDArray[np.int16]]:
        rows, columns = grid_size(*image.size[::-1])
        height = band_rows(columns)
        parts: list[npt.NDArray[np.int16]] = []
        done = 0
        for part in self.transforms.analyse(to_strips(image, self.strip_pixels), quality):
            parts.append(fixed_point(part[0].permute(1, 2, 0).cpu().numpy()))
            done += part.shape[2]
            self.progress(f"analysis at quality {quality / 10:g}", done, rows)
            while sum(map(len, parts)) >= height:
                joined = np.concatenate(parts)
                parts = [joined[height:]]
                yield joined[:height]
        if len(rest := np.concatenate(parts)):
            yield rest

    def encode(
        self,
        picture: Picture,
        *,
        quality: int | None = None,
        size_bytes: int | None = None,
        count_metadata: bool = False,
        selection: Selection | None = None,
    ) -> Encoded:
        """Compress. Give a quality 0..1000, or a ceiling in bytes for the whole file but its metadata sections.

        `count_metadata` puts these under the ceiling too. Below the range of qualities the quantiser weighs bits more;
        UsageError when not even that reaches the ceiling. Quality and ceiling steer what a `selection`
        keeps; WeightsError for one with labels when the model was not trained for that.
        """
        if (quality is None) == (size_bytes is None):
            raise UsageError("give either a quality or a size")
        source = self._source(picture, selection)
        return with_smaller_strips(
            lambda strip_pixels: self._with_strips(strip_pixels)._encode(source, quality, size_bytes, count_metadata),
            self.strip_pixels,
        )

    def _with_strips(self, strip_pixels: int) -> Codec:
        other = copy.copy(self)
        other.strip_pixels = strip_pixels
        return other

    def _encode(self, source: _Source, quality: int | None, size_bytes: int | None, count_metadata: bool) -> Encoded:
        if size_bytes is None:
            assert quality is not None
            return Encoded(self._encode_at(source, quality), quality, False)
        if not count_metadata:
            size_bytes += metadata_bytes(source.template)
        framing = len(serialize(source.template)) + 1
        quality = search_quality(
            lambda q: framing + self._cost(source, self._latent(source.image, source.quality(q)), q) / 8, size_bytes + 1
        )
        if quality is not None:
            for q in range(quality, -1, -1):  # the estimate is a byte off at times
                data = self._encode_at(source, q)
                if len(data) <= size_bytes:
                    below = q == MAX_QUALITY and len(data) < (1 - TARGET_TOLERANCE) * size_bytes - 4
                    return Encoded(data, q, below)
        return self._encode_below_range(source, size_bytes, framing)

    def _encode_below_range(self, source: _Source, size_bytes: int, framing: int) -> Encoded:
        """Quality 0 is still too large: let its quantiser weigh bits more, as far as it takes."""
        bands, template = list(self._latent(source.image, source.quality(0))), source.template

        def rate_weight(share: int) -> float:
            # cubic, so that the logarithm of the size falls about evenly with the share
            return HIGHEST_RATE_WEIGHT * (1 - share / MAX_QUALITY) ** 3

        def size(share: int) -> float:
            return framing + self._cost(source, (b.copy() for b in bands), 0, rate_weight(share)) / 8

        found = search_quality(size, size_bytes + 1)
        for share in range(found if found is not None else 0, -1, -1):
            data = self._encode_at(source, 0, rate_weight(share))
            if len(data) <= size_bytes:
                return Encoded(data, 0, False)
        fixed = f", {framing - 1} of them header and sections" if template.sections else ""
        raise UsageError(
            f"{size_bytes} bytes are too few: the smallest file for this {template.width}x{template.height} picture has"
            f" {len(data)} bytes ({8 * len(data) / (template.width * template.height):.4f} bpp){fixed}"
        )

    def _source(self, picture: Picture, selection: Selection | None) -> _Source:
        width, height = picture.image.size
        sections: tuple[Section, ...] = ()
        if selection is not None:
            selection.check(width, height)
            sections += selection.sections(self.weights)
        if picture.alpha is not None:
            sections += (Section(int(SectionId.ALPHA), encode_alpha(picture.alpha)),)
        sections += picture.metadata.sections()
        template = GczFile(width, height, picture.gray, self.weights.model_id, 0, 0, b"", sections)
        image = picture.image if picture.alpha is None else fill_transparent(picture.whole(), picture.alpha)
        return _Source(template, image, selection)

    def _cost(
        self, source: _Source, bands: Iterable[npt.NDArray[np.int16]], quality: int, rate_weight: float = 0.0
    ) -> float:
        """Bits of the payload."""
        return self.latents.cost(bands, source.quality(quality), rate_weight, source.coded)

    def _encode_at(self, source: _Source, quality: int, rate_weight: float = 0.0) -> bytes:
        by_position = source.quality(quality)
        latent = self._latent(source.image, by_position)
        payload, digest = self.latents.encode(latent, by_position, rate_weight, source.coded)
        return serialize(dataclasses.replace(source.template, quality=quality, payload=payload, symbol_digest=digest))

    def decode(
        self,
        data: bytes,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        realism: float = DEFAULT_REALISM,
        region: Region | None = None,
    ) -> Decoded:
        """Decompress, if wanted a region alone: pixels outside are not computed, its own are within a level.

        CorruptError subclasses for damaged files, WeightsError for another model's file.
        """
        decoding = self.decode_strips(data, max_pixels, realism, region)
        return Decoded(joined(decoding.strips, decoding.size), decoding.metadata, decoding.file)

    def decode_strips(
        self,
        data: bytes,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        realism: float = DEFAULT_REALISM,
        region: Region | None = None,
    ) -> Decoding:
        """As `decode`, without ever holding the whole picture."""
        file = parse(data, max_pixels)
        if file.model_id != self.weights.model_id:
            raise WeightsError(f"the file needs model {file.model_id.hex()}, loaded is {self.weights.model_id.hex()}")
        region = region or Region(0, 0, file.width, file.height)
        region.check(file.width, file.height)
        bodies = {section.id: section.body for section in file.sections}
        alpha = None
        if SectionId.ALPHA in bodies:
            alpha = decode_alpha(bodies[SectionId.ALPHA], file.height, file.width)
            alpha = alpha[region.y : region.y + region.height, region.x : region.x + region.width]
        strips = self._decode_images(file, realism, region, alpha)
        return Decoding(strips, (region.width, region.height), Metadata.from_sections(file.sections), file)

    def _decode_images(
        self, file: GczFile, realism: float, region: Region, alpha: npt.NDArray[np.uint8] | None
    ) -> Iterator[Image.Image]:
        """The region's strips, with what the alpha section says of it."""
        top = 0
        for rows in rows_with_smaller_strips(
            lambda strip_pixels: self._with_strips(strip_pixels)._decode_rows(file, realism, region), self.strip_pixels
        ):
            image = Image.fromarray(rows)
            if alpha is not None:
                image.putalpha(Image.fromarray(alpha[top : top + len(rows)]))
            top += len(rows)
            yield image

    def _decode_rows(self, file: GczFile, realism: float, region: Region) -> Iterator[npt.NDArray[np.uint8]]:
        """The region's rows from top to bottom, some at a time: uint8 [n, W, 3] or [n, W]."""
        rows, columns = region.cells(self.transforms.generator.halo)
        selection = Selection.of(file, self.weights)
        strips = self._latent_strips(file, rows, columns, _semantics(selection))
        left, top = region.x - columns.start * LATENT_CELL_PX, rows.start * LATENT_CELL_PX
        if selection is None or selection.labels is not None:
            generated = self.transforms.generate(strips, file.quality, realism)
        else:
            keep = torch.from_numpy(selection.keep[rows, columns].astype(np.float32))[None, None]
            generated = self.transforms.generate_mixed(strips, keep, file.quality, selection.rest_quality, realism)
        for x_hat in generated:
            first, last = (min(max(y - top, 0), x_hat.shape[2]) for y in (region.y, region.y + region.height))
            if last > first:
                yield to_pixels(x_hat[:, :, first:last, left : left + region.width], file.gray)
            top += x_hat.shape[2]
            self.progress("generation", min(top, region.y + region.height) - region.y, region.height)

    def _latent_strips(
        self, file: GczFile, rows: slice, columns: slice, whole: Semantics | None
    ) -> Iterator[LatentStrip]:
        """Latents [1, C, n, w] of some rows and columns, in steps; all bands are decoded, for their digest."""
        top = 0
        for band in decode_latent(self.latents, file):
            first = max(0, rows.start - top)
            part = band[first : max(0, rows.stop - top), columns]
            step = strip_rows(part.shape[1], self.strip_pixels)
            for start in range(0, len(part), step):
                latent = part[start : start + step].astype(np.float32) / (1 << LATENT_FRACTION_BITS)
                row = top + first + start
                semantics = None if whole is None else whole.part(slice(row, row + len(latent)), columns)
                yield LatentStrip(torch.from_numpy(latent).permute(2, 0, 1)[None], semantics)
            top += len(band)


def _semantics(selection: Selection | None) -> Semantics | None:
    """What the generator gets of a selection with labels."""
    if selection is None or selection.labels is None:
        return None
    labels = torch.from_numpy(selection.labels_of_latents())[None]
    return Semantics(labels, torch.from_numpy(selection.keep.astype(np.float32))[None, None])


def bytes_of_bpp(bpp: float, width: int, height: int) -> int:
    """The ceiling in whole bytes for a rate in bits a pixel."""
    return math.floor(bpp * width * height / 8)
