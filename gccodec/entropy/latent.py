"""A whole latent: one traversal of its bands serves encoder, decoder and rate control."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.band import Band, code_band
from gccodec.entropy.constants import HYPER_BLOCK, LATENT_FRACTION_BITS, MAX_LATENT
from gccodec.entropy.context import IntegerContext
from gccodec.entropy.mask import Quality, rows_of
from gccodec.entropy.range_coder import CoderFactory
from gccodec.entropy.side_information import NO_SIDE_INFORMATION, SideInformation
from gccodec.entropy.symbol_source import (
    DecodingSource,
    EncodingSource,
    FittingSource,
    Int16Array,
    Limit,
    QuantizingSource,
    SymbolSource,
)
from gccodec.entropy.tables import FrequencyTables
from gccodec.errors import ChecksumError

BAND_POSITIONS = 1 << 15
"""Rows are coded in bands, one after the other, so that memory stays flat; most pictures are one
band (FORMAT.md)."""

DIGEST_MASK = 0xFFFF
"""The digest is the low 16 bits of the CRC-32 of all symbols."""


def fixed_point(y: npt.NDArray[np.float32]) -> Int16Array:
    """y in quantization steps as the encoder takes it."""
    return np.clip(np.rint(y * (1 << LATENT_FRACTION_BITS)), -MAX_LATENT, MAX_LATENT).astype(
        np.int16
    )


def band_rows(width: int) -> int:
    """Rows of a band on a grid `width` positions wide: whole blocks of the hyperprior."""
    return max(HYPER_BLOCK, BAND_POSITIONS // width // HYPER_BLOCK * HYPER_BLOCK)


class CodedBand(NamedTuple):
    """latents: int16 [n, W, C] in 1/128 steps; crc: CRC-32 of all symbols down to the band."""

    latents: Int16Array
    crc: int


def traverse(
    context: IntegerContext,
    bands: Iterable[Int16Array],
    quality: Quality,
    source: SymbolSource,
    side: SideInformation = NO_SIDE_INFORMATION,
    bits_map: npt.NDArray[np.float32] | None = None,
) -> Iterator[CodedBand]:
    """Code all bands of a latent from top to bottom; they are overwritten.

    bands: int16 [n, W, C], n as `band_rows` but for the last; quality, side and bits_map [H, W]: of
    the whole latent, as `Band` has them.
    """
    crc, above, top = 0, None, 0
    for latents in bands:
        rows = slice(top - int(above is not None), top + len(latents))
        bits = None if bits_map is None else bits_map[top : top + len(latents)]
        band = Band(latents, above, rows_of(quality, rows), side.rows(rows), bits)
        crc = code_band(context, band, source, crc)
        above = latents[-1:].copy()
        top += len(latents)
        yield CodedBand(latents, crc)


def digest_of(crc: int) -> int:
    """What a file holds of the CRC-32 of all its symbols."""
    return crc & DIGEST_MASK


class LatentCodec:
    """y <-> payload bytes for one weights file."""

    def __init__(
        self, context: IntegerContext, tables: FrequencyTables, pure_python: bool = False
    ) -> None:
        self.context, self.tables = context, tables
        self.coders = CoderFactory(tables, pure_python)

    def cost(
        self,
        bands: Iterable[Int16Array],
        quality: Quality,
        rate_weight: float = 0.0,
        side: SideInformation = NO_SIDE_INFORMATION,
    ) -> float:
        """Payload size in bits that `encode` will reach, to a byte or so. Overwrites the bands."""
        source = QuantizingSource(self.tables, rate_weight)
        for _ in traverse(self.context, bands, quality, source, side):
            pass
        return source.bits

    def encode(
        self,
        bands: Iterable[Int16Array],
        quality: Quality,
        rate_weight: float = 0.0,
        side: SideInformation = NO_SIDE_INFORMATION,
        limit: Limit | None = None,
        writer: Executor | None = None,
    ) -> tuple[bytes, int]:
        """bands: int16 [n, W, C] from `fixed_point`, n as `band_rows` but for the last; they become
        the latents.

        Positions that are not kept are not coded and become zero. A limit is kept to where a little
        is missing for that (`FittingSource`). writer: see `EncodingSource`. Returns the payload and
        the symbols' digest.
        """
        coder = self.coders.encoder()
        if limit is None:
            source = EncodingSource(self.tables, rate_weight, coder, writer)
        else:
            source = FittingSource(self.tables, rate_weight, coder, limit, writer)
        crc = 0
        for band in traverse(self.context, bands, quality, source, side):
            crc = band.crc
        source.settle()
        return coder.finish(), digest_of(crc)

    def decode(
        self,
        payload: bytes,
        height: int,
        width: int,
        quality: Quality,
        digest: int,
        side: SideInformation = NO_SIDE_INFORMATION,
        bits_map: npt.NDArray[np.float32] | None = None,
    ) -> Iterator[Int16Array]:
        """The bands of a grid ceil(picture / 16), in 1/128 of a quantization step; bits_map: as
        in `traverse`.

        CorruptError where the payload is no stream of this coder, ChecksumError before the last
        band when the symbols do not have the digest.
        """
        source, top = DecodingSource(self.tables, self.coders.decoder(payload)), 0
        for band in traverse(
            self.context, self._zeros(height, width), quality, source, side, bits_map
        ):
            top += len(band.latents)
            if top == height and digest_of(band.crc) != digest:
                raise ChecksumError(
                    f"symbol digest: computed {digest_of(band.crc):04x}, the file says {digest:04x}"
                )
            yield band.latents

    def _zeros(self, height: int, width: int) -> Iterator[Int16Array]:
        """The bands of a latent of which nothing is known."""
        rows = band_rows(width)
        for top in range(0, height, rows):
            yield np.zeros((min(rows, height - top), width, self.context.channels), np.int16)
