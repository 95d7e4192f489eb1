"""One band of a latent through the context model; encoder, decoder and rate control differ in the
source of its symbols."""

from __future__ import annotations

import functools
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.entropy.band_context import BandContext
from gccodec.entropy.constants import HYPER_BLOCK, LATENT_FRACTION_BITS, MAX_LATENT
from gccodec.entropy.context import IntegerContext
from gccodec.entropy.mask import (
    KeepMask,
    Quality,
    blocks_of,
    kept_blocks,
    kept_in_blocks,
    rows_of,
)
from gccodec.entropy.order import STEPS, gather, scatter
from gccodec.entropy.side_information import SideInformation
from gccodec.entropy.symbol_source import Int16Array, SymbolSource
from gccodec.entropy.tables import FrequencyTables, IntArray, require_integers

MAX_TELLING_SYMBOL = 2 * (MAX_LATENT + 1) >> LATENT_FRACTION_BITS
"""The largest part of a symbol that matters for its latent, which is limited."""


class Band(NamedTuple):
    """Some rows of a latent, and what both sides know of them.

    latents: int16 [n, W, C] in 1/128 steps, an encoder's y or a decoder's zeros, which coding
    replaces; above: the last row [1, W, C] of the band before, None at the top; quality (0..1000)
    and side: of all these rows, that above first, if there is one; bits_map: float32 [n, W], zeros
    that coding fills with the bits of each position, None where nobody asks.
    """

    latents: Int16Array
    above: Int16Array | None
    quality: Quality
    side: SideInformation
    bits_map: npt.NDArray[np.float32] | None = None

    @property
    def own(self) -> slice:
        """The band's own rows among those of `quality` and `side`."""
        return slice(int(self.above is not None), None)

    @property
    def own_quality(self) -> Quality:
        """The quality of the band's own rows."""
        return rows_of(self.quality, self.own)

    @property
    def keep(self) -> KeepMask:
        """Which positions are coded, [n, W]."""
        keep = self.side.rows(self.own).keep
        return np.ones(self.latents.shape[:2], bool) if keep is None else keep


def code_band(context: IntegerContext, band: Band, source: SymbolSource, crc: int) -> int:
    """Replace the latents of a band by what is coded; returns the symbols' CRC-32, continued from
    `crc`.

    What is not kept is left out of the stream; its latents are zero. The bits of a hyper-latent are
    spread over what is kept of its block.
    """
    height, width = band.latents.shape[:2]
    band.latents[...] *= band.keep[..., None]
    z, crc = _code_hyper_latents(context, band, source, crc)
    offset = context.offset(z, height, width)
    has_above = band.above is not None
    side_channels = context.side_channels(band.side, height, width, has_above)
    above = band.latents[:0] if band.above is None else band.above
    seen = np.concatenate([above, np.zeros_like(band.latents)])
    at_work = BandContext(context, seen, band.quality, offset, side_channels, has_above)
    known = seen[band.own]
    for step in range(STEPS):
        crc = _code_step(step, at_work, known, band, source, crc)
        if step < STEPS - 1:
            at_work.learn(step, known)
    band.latents[...] = known
    return crc


def _code_hyper_latents(
    context: IntegerContext, band: Band, source: SymbolSource, crc: int
) -> tuple[IntArray, int]:
    """Hyper-latents in canonical order, 0 where a block holds nothing that is kept; and the CRC."""
    (height, width), keep = band.latents.shape[:2], band.keep
    grid = context.hyper.grid(height, width)
    index = context.hyper.table_index(*grid, blocks_of(band.own_quality))
    coded = np.repeat(kept_blocks(keep).reshape(-1), context.hyper.channels)
    z = np.zeros(len(index), np.int32)
    normalised = functools.partial(context.normalised, band.latents, band.own_quality)
    z[coded] = source.hyper_latents(
        index[coded], lambda: context.hyper.analyse(normalised())[coded]
    )
    if band.bits_map is not None:
        blocks = _bits(source.tables, index, z, coded).reshape(*grid, -1).sum(2)
        share = blocks / np.maximum(kept_in_blocks(keep), 1)
        band.bits_map[...] += (
            share.repeat(HYPER_BLOCK, 0).repeat(HYPER_BLOCK, 1)[:height, :width] * keep
        )
    return z, zlib.crc32(z.astype("<i4").tobytes(), crc)


def _code_step(
    step: int, at_work: BandContext, known: Int16Array, band: Band, source: SymbolSource, crc: int
) -> int:
    """Write what a step codes into the known latents [n, W, C]; returns the CRC."""
    prediction = at_work.predict(step)
    coded = gather(step, np.broadcast_to(band.keep[..., None], known.shape))
    symbols = np.zeros(len(coded), np.int32)
    symbols[coded] = source.symbols(prediction, coded, gather(step, band.latents))
    require_integers("symbols", symbols)
    if band.bits_map is not None:
        bits = np.zeros(known.shape, np.float32)
        scatter(step, _bits(source.tables, prediction.table_index, symbols, coded), bits)
        band.bits_map[...] += bits.sum(2)
    scatter(step, latents_of(symbols, prediction.mean, coded), known)
    return zlib.crc32(symbols.astype("<i4").tobytes(), crc)


def latents_of(symbols: IntArray, mean: IntArray, coded: npt.NDArray[np.bool_]) -> Int16Array:
    """The latents int16 [n], in 1/128 of a step, that symbols stand for; 0 where none is coded."""
    # means are within the limit, so that symbols beyond twice of it lead beyond the limit, however
    # far
    values = np.clip(symbols, -MAX_TELLING_SYMBOL, MAX_TELLING_SYMBOL) << LATENT_FRACTION_BITS
    values += mean
    np.clip(values, -MAX_LATENT, MAX_LATENT, out=values)
    values *= coded
    return values.astype(np.int16)


def _bits(
    tables: FrequencyTables, index: IntArray, symbols: IntArray, coded: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """The bits of each symbol, 0 where it is not coded."""
    bits = np.zeros(len(symbols), np.float32)
    bits[coded] = tables.bits(index[coded], symbols[coded])
    return bits
