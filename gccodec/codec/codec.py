"""Encode and decode: the library's front door."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from gccodec.codec.alpha import decode_alpha
from gccodec.codec.decoder import Decoder
from gccodec.codec.decoding import DEFAULT_REALISM, Decoding
from gccodec.codec.effort import MAX_EFFORT, REFINED_LOWER, default_effort, refined_latents
from gccodec.codec.encoder import Encoded, Encoder, Source
from gccodec.codec.goal import DEFAULT_BPP, Goal, bytes_of_bpp
from gccodec.codec.loaded_model import LoadedModel, Progress, untold
from gccodec.codec.lossless import decode_lossless, lossless_file
from gccodec.codec.memory import rows_with_smaller_strips, with_smaller_strips
from gccodec.codec.metadata import metadata_of
from gccodec.codec.rate_control import RateControl
from gccodec.codec.refined_latents import RefinedLatents
from gccodec.codec.restoring import write_decoded
from gccodec.codec.strip import STRIP_PIXELS
from gccodec.container.file import DEFAULT_MAX_PIXELS, GczFile, parse
from gccodec.container.section import SectionId
from gccodec.entropy.latent import LatentCodec
from gccodec.errors import LimitError, UsageError, WeightsError
from gccodec.image.metadata import Metadata
from gccodec.image.picture import Picture
from gccodec.image.writer import Format, joined, picture_format
from gccodec.model.distance import PerceptualDistance
from gccodec.model.integer_convolution import integer_convolver
from gccodec.model.loading import once
from gccodec.model.refiner import Refiner
from gccodec.model.threads import keep_to_own_threads
from gccodec.model.transforms import Transforms
from gccodec.semantics.region import Region
from gccodec.semantics.selection import Selection
from gccodec.weights.model import ModelWeights

__all__ = ["DEFAULT_BPP", "DEFAULT_REALISM", "Codec", "Decoded", "Decoding", "bytes_of_bpp"]


class Decoded(NamedTuple):
    """The picture in mode RGB, L, RGBA or LA, its metadata as stored, and the file it came from."""

    image: Image.Image
    metadata: Metadata
    file: GczFile

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """uint8 [H, W, 3] or [H, W], without alpha."""
        return np.asarray(self.image.convert("L" if self.file.gray else "RGB"))

    def save(self, name: str | os.PathLike[str], form: Format | None = None) -> tuple[str, ...]:
        """Write a picture file, in the format of the name's suffix, with the metadata of the
        original.

        The XMP of a picture that the model has made says so. Returns notes on what the format
        cannot hold. An existing file is replaced. UsageError for an unknown suffix.
        """
        form = form or picture_format(os.path.splitext(os.fspath(name))[1] or "png")
        decoding = Decoding(iter([self.image]), self.image.size, self.metadata, self.file)
        with open(name, "wb") as file:
            return write_decoded(decoding, form, file)

    @property
    def alpha(self) -> npt.NDArray[np.uint8] | None:
        """uint8 [H, W], or None when opaque."""
        return np.asarray(self.image.getchannel("A")) if self.image.mode in ("LA", "RGBA") else None


class Codec:
    """One loaded model. Threads may share it, at any mix of calls: what a call changes is its own.

    A child that was forked from a process with a Codec may use that one too, or load its own; it
    computes with one thread.
    """

    def __init__(
        self,
        weights: ModelWeights,
        device: torch.device | str = "cpu",
        strip_pixels: int = STRIP_PIXELS,
    ) -> None:
        keep_to_own_threads()
        self.weights, self.strip_pixels = weights, strip_pixels
        self.bitstream = weights.bitstream
        self.latents: LatentCodec = self.bitstream.latent_codec(convolver=integer_convolver())
        self.transforms = Transforms(weights, torch.device(device))
        self._load_refiner = once(self._new_refiner)

    @classmethod
    def load(
        cls,
        folder: Path | None = None,
        model_id: bytes | None = None,
        device: torch.device | str = "cpu",
        strip_pixels: int = STRIP_PIXELS,
        renderer: str | None = None,
    ) -> Codec:
        """Load a model from a folder of weights, None for the installed ones.

        model_id: of the bitstream that a file names, None for the default one; renderer: the name
        of one, None for the default. WeightsError where a file is missing or damaged: of a network,
        when it is first needed.
        """
        return cls(ModelWeights.load(folder, model_id, renderer), device, strip_pixels)

    def encode(
        self,
        picture: Picture,
        *,
        quality: int | None = None,
        size_bytes: int | None = None,
        count_metadata: bool = False,
        selection: Selection | None = None,
        effort: int | None = None,
        lossless: bool = True,
        progress: Progress = untold,
    ) -> Encoded:
        """Compress, to a quality 0..1000 or within a ceiling in bytes for the whole file but its
        metadata sections.

        Neither: the default rate, a wish, which leaves alpha aside, too, and gives small pictures
        more (`Goal`). `count_metadata` puts metadata under the ceiling. Below the range of
        qualities the quantizer weighs bits more; UsageError when not even that reaches a ceiling
        that was given. Quality and ceiling steer what a `selection` keeps; WeightsError for one
        with labels when the model was not trained for that.

        A picture whose exact file is within the ceiling, or no larger than the generative file at
        that quality, is held exactly, unless there is a selection or `lossless` is False.

        `effort` 0..9: how long the latents are refined; WeightsError where what that needs is not
        installed. None, as the command: by `default_effort`, 0 where that is not installed or takes
        more memory than there is.
        """
        keep_to_own_threads()
        if quality is not None and size_bytes is not None:
            raise UsageError("give either a quality or a size, or neither")
        if effort is not None and not 0 <= effort <= MAX_EFFORT:
            raise UsageError(f"effort {effort}: must be 0..{MAX_EFFORT}")
        source = Source.of(picture, selection, self.bitstream, size_bytes)
        goal = Goal(quality, size_bytes, count_metadata)
        ceiling = goal.ceiling(source.template)

        def exact(most_bytes: int) -> Encoded | None:
            if selection is not None or not lossless:
                return None
            data = lossless_file(picture, most_bytes, count_metadata)
            return None if data is None else Encoded(data, 0, False, coding="lossless")

        encoded = None if ceiling is None else exact(ceiling)
        if encoded is None:
            encoded = self._generated(source, goal, effort, progress)
            if ceiling is None or not goal.is_met(source.template, len(encoded.data)):
                encoded = exact(len(encoded.data) - goal.beside(source.template)) or encoded
        file = parse(encoded.data, source.template.width * source.template.height)
        if size_bytes is not None and not goal.is_met(file, len(encoded.data)):
            raise goal.too_few(file)
        return encoded._replace(notes=goal.notes(file))

    def _generated(
        self, source: Source, goal: Goal, effort: int | None, progress: Progress
    ) -> Encoded:
        """Through the model; above the ceiling when even the smallest file is."""
        if effort is None:
            usual = default_effort(*source.image.size) if self.can_refine else 0
            if usual:
                with contextlib.suppress(LimitError):  # nobody asked for what does not fit
                    return self._refined(source, goal, usual, progress)
            effort = 0
        return self._refined(source, goal, effort, progress)

    def _refined(self, source: Source, goal: Goal, effort: int, progress: Progress) -> Encoded:
        refiner = self._refiner if effort else None

        def made(encoder: Encoder, refined: RefinedLatents | None = None) -> Encoded:
            if goal.quality is not None:
                return encoder.encode(source, goal.quality, refined)
            return RateControl(encoder, source, goal).encode(refined)

        def encoded(strip_pixels: int) -> Encoded:
            plain = Encoder(self._model, strip_pixels, progress)
            if refiner is None:
                return made(plain)
            near = goal.quality
            if near is None:
                first = made(plain)
                if not goal.is_met(source.template, len(first.data)):
                    return first  # refining takes more bits
                near = max(0, first.quality - REFINED_LOWER)
            refined = refined_latents(plain, refiner, source, near, effort)
            return made(plain, refined)._replace(effort=effort)

        return with_smaller_strips(encoded, self.strip_pixels)

    @property
    def can_refine(self) -> bool:
        """Whether what an effort above 0 needs is installed."""
        try:
            return isinstance(self._refiner, Refiner)
        except WeightsError:
            return False

    @property
    def _refiner(self) -> Refiner:
        return self._load_refiner()

    def _new_refiner(self) -> Refiner:
        distance = PerceptualDistance.load(self.weights.distance())
        return Refiner(self.bitstream, distance, self.transforms.device)

    @property
    def _model(self) -> LoadedModel:
        return LoadedModel(self.bitstream, self.latents, self.transforms)

    def decode(
        self,
        data: bytes,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        realism: float = DEFAULT_REALISM,
        region: Region | None = None,
        progress: Progress = untold,
    ) -> Decoded:
        """Decompress, if wanted a region alone: pixels outside are not computed, its own are within
        a level.

        CorruptError subclasses for damaged files, WeightsError for another model's file.
        """
        decoding = self.decode_strips(data, max_pixels, realism, region, progress)
        return Decoded(joined(decoding.strips, decoding.size), decoding.metadata, decoding.file)

    def decode_strips(
        self,
        data: bytes,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        realism: float = DEFAULT_REALISM,
        region: Region | None = None,
        progress: Progress = untold,
    ) -> Decoding:
        """Decode as `decode` does, without ever holding the whole picture. One thread at a time may
        ask for strips."""
        keep_to_own_threads()
        file = parse(data, max_pixels)
        region = region or Region(0, 0, file.width, file.height)
        region.check(file.width, file.height)
        if file.coding == "lossless":
            return decode_lossless(file, region)
        self.bitstream.require(file.model_id)
        self.transforms.generator  # noqa: B018  # where it is missing, that is said before anything is written
        alpha, body = None, file.body(SectionId.ALPHA)
        if body is not None:
            alpha = decode_alpha(body, file.height, file.width)
            alpha = alpha[region.y : region.y + region.height, region.x : region.x + region.width]
        strips = self._decode_images(file, realism, region, alpha, progress)
        return Decoding(strips, (region.width, region.height), metadata_of(file), file)

    def _decode_images(
        self,
        file: GczFile,
        realism: float,
        region: Region,
        alpha: npt.NDArray[np.uint8] | None,
        progress: Progress,
    ) -> Iterator[Image.Image]:
        """The region's strips, with what the alpha section says of it."""

        def decoded(strip_pixels: int) -> Iterator[npt.NDArray[np.uint8]]:
            return Decoder(self._model, strip_pixels, progress).rows(file, realism, region)

        top = 0
        for rows in rows_with_smaller_strips(decoded, self.strip_pixels):
            image = Image.fromarray(rows)
            if alpha is not None:
                image.putalpha(Image.fromarray(alpha[top : top + len(rows)]))
            top += len(rows)
            yield image
