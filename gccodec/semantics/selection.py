"""What a file keeps of a picture, and how it makes the rest (FORMAT.md).

With a label map, selective coding (Agustsson et al. 2019, section 3.3): latents outside the kept
region are not coded, the generator has the label map everywhere. Without one, a region of interest:
the rest is coded more coarsely.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gccodec.container.file import GczFile
from gccodec.container.section import Section, SectionId
from gccodec.container.varint import write_varint
from gccodec.entropy.constants import LATENT_CELL_PX
from gccodec.entropy.grid import grid_size, label_grid, padded
from gccodec.entropy.label_map import LabelMapCodec
from gccodec.entropy.mask import KeepMask, Quality, QualityMap
from gccodec.entropy.side_information import NO_SIDE_INFORMATION, SideInformation
from gccodec.errors import UsageError
from gccodec.semantics.keep_mask import encode_keep_mask, keep_mask, keep_mask_of, rest_quality_of
from gccodec.weights.bitstream import Bitstream


class Selection(NamedTuple):
    """What to keep of a picture H pixels high and W wide, and what becomes of the rest.

    keep: bool [ceil(H / 16), ceil(W / 16)]; labels: uint8 [ceil(H / 8), ceil(W / 8)], unified ids
    or UNKNOWN_LABEL, from which the rest is synthesised; None: it is coded at `rest_quality`
    0..1000. keep_pixels: bool [H, W], the pixels for whose sake `keep` is what it is; None: all of
    these positions'. No file says so.
    """

    keep: KeepMask
    labels: npt.NDArray[np.uint8] | None = None
    rest_quality: int = 0
    keep_pixels: npt.NDArray[np.bool_] | None = None

    @classmethod
    def around(
        cls,
        keep_pixels: npt.NDArray[np.bool_],
        labels: npt.NDArray[np.uint8] | None,
        rest_quality: int = 0,
    ) -> Selection:
        """The selection of the latent positions that hold any of these pixels [H, W]."""
        return cls(keep_mask(keep_pixels), labels, rest_quality, keep_pixels)

    def check(self, width: int, height: int) -> None:
        """UsageError unless its grids are those of a picture of that size, and `keep` is what
        `keep_pixels` asks for."""
        wrong_labels = self.labels is not None and self.labels.shape != label_grid(height, width)
        wrong_pixels = self.keep_pixels is not None and self.keep_pixels.shape != (height, width)
        if wrong_labels or wrong_pixels or self.keep.shape != grid_size(height, width):
            raise UsageError(f"selection: its grids are not those of a {width}x{height} picture")
        if self.keep_pixels is not None and not np.array_equal(
            keep_mask(self.keep_pixels), self.keep
        ):
            raise UsageError("selection: its positions are not those that hold the pixels to keep")

    def pixels(self, width: int, height: int) -> npt.NDArray[np.bool_]:
        """Pixels to keep, [height, width]."""
        if self.keep_pixels is not None:
            return self.keep_pixels
        return self.keep.repeat(LATENT_CELL_PX, 0)[:height].repeat(LATENT_CELL_PX, 1)[:, :width]

    @property
    def side(self) -> SideInformation:
        """The side information that latents are coded with."""
        return (
            NO_SIDE_INFORMATION
            if self.labels is None
            else SideInformation(self.keep, self.labels_of_latents())
        )

    def quality(self, kept: int) -> Quality:
        """The quality of every latent, `kept` where it is kept."""
        return QualityMap(self.keep, kept, self.rest_quality) if self.labels is None else kept

    def sections(self, bitstream: Bitstream) -> tuple[Section, ...]:
        """The sections that carry the selection in a file; WeightsError for labels and a model that
        was not trained with them."""
        mask = Section(int(SectionId.KEEP_MASK), encode_keep_mask(self.keep))
        if self.labels is None:
            return mask, Section(int(SectionId.REST_QUALITY), write_varint(self.rest_quality))
        return Section(
            int(SectionId.LABEL_MAP),
            LabelMapCodec(bitstream.label_initial_state).encode(self.labels),
        ), mask

    @classmethod
    def of(cls, file: GczFile, bitstream: Bitstream) -> Selection | None:
        """The selection of a parsed file; None for a plain one. CorruptError where a section is
        damaged."""
        keep, rest = keep_mask_of(file), rest_quality_of(file)
        if keep is None:
            return None
        if rest is not None:
            return cls(keep, None, rest)
        body = file.body(SectionId.LABEL_MAP)
        assert body is not None, "a keep mask goes with a label map or a quality of the rest"
        codec = LabelMapCodec(bitstream.label_initial_state)
        return cls(keep, codec.decode(body, *label_grid(file.height, file.width)))

    def labels_of_latents(self) -> npt.NDArray[np.int64]:
        """The label map on whole latent positions, the last row or column repeated: [2 h, 2 w]."""
        assert self.labels is not None
        return padded(self.labels, *(2 * n for n in self.keep.shape)).astype(np.int64)
