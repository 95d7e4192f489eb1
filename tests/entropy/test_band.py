"""One band: what becomes of its symbols."""

import numpy as np

from gccodec.entropy.band import latents_of
from gccodec.entropy.constants import LATENT_FRACTION_BITS, MAX_LATENT


def test_latents_of_symbols_of_any_size_are_those_of_wide_integers():
    symbols = np.array(
        [0, 1, -1, 255, 256, -257, 511, 512, -513, 1 << 23, -(1 << 24), (1 << 24) + 9] * 3, np.int32
    )
    mean = np.repeat(np.array([-MAX_LATENT, 77, MAX_LATENT], np.int32), len(symbols) // 3)
    coded = np.arange(len(symbols)) % 5 > 0
    wide = ((symbols.astype(np.int64) << LATENT_FRACTION_BITS) + mean) * coded
    found = latents_of(symbols, mean, coded)
    assert found.dtype == np.int16
    assert np.array_equal(found, np.clip(wide, -MAX_LATENT, MAX_LATENT))
