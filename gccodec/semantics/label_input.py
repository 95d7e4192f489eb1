"""Label and instance maps from PNG files, and label maps on the grid that files carry."""

from __future__ import annotations

import io
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image

from gccodec.entropy.constants import LABEL_CELL_PX, LABEL_CLASSES, UNKNOWN_LABEL
from gccodec.errors import PictureError, UsageError
from gccodec.image.clean_png import clean_png
from gccodec.image.opening import decoding, detect, open_image
from gccodec.semantics.label_classes import LABEL_SETS, fold_from, unified_classes

PNG_UNKNOWN = 255
"""Stands for UNKNOWN_LABEL in pictures of ids."""
MASK_THRESHOLD = 127
"""Pixels of a keep mask above it are kept."""


def _opened(data: bytes, what: str, width: int, height: int) -> Image.Image:
    """A picture of ids, or of colours, of the right size."""
    file = io.BytesIO(data)
    try:
        image = _checked(file, what, width, height)
    except PictureError as error:
        raise PictureError(f"{what}: {error}") from error
    return image


def _checked(file: IO[bytes], what: str, width: int, height: int) -> Image.Image:
    form = detect(file)
    with decoding():
        image = open_image(clean_png(file).file if form == "PNG" else file, form)
        if image.size != (width, height):
            raise UsageError(
                f"{what}: {image.size[0]}x{image.size[1]}, the picture is {width}x{height}"
            )
        image.load()
    return image


def read_labels(
    data: bytes, width: int, height: int, label_set: str | None = None
) -> npt.NDArray[np.uint8]:
    """Unified ids [H, W], UNKNOWN_LABEL for void, of a picture of ids or of the palette's colours.

    `label_set` names the data set whose ids it holds. UsageError for another size, unknown ids or
    colours.
    """
    if label_set is not None and label_set not in LABEL_SETS:
        raise UsageError(f"label set {label_set!r}: known are {', '.join(LABEL_SETS)}")
    image = _opened(data, "label map", width, height)
    if image.mode in ("RGB", "RGBA"):
        return _from_colours(np.asarray(image.convert("RGB")))
    if image.mode not in ("L", "P", "1"):
        raise UsageError(
            f"label map: mode {image.mode}, expected ids in 8 bits (L or P) or colours (RGB)"
        )
    ids = np.asarray(image).astype(np.uint8)
    if label_set is not None:
        return np.asarray(fold_from(label_set, UNKNOWN_LABEL)[ids])
    wrong = np.setdiff1d(ids, [*range(UNKNOWN_LABEL), PNG_UNKNOWN])
    if len(wrong):
        raise UsageError(
            f"label map: id {wrong[0]}, allowed 0..{LABEL_CLASSES - 1} and {PNG_UNKNOWN} for"
            f" unknown (--labels-from)"
        )
    return np.where(ids == PNG_UNKNOWN, np.uint8(UNKNOWN_LABEL), ids)


def _from_colours(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    codes = (pixels.astype(np.int64) * (1 << 16, 1 << 8, 1)).sum(2)
    labels = np.full(codes.shape, PNG_UNKNOWN, np.uint8)
    known = np.zeros(codes.shape, bool)
    for entry in unified_classes():
        red, green, blue = entry.colour
        found = codes == red << 16 | green << 8 | blue
        labels[found] = min(entry.id, UNKNOWN_LABEL)
        known |= found
    if not known.all():
        red, green, blue = pixels[~known][0].tolist()
        raise UsageError(f"label map: colour ({red}, {green}, {blue}) is none of the palette's")
    return labels


def read_instances(data: bytes, width: int, height: int) -> npt.NDArray[np.uint16]:
    """Instance ids [H, W], of a gray picture of 8 or 16 bits or a palette."""
    image = _opened(data, "instance map", width, height)
    if image.mode not in ("L", "P", "1", "I;16", "I"):
        raise UsageError(f"instance map: mode {image.mode}, expected ids in 8 or 16 bits of gray")
    return np.asarray(image).astype(np.uint16)


def read_mask(data: bytes, width: int, height: int) -> npt.NDArray[np.bool_]:
    """What to keep, bool [H, W]: the pixels above 127 of a picture, in gray."""
    return np.asarray(_opened(data, "keep mask", width, height).convert("L")) > MASK_THRESHOLD


def to_cells(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Unified ids [H, W] -> the commonest of each 8 px cell, the lowest of equals: [ceil(H / 8),
    ceil(W / 8)]."""
    height, width = labels.shape
    pad = ((0, -height % LABEL_CELL_PX), (0, -width % LABEL_CELL_PX))
    padded = np.pad(labels, pad, mode="edge")
    rows, columns = padded.shape[0] // LABEL_CELL_PX, padded.shape[1] // LABEL_CELL_PX
    cells = padded.reshape(rows, LABEL_CELL_PX, columns, LABEL_CELL_PX)
    best, count = np.zeros((rows, columns), np.uint8), np.full((rows, columns), -1)
    for label in np.unique(labels):
        here = (cells == label).sum((1, 3))
        better = here > count
        best[better], count[better] = label, here[better]
    return best


def to_png(cells: npt.NDArray[np.uint8], width: int, height: int) -> Image.Image:
    """The label map [h, w] of a file as a palette picture [H, W] of unified ids, 255 where
    unknown."""
    ids = np.where(cells == UNKNOWN_LABEL, np.uint8(PNG_UNKNOWN), cells)
    full = ids.repeat(LABEL_CELL_PX, 0).repeat(LABEL_CELL_PX, 1)[:height, :width]
    image = Image.fromarray(full)
    palette = np.zeros((256, 3), np.uint8)
    for entry in unified_classes():
        palette[entry.id] = entry.colour
    image.putpalette(palette.tobytes())
    return image
