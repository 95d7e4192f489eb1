"""Colours by the formulae and numbers of the standards, one value at a time, for tests to compare
with."""

import numpy as np

XYZ_OF_P3 = np.array([
    [0.4865709486482162, 0.26566769316909306, 0.1982172852343625],
    [0.2289745640697488, 0.6917385218365064, 0.079286914093745],
    [0.0, 0.04511338185890264, 1.043944368900976],
])  # fmt: skip
XYZ_OF_BT2020 = np.array([
    [0.6369580483012914, 0.14461690358620832, 0.1688809751641721],
    [0.2627002120112671, 0.6779980715188708, 0.05930171646986196],
    [0.0, 0.028072693049087428, 1.060985057710791],
])  # fmt: skip
SRGB_OF_XYZ = np.array([
    [3.2409699419045226, -1.537383177570094, -0.4986107602930034],
    [-0.9692436362808796, 1.8759675015077202, 0.04155505740717559],
    [0.05563007969699366, -0.20397695888897652, 1.0569715142428786],
])  # fmt: skip
"""Linear light; the sample code of CSS Color 4."""


def srgb_level(light):
    """Light 0..1 -> 0..255, not rounded (IEC 61966-2-1)."""
    light = min(max(light, 0.0), 1.0)
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def light_of_srgb(value):
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def srgb_levels(colour, xyz_of, light=light_of_srgb):
    """A colour of three values 0..1 in a space -> three sRGB levels."""
    linear = SRGB_OF_XYZ @ xyz_of @ np.array([light(value) for value in colour])
    return [srgb_level(value) for value in linear]


def pq_nits(value):
    """SMPTE ST 2084, equation 4.1."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = value ** (1 / m2)
    return 10000 * (max(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def pq_value(nits):
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    power = (nits / 10000) ** m1
    return ((c1 + c2 * power) / (1 + c3 * power)) ** m2


def hlg_nits(value):
    """Gray of ITU-R BT.2100 on a display of 1000 cd/m2."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = value * value / 3 if value <= 0.5 else (np.exp((value - c) / a) + b) / 12
    return 1000 * scene**1.2
