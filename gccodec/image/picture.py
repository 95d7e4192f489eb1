"""A picture as the codec takes it: pixels, alpha and metadata."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from gccodec.image.metadata import Metadata


class Pixels(Protocol):
    """Mode RGB or L: a Pillow picture, or one that is read a strip at a time."""

    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def mode(self) -> str: ...
    def crop(self, box: tuple[int, int, int, int], /) -> Image.Image: ...


def cropped(image: Pixels, box: tuple[int, int, int, int]) -> Image.Image:
    """The box left, top, right, bottom of a picture, a copy; of a streamed one, best from top to
    bottom.

    A Pillow picture's own `crop` goes by a limit of the whole process, which is for files that
    nobody has checked.
    """
    if not isinstance(image, Image.Image):
        return image.crop(box)
    left, top, right, bottom = box
    # without a colour it is left unfilled
    part = Image.new(image.mode, (right - left, bottom - top), None)
    part.paste(image, (-left, -top))
    return part


class Picture(NamedTuple):
    """image in mode RGB or L; alpha uint8 [H, W] or None when opaque.

    notes: what was converted or dropped, one line each; partial: the file holds further pictures,
    which are not here.
    """

    image: Pixels
    alpha: npt.NDArray[np.uint8] | None = None
    metadata: Metadata = Metadata()
    notes: tuple[str, ...] = ()
    partial: bool = False

    @classmethod
    def of(
        cls,
        pixels: npt.NDArray[np.uint8],
        alpha: npt.NDArray[np.uint8] | None = None,
        metadata: Metadata = Metadata(),  # noqa: B008  # immutable
    ) -> Picture:
        """The picture of pixels uint8 [H, W, 3] RGB or [H, W] gray."""
        return cls(Image.fromarray(pixels), alpha, metadata)

    @property
    def pixels(self) -> npt.NDArray[np.uint8]:
        """uint8 [H, W, 3] or [H, W]; a copy."""
        return np.asarray(self.whole())

    def whole(self) -> Image.Image:
        """All pixels at once; a copy."""
        return cropped(self.image, (0, 0, *self.image.size))

    @property
    def streamed(self) -> bool:
        """Read from its file as the pixels are asked for."""
        return not isinstance(self.image, Image.Image)

    @property
    def gray(self) -> bool:
        return self.image.mode == "L"
