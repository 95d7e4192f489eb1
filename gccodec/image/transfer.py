"""Transfer functions: values of pictures -> light, and HDR's light brought into the range of sRGB.

IEC 61966-2-1 (sRGB), SMPTE ST 2084 (PQ), ITU-R BT.2100 (HLG). Highlights are rolled off as ITU-R
BT.2390-10, section 5.4, does, so that what is darker than paper stays as it is.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

REFERENCE_WHITE_NITS = 203
"""Paper white in HDR (ITU-R BT.2408): as bright as sRGB's white."""
HDR_PEAK_NITS = 1000
"""What HDR pictures are graded for, where they do not tell; brighter parts are white."""
PQ_PEAK_NITS = 10_000
HLG_SYSTEM_GAMMA = 1.2


def srgb_light(values: Floats) -> Floats:
    """sRGB's curve (IEC 61966-2-1): values in 0..1 -> light in 0..1."""
    light: Floats = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return light


@functools.cache
def srgb_steps() -> npt.NDArray[np.float32]:
    """The 255 amounts of light between one 8-bit value and the next."""
    return srgb_light((np.arange(255) + 0.5) / 255).astype(np.float32)


def pq_nits(values: Floats) -> Floats:
    """SMPTE ST 2084: values in 0..1 -> cd/m2 up to 10,000."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = np.asarray(values) ** (1 / m2)
    nits: Floats = PQ_PEAK_NITS * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return nits


def pq_values(nits: Floats) -> Floats:
    """The inverse of `pq_nits`."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (np.asarray(nits) / PQ_PEAK_NITS) ** m1
    values: Floats = ((c1 + c2 * power) / (1 + c3 * power)) ** m2
    return values


def hlg_scene(values: Floats) -> Floats:
    """ITU-R BT.2100: values in 0..1 -> light of the scene in 0..1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    light: Floats = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    return light


def rolled_off(light: Floats) -> Floats:
    """Light relative to paper white, up to HDR's peak -> 0..1 (BT.2390: a Hermite spline above the
    knee, in PQ)."""
    peak = float(pq_values(np.array(float(HDR_PEAK_NITS))))
    values = (
        pq_values(np.clip(light, 0, HDR_PEAK_NITS / REFERENCE_WHITE_NITS) * REFERENCE_WHITE_NITS)
        / peak
    )
    top = float(pq_values(np.array(float(REFERENCE_WHITE_NITS)))) / peak
    knee = 1.5 * top - 0.5
    t = (values - knee) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * top
    )
    mapped: Floats = pq_nits(np.where(values < knee, values, spline) * peak) / REFERENCE_WHITE_NITS
    return np.clip(mapped, 0, 1)


@functools.cache
def roll_off_table() -> tuple[Floats, Floats]:
    """Light, denser where it is dark, and what becomes of it."""
    light: Floats = np.linspace(0, 1, 4096) ** 2 * (HDR_PEAK_NITS / REFERENCE_WHITE_NITS)
    return light, rolled_off(light)
