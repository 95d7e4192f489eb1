"""Small versions of files, without the generator and without torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from gccodec.codec.alpha import decode_alpha
from gccodec.codec.decoding import DEFAULT_REALISM, LUMA, Decoding
from gccodec.codec.latent import decode_latent, flat_parts_of
from gccodec.codec.metadata import metadata_of
from gccodec.codec.reduction import MIN_SMALL_SCALE, Scale, metadata_at, reduced_size
from gccodec.codec.small_flat import SmallFlatParts
from gccodec.codec.thumbnail_network import ThumbnailNetwork
from gccodec.container.file import GczFile
from gccodec.container.section import SectionId
from gccodec.entropy.latent import LatentCodec
from gccodec.entropy.side_information import NO_SIDE_INFORMATION
from gccodec.errors import WeightsError
from gccodec.semantics.selection import Selection
from gccodec.weights.bitstream import Bitstream
from gccodec.weights.file import id_in_name, load_weights
from gccodec.weights.folder import WeightsFolder


def suits(file: GczFile, scale: Scale) -> bool:
    """Whether the small network makes this version of a file as well as the generator.

    Not half of the resolution; not an exact picture, nor what is synthesised from labels, of which
    it sees too little.
    """
    return scale >= MIN_SMALL_SCALE and file.coding in ("generative", "region")


class SmallVersions:
    """The network of small versions for one bitstream, at work."""

    def __init__(
        self, bitstream: Bitstream, latents: LatentCodec, network: ThumbnailNetwork
    ) -> None:
        self.bitstream, self.latents, self.network = bitstream, latents, network

    @classmethod
    def load(
        cls,
        model_id: bytes,
        folder: Path | None = None,
        threads: int = 1,
        latents: LatentCodec | None = None,
    ) -> SmallVersions:
        """Load what decodes files that name a model; WeightsError where its bitstream, or the
        network for that, is not installed.

        threads: for large pictures; latents: the bitstream's entropy layer, where the caller has
        it.
        """
        files = WeightsFolder.at(folder)
        bitstream = files.load_bitstream(model_id)
        network = load_weights(files.find_serving("thumbnail", bitstream.id), "thumbnail")
        latents = latents or bitstream.latent_codec(threads=threads)
        return cls(bitstream, latents, ThumbnailNetwork(network, threads))

    @classmethod
    def load_if_there(
        cls,
        model_id: bytes,
        folder: Path | None = None,
        threads: int = 1,
        latents: LatentCodec | None = None,
    ) -> SmallVersions | None:
        """Load as `load` does; None where no network for the bitstream is installed."""
        files = WeightsFolder.at(folder)
        try:
            files.find_serving("thumbnail", id_in_name(files.find_bitstream(model_id)))
        except WeightsError:
            return None
        return cls.load(model_id, folder, threads, latents)

    def decode(self, file: GczFile, scale: Scale, realism: float = DEFAULT_REALISM) -> Decoding:
        """A file that is not exact, at 1 / scale. Latents are decoded, and their digest checked,
        before this returns.

        WeightsError for another model's file, CorruptError subclasses for a damaged one.
        """
        self.bitstream.require(file.model_id)
        selection = Selection.of(file, self.bitstream)
        latents = np.concatenate(list(decode_latent(self.latents, file, selection)))
        quality = file.quality if selection is None else selection.quality(file.quality)
        side = NO_SIDE_INFORMATION if selection is None else selection.side
        rows = self.network.picture(latents, quality, realism, scale, side)
        size = reduced_size((file.width, file.height), scale)
        strips = _images(rows, size, file, scale)
        return Decoding(strips, size, metadata_at(metadata_of(file), size), file)


def _images(
    rows: Iterator[npt.NDArray[np.float32]], size: tuple[int, int], file: GczFile, scale: Scale
) -> Iterator[Image.Image]:
    """Strips of the decoded picture: gray where that is, with flat parts and alpha."""
    width, height = size
    parts, alpha = flat_parts_of(file), small_alpha(file, scale)
    flat = None if parts is None else SmallFlatParts(parts, scale, width)
    top = 0
    for found in rows:
        x = found[: height - top, :width]
        if flat is not None:
            x = flat.applied(x, top)
        if file.gray:
            x = x @ np.array(LUMA, np.float32)
        image = Image.fromarray(np.rint(x * 255).astype(np.uint8))
        if alpha is not None:
            image.putalpha(alpha.crop((0, top, width, top + len(x))))
        top += len(x)
        yield image


def small_alpha(file: GczFile, scale: Scale) -> Image.Image | None:
    """The alpha channel at 1 / scale; None where there is none."""
    body = file.body(SectionId.ALPHA)
    if body is None:
        return None
    return Image.fromarray(decode_alpha(body, file.height, file.width)).reduce(scale)
