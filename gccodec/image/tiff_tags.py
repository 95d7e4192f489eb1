"""TIFF tags that describe how pixels are stored, and so mean nothing in another file."""

from __future__ import annotations

from gccodec.image.tiff_structure import RATIONAL, SHORT, Field

XMP_TAG, ICC_TAG = 700, 34675
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296

STRUCTURAL_TAGS = frozenset(
    [
        *range(254, 267),  # sizes, bits, compression, photometric interpretation, fill order
        273, *range(277, 282), 284,  # strips, samples, planes
        *range(288, 294), 301,  # free space, gray response, fax options, transfer function
        317, *range(320, 329), 330, 332, 333, 334, 336,  # predictor, colour map, tiles, inks
        # samples, clip path, JPEG tables, fax
        *range(338, 348), 351, *range(400, 405), 433, 434, 435,
        *range(512, 533), 559,  # JPEG and YCbCr
        XMP_TAG, ICC_TAG,  # written apart
        32953, 32954, *range(32995, 32999), *range(33300, 33306),  # SGI, Pixar
        33421, 33422, 34232, 37439, 37724,  # colour filter array, Photoshop's layers
        *range(50674, 50678), *range(50706, 51200), *range(52525, 52600),  # DNG: what a sensor saw
    ]
)  # fmt: skip

_RESOLUTIONS = {X_RESOLUTION: RATIONAL, Y_RESOLUTION: RATIONAL, RESOLUTION_UNIT: SHORT}


def is_descriptive(field: Field) -> bool:
    """Whether a TIFF file can hold the field without its pixels, or their size on paper, being
    misread."""
    if field.tag in STRUCTURAL_TAGS:
        return False
    wanted = _RESOLUTIONS.get(field.tag)
    if wanted is None:
        return True
    halves = field.value[:4], field.value[4:]
    whole = wanted == SHORT or all(any(half) for half in halves)
    return field.type == wanted and field.amount == 1 and whole
