"""Colour spaces that are told by numbers instead of an ICC profile, and their conversion to sRGB.

ITU-T H.273 (code points), PNG third edition, section 4.3; HDR is `gccodec.image.transfer`'s.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.image.transfer import (
    HDR_PEAK_NITS,
    HLG_SYSTEM_GAMMA,
    REFERENCE_WHITE_NITS,
    Floats,
    hlg_scene,
    pq_nits,
    roll_off_table,
    srgb_light,
    srgb_steps,
)

Hdr = Literal["PQ", "HLG"]
Point = tuple[float, float]
"""Chromaticity x, y."""

SRGB_GAMMA = 1 / 2.2
"""What a PNG file says in gAMA where it means sRGB: 45455."""
GAMMA_TOLERANCE = 0.05
"""Relative; nobody sees less (the threshold of libpng)."""
CHROMATICITY_TOLERANCE = 0.005
"""How far x and y may be off: what files round and what authors mistype."""

_STRIP_VALUES = 1 << 20
"""Converted at a time, so that floats do not take the memory of a whole picture."""


class Primaries(NamedTuple):
    """Chromaticities of red, green, blue and white."""

    red: Point
    green: Point
    blue: Point
    white: Point


D65: Point = (0.3127, 0.3290)
_C: Point = (0.310, 0.316)
SRGB_PRIMARIES = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)
BT2020_PRIMARIES = Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65)
P3_PRIMARIES = Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65)
_SMPTE_170M = Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65)
PRIMARIES = {
    1: SRGB_PRIMARIES,
    2: SRGB_PRIMARIES,  # unspecified
    4: Primaries((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: _SMPTE_170M,
    7: _SMPTE_170M,
    8: Primaries((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: BT2020_PRIMARIES,
    10: Primaries((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3)),
    11: P3_PRIMARIES._replace(white=(0.314, 0.351)),
    12: P3_PRIMARIES,
    22: Primaries((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), D65),
}
"""Primaries by H.273 code point."""
PRIMARIES_NAMES = {
    4: "BT.470 M", 5: "BT.470 BG", 6: "BT.601", 7: "SMPTE 240M", 8: "film", 9: "BT.2020", 10: "XYZ",
    11: "DCI-P3", 12: "Display P3", 22: "EBU 3213",
}  # fmt: skip

VIDEO_TRANSFERS = frozenset([1, 2, 6, 7, 11, 12, 13, 14, 15])
"""Camera curves like that of BT.709, and what is unspecified: pictures that carry them are meant to
be shown as sRGB is, as browsers do."""
LINEAR, LOG_100, LOG_316, ST_428, PQ, HLG = 8, 9, 10, 17, 16, 18
_POWERS = {4: 2.2, 5: 2.8, LINEAR: 1.0}


class ColourSpace(NamedTuple):
    """What light the values of a picture stand for.

    power: the exponent that makes light of a value, None for sRGB's curve; hdr or logarithm in its
    place, where not None (light = 10^(logarithm * (value - 1))); narrow: black and white are 16 and
    235 of 255.
    """

    name: str
    primaries: Primaries = SRGB_PRIMARIES
    power: float | None = None
    hdr: Hdr | None = None
    logarithm: float | None = None
    scale: float = 1.0
    narrow: bool = False

    @property
    def is_srgb(self) -> bool:
        """Whether values can stay as they are."""
        plain = (
            self.power is None and self.hdr is None and self.logarithm is None and not self.narrow
        )
        return plain and _same_primaries(self.primaries, SRGB_PRIMARIES)


ROMM_RGB = ColourSpace(
    "ROMM RGB",
    Primaries((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), (0.3457, 0.3585)),
    power=1.8,
)
"""ISO 22028-2, but for the straight line near black."""


def coded_space(primaries: int, transfer: int, narrow: bool = False) -> ColourSpace | None:
    """The colour space of code points of H.273; None where one is reserved."""
    if primaries not in PRIMARIES:
        return None
    of = PRIMARIES[primaries]
    words = [PRIMARIES_NAMES[primaries]] if primaries in PRIMARIES_NAMES else []
    space = ColourSpace("", of, narrow=narrow)
    if transfer in (PQ, HLG):
        hdr: Hdr = "PQ" if transfer == PQ else "HLG"
        space = space._replace(hdr=hdr)
        words.append(hdr)
    elif transfer in (LOG_100, LOG_316):
        space = space._replace(logarithm=2.0 if transfer == LOG_100 else 2.5)
        words.append("logarithmic")
    elif transfer == ST_428:
        space = space._replace(power=2.6, scale=52.37 / 48)
        words.append("gamma 2.6")
    elif transfer in _POWERS:
        space = space._replace(power=_POWERS[transfer])
        words.append("linear" if transfer == LINEAR else f"gamma {_POWERS[transfer]}")
    elif transfer not in VIDEO_TRANSFERS:
        return None
    if narrow:
        words.append("narrow range")
    return space._replace(name=", ".join(words) or "BT.709")


def measured_space(gamma: float | None, primaries: Primaries | None) -> ColourSpace | None:
    """The colour space of a file that gives the exponent that made values of light and
    chromaticities, or one of them.

    None where they make no sense.
    """
    power = None
    words = []
    if gamma is not None:
        if not 0.01 <= gamma <= 100:
            return None
        if abs(gamma / SRGB_GAMMA - 1) > GAMMA_TOLERANCE:
            power = 1 / gamma
            words.append(f"gamma {gamma:.5g}")
    if primaries is not None:
        if not _sound(primaries):
            return None
        if not _same_primaries(primaries, SRGB_PRIMARIES):
            words.append("other primaries")
    return ColourSpace(", ".join(words) or "sRGB", primaries or SRGB_PRIMARIES, power)


def _same_primaries(a: Primaries, b: Primaries) -> bool:
    return bool(np.abs(np.subtract(a, b)).max() <= CHROMATICITY_TOLERANCE)


def _sound(primaries: Primaries) -> bool:
    """Whether a colour can be told by them: a triangle with the white inside."""
    if min(y for _, y in primaries[:3]) < 0 or primaries.white[1] <= 0.01:
        return False
    try:
        weights = _white_weights(primaries)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(weights).all() and (weights > 1e-4).all() and (weights < 1e4).all())


def _xyz(point: Point) -> Floats:
    """X, Y and Z of a chromaticity, with x + y + z = 1."""
    x, y = point
    return np.array([x, y, 1 - x - y])


def _white_weights(primaries: Primaries) -> Floats:
    columns = np.stack([_xyz(p) for p in primaries[:3]], 1)
    weights: Floats = np.linalg.solve(columns, _xyz(primaries.white) / primaries.white[1])
    return weights


def _to_xyz(primaries: Primaries) -> Floats:
    """The matrix [3, 3] that makes XYZ, white's Y being 1, of linear RGB (SMPTE RP 177)."""
    return np.stack([_xyz(p) for p in primaries[:3]], 1) * _white_weights(primaries)


