"""Label maps made from the picture itself, for `--labels auto`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont

from gccodec.entropy.constants import LABEL_CELL_PX, UNKNOWN_LABEL
from gccodec.entropy.grid import label_grid
from gccodec.model.precision import autocast
from gccodec.model.segmenter import STRIDE_PX, Segmenter
from gccodec.model.threads import keep_to_own_threads
from gccodec.semantics.label_classes import unified_classes
from gccodec.weights.file import WeightsFile
from gccodec.weights.folder import WeightsFolder

MAX_SIDE_PX = 768
"""Larger pictures are labelled at this size: the network knows things as large as they are in such
pictures."""

LEGEND_ROW_PX = 18


class Labeller:
    """One loaded label network."""

    def __init__(self, weights: WeightsFile, device: torch.device | str = "cpu") -> None:
        """WeightsError when the file is not that of a label network."""
        keep_to_own_threads()
        self.network = Segmenter.load(weights)
        self.device = torch.device(device)
        self.network.to(self.device).eval().requires_grad_(False)

    @classmethod
    def load(cls, device: torch.device | str = "cpu", folder: Path | None = None) -> Labeller:
        """Load the label network from a folder of weights, None for the installed one."""
        return cls(WeightsFolder.at(folder).load("labels"), device)

    def cells(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Unified ids [ceil(H / 8), ceil(W / 8)] of a picture in mode RGB or L.

        By the mean of what the network says of the picture and of its mirror image, which is right
        more often.
        """
        keep_to_own_threads()
        scale = min(1.0, MAX_SIDE_PX / max(image.size))
        width, height = (max(1, round(n * scale / STRIDE_PX)) * STRIDE_PX for n in image.size)
        resized = image.resize(
            (width, height), Image.Resampling.BILINEAR, reducing_gap=2.0
        ).convert("RGB")
        x = torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode(), autocast(self.device):
            as_is, mirrored = (
                self.network(torch.cat([x, x.flip(3)]).to(self.device)).float().split(1)
            )
        logits = as_is + mirrored.flip(3)
        grid = label_grid(image.height, image.width)
        return (
            F.interpolate(logits, grid, mode="bilinear").argmax(1)[0].to(torch.uint8).cpu().numpy()
        )


def to_label_pixels(cells: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """Ids [ceil(H / 8), ceil(W / 8)] -> of every pixel [H, W]."""
    return cells.repeat(LABEL_CELL_PX, 0).repeat(LABEL_CELL_PX, 1)[:height, :width]


def overlay(image: Image.Image, cells: npt.NDArray[np.uint8]) -> Image.Image:
    """The picture under the colours of its labels, and below it a legend with the share of each
    class."""
    classes = {min(c.id, UNKNOWN_LABEL): c for c in unified_classes()}
    colours = np.array([classes[i].colour for i in range(UNKNOWN_LABEL + 1)], np.uint8)
    painted = Image.fromarray(colours[to_label_pixels(cells, *image.size)])
    ids, counts = np.unique(cells, return_counts=True)
    order = np.argsort(-counts)
    out = Image.new("RGB", (image.width, image.height + LEGEND_ROW_PX * len(ids)), "white")
    out.paste(Image.blend(image.convert("RGB"), painted, 0.5))
    draw, font = ImageDraw.Draw(out), ImageFont.load_default()
    for row, k in enumerate(order):
        entry, top = classes[int(ids[k])], image.height + LEGEND_ROW_PX * row
        draw.rectangle((4, top + 3, 16, top + 15), fill=entry.colour, outline="black")
        draw.text(
            (22, top + 3), f"{entry.name} {counts[k] / cells.size:.1%}", fill="black", font=font
        )
    return out
