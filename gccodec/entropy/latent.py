"""One traversal of the latent for encoder, decoder and rate control; they differ in the source of
symbols."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor

import numpy as np
import numpy.typing as npt

from gccodec.entropy.context import LATENT_FRACTION_BITS, LATENT_LIMIT, BandContext, IntegerContext
from gccodec.entropy.mask import BLOCK, Quality, blocks_of, kept_blocks, kept_in_blocks, rows_of
from gccodec.entropy.order import STEPS, gather, scatter
from gccodec.entropy.range_coder import CoderFactory
from gccodec.entropy.side import NO_SIDE_INFORMATION, SideInformation
from gccodec.entropy.symbol_source import (
    DecodingSource,
    EncodingSource,
    FittingSource,
    Int16Array,
    Limit,
    QuantizingSource,
    SymbolSource,
)
from gccodec.entropy.tables import FrequencyTables, IntArray, require_integers
from gccodec.errors import ChecksumError

BAND_POSITIONS = 1 << 15
"""Rows are coded in bands, one after the other, so that memory stays flat; most pictures are one
band (FORMAT.md)."""

DIGEST_MASK = 0xFFFF
"""The digest is the low 16 bits of the CRC-32 of all symbols."""

MAX_TELLING_SYMBOL = 2 * (LATENT_LIMIT + 1) >> LATENT_FRACTION_BITS
"""Of a symbol, all that matters for its latent, which is limited."""


def fixed_point(y: npt.NDArray[np.float32]) -> Int16Array:
    """y in quantization steps as the encoder takes it."""
    return np.clip(np.rint(y * (1 << LATENT_FRACTION_BITS)), -LATENT_LIMIT, LATENT_LIMIT).astype(
        np.int16
    )


def band_rows(width: int) -> int:
    """Rows of a band on a grid `width` positions wide: whole blocks of the hyperprior."""
    return max(BLOCK, BAND_POSITIONS // width // BLOCK * BLOCK)


def code_band(
    context: IntegerContext,
    band: Int16Array,
    above: Int16Array | None,
    quality: Quality,
    source: SymbolSource,
    crc: int,
    side: SideInformation = NO_SIDE_INFORMATION,
    spent: npt.NDArray[np.float32] | None = None,
) -> int:
    """Replace `band` [n, W, C] by what is coded; returns the symbols' CRC-32, continued from `crc`.

    What is not kept is left out of the stream; its latents are zero. `spent` [n, W], zeros, is
    filled with the bits of each position; those of a hyper-latent are spread over what is kept of
    its block.

    The band holds an encoder's y, a decoder's zeros, and then latents; all are in 1/128 steps.
    `above`: the last row [1, W, C] of the band before; quality: 0..1000. The first row of `side`
    and of a quality map is then that row's.
    """
    height, width = band.shape[:2]
    own = slice(int(above is not None), None)
    own_quality, keep = rows_of(quality, own), side.rows(own).keep
    if keep is None:
        keep = np.ones((height, width), bool)
    band *= keep[..., None]
    index = context.hyper.table_index(*context.hyper.grid(height, width), blocks_of(own_quality))
    coded = np.repeat(kept_blocks(keep).reshape(-1), context.hyper.channels)
    z = np.zeros(len(index), np.int32)
    normalised = functools.partial(context.normalised, band, own_quality)
    z[coded] = source.hyper_latents(
        index[coded], lambda: context.hyper.analyse(normalised())[coded]
    )
    crc = zlib.crc32(z.astype("<i4").tobytes(), crc)
    if spent is not None:
        blocks = (
            _bits(source.tables, index, z, coded)
            .reshape(*context.hyper.grid(height, width), -1)
            .sum(2)
        )
        share = blocks / np.maximum(kept_in_blocks(keep), 1)
        spent += share.repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width] * keep
    offset = context.offset(z, height, width)
    side_channels = context.side_channels(side, height, width, above is not None)
    seen = np.concatenate([band[:0] if above is None else above, np.zeros_like(band)])
    known = seen[own]
    at_work = BandContext(context, seen, quality, offset, side_channels, above is not None)
    for step in range(STEPS):
        prediction = at_work.predict(step)
        coded = gather(step, np.broadcast_to(keep[..., None], band.shape))
        symbols = np.zeros(len(coded), np.int32)
        symbols[coded] = source.symbols(prediction, coded, gather(step, band))
        require_integers("symbols", symbols)
        crc = zlib.crc32(symbols.astype("<i4").tobytes(), crc)
        if spent is not None:
            bits = np.zeros(band.shape, np.float32)
            scatter(step, _bits(source.tables, prediction.table_index, symbols, coded), bits)
            spent += bits.sum(2)
        scatter(step, _values(symbols, prediction.mean, coded), known)
        if step < STEPS - 1:
            at_work.learn(step, known)
    band[...] = known
    return crc


def _values(symbols: IntArray, mean: IntArray, coded: npt.NDArray[np.bool_]) -> Int16Array:
    """Latents in 1/128 of a step; 0 where they are not coded."""
    # means are within the limit, so that symbols beyond twice of it lead beyond the limit, however
    # far
    values = np.clip(symbols, -MAX_TELLING_SYMBOL, MAX_TELLING_SYMBOL) << LATENT_FRACTION_BITS
    values += mean
    np.clip(values, -LATENT_LIMIT, LATENT_LIMIT, out=values)
    values *= coded
    return values.astype(np.int16)


def _bits(
    tables: FrequencyTables, index: IntArray, symbols: IntArray, coded: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """Of each symbol, 0 where it is not coded."""
    bits = np.zeros(len(symbols), np.float32)
    bits[coded] = tables.bits(index[coded], symbols[coded])
    return bits


def traverse(
    context: IntegerContext,
    bands: Iterable[Int16Array],
    quality: Quality,
    source: SymbolSource,
    side: SideInformation = NO_SIDE_INFORMATION,
) -> int:
    """`code_band` on all bands of a latent, from top to bottom; returns its digest."""
    crc, above, top = 0, None, 0
    for band in bands:
        rows = slice(top - int(above is not None), top + len(band))
        crc = code_band(context, band, above, rows_of(quality, rows), source, crc, side.rows(rows))
        above = band[-1:].copy()
        top += len(band)
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
        traverse(self.context, bands, quality, source, side)
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
        digest = traverse(self.context, bands, quality, source, side)
        source.settle()
        return coder.finish(), digest

    def decode(
        self,
        payload: bytes,
        height: int,
        width: int,
        quality: Quality,
        digest: int,
        side: SideInformation = NO_SIDE_INFORMATION,
        spent: npt.NDArray[np.float32] | None = None,
    ) -> Iterator[Int16Array]:
        """The bands of a grid ceil(picture / 16), in 1/128 of a quantization step; `spent` is as in
        `code_band`.

        CorruptError where the payload is no stream of this coder, ChecksumError before the last
        band when the symbols do not have the digest.
        """
        source = DecodingSource(self.tables, self.coders.decoder(payload))
        rows, crc, above = band_rows(width), 0, None
        for top in range(0, height, rows):
            band = np.zeros((min(rows, height - top), width, self.context.channels), np.int16)
            seen = slice(top - int(above is not None), top + len(band))
            account = None if spent is None else spent[top : top + rows]
            crc = code_band(
                self.context,
                band,
                above,
                rows_of(quality, seen),
                source,
                crc,
                side.rows(seen),
                account,
            )
            if top + rows >= height and crc & DIGEST_MASK != digest:
                raise ChecksumError(
                    f"symbol digest: computed {crc & DIGEST_MASK:04x}, the file says {digest:04x}"
                )
            above = band[-1:].copy()
            yield band