_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def to_srgb_matrix(primaries: Primaries) -> Floats:
    """The matrix [3, 3] from linear RGB to linear sRGB; white becomes white (Bradford
    adaptation)."""
    source, target = (_BRADFORD @ (_xyz(w) / w[1]) for w in (primaries.white, D65))
    adaptation = np.linalg.inv(_BRADFORD) @ np.diag(target / source) @ _BRADFORD
    matrix: Floats = np.linalg.inv(_to_xyz(SRGB_PRIMARIES)) @ adaptation @ _to_xyz(primaries)
    return matrix


def _light(space: ColourSpace, values: Floats) -> Floats:
    """Values in 0..1 -> light, 1 being sRGB's white; of HLG, the scene's."""
    if space.narrow:
        values = np.clip((values * 255 - 16) / 219, 0, 1)
    if space.hdr == "PQ":
        return pq_nits(values) / REFERENCE_WHITE_NITS
    if space.hdr == "HLG":
        return hlg_scene(values)
    if space.logarithm is not None:
        return np.where(values > 0, 10 ** (space.logarithm * (values - 1)), 0)
    if space.power is None:
        return srgb_light(values)
    light: Floats = space.scale * values**space.power
    return light


class SrgbConversion:
    """A colour space's way to sRGB, for strip after strip."""

    def __init__(self, space: ColourSpace) -> None:
        self.space = space
        self._matrix = to_srgb_matrix(space.primaries).astype(np.float32)
        self._luminance = _to_xyz(space.primaries)[1].astype(np.float32)
        self._tables: dict[int, npt.NDArray[np.float32]] = {}

    def __call__(self, values: npt.NDArray[np.uint8 | np.uint16]) -> npt.NDArray[np.uint8]:
        """uint8 or uint16 [H, W, 3], or [H, W] of gray -> uint8 of that shape."""
        out = np.empty(values.shape, np.uint8)
        rows = max(1, _STRIP_VALUES // max(1, math.prod(values.shape[1:])))
        for top in range(0, len(values), rows):
            out[top : top + rows] = self._strip(values[top : top + rows])
        return out

    def _strip(self, values: npt.NDArray[np.uint8 | np.uint16]) -> npt.NDArray[np.uint8]:
        light = self._table(int(np.iinfo(values.dtype).max))[values]
        if self.space.hdr is not None:
            light = self._toned(light)
        if values.ndim == 3:
            light = light @ self._matrix.T
        return np.searchsorted(srgb_steps(), light).astype(np.uint8)

    def _table(self, top: int) -> npt.NDArray[np.float32]:
        """The light of each value 0..top."""
        if top not in self._tables:
            self._tables[top] = _light(self.space, np.arange(top + 1) / top).astype(np.float32)
        return self._tables[top]

    def _toned(self, light: Floats) -> Floats:
        """HDR light in the range of sRGB, its hue kept: the brightest channel says how much it is
        dimmed."""
        if self.space.hdr == "HLG":
            bright = light if light.ndim == 2 else light @ self._luminance
            gain = (HDR_PEAK_NITS / REFERENCE_WHITE_NITS) * bright ** (HLG_SYSTEM_GAMMA - 1)
            light = light * (gain if light.ndim == 2 else gain[..., None])
        brightest = light if light.ndim == 2 else light.max(-1)
        dimmed = np.interp(brightest, *roll_off_table())
        ratio = np.divide(dimmed, brightest, out=np.zeros_like(dimmed), where=brightest > 0)
        toned: Floats = (light * (ratio if light.ndim == 2 else ratio[..., None])).astype(
            np.float32
        )
        return toned
