"""Training photographs: packed once into one array of bytes, cropped at random."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gccodec.errors import PictureError
from gccodec.image.opening import decoding, detect, open_image

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff"}
HELD_OUT_EVERY = 61
"""Every 61st picture is kept out of training, for validation."""

VALIDATION_PX = 256
"""Side of the crops that a run reports on; no picture is smaller."""

BOXED_WEIGHT = 2
"""Pictures with faces or letters are drawn so much more often."""

LARGER_SHARE, CLOSE_UP_SHARE = 0.4, 0.8
"""Shares of the windows whose side is drawn, without and with close-ups; the others are as large
as a crop."""


def read_pictures(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """Name and RGB picture of every picture file in the folder and in the tar shards of its top
    level. PictureError for one that cannot be read."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            with path.open("rb") as file:
                yield str(path.relative_to(folder)), _rgb(file)
    for shard in sorted(folder.glob("*.tar")):
        with tarfile.open(shard) as tar:
            for member in tar:
                if Path(member.name).suffix.lower() in SUFFIXES:
                    data = tar.extractfile(member)
                    if data is not None:
                        yield member.name, _rgb(io.BytesIO(data.read()))


def _rgb(file: IO[bytes]) -> Image.Image:
    """The picture of a file; PictureError when it cannot be read."""
    form = detect(file)
    with decoding(), open_image(file, form) as image:
        return image.convert("RGB")


def source_of(name: str, index: dict[str, str]) -> str:
    """The source of a picture by index.tsv (columns tile, source), else the folder that it lies
    in."""
    return index.get(Path(name).stem, str(Path(name).parent))


def boxed_tiles(folder: Path) -> set[str]:
    """The names, without suffix, of the pictures that boxes.tsv (column tile) knows faces or
    letters of."""
    if not (folder / "boxes.tsv").exists():
        return set()
    with open(folder / "boxes.tsv", newline="") as file:
        return {row["tile"] for row in csv.DictReader(file, delimiter="\t")}


class Window(NamedTuple):
    """A square of the picture of this number, in pixels, and whether it is mirrored."""

    picture: int
    top: int
    left: int
    side: int
    flipped: bool


class PhotoDataset:
    """The training photographs, as one flat memory map of bytes beside a JSON index.

    train and held_out are the numbers of the pictures that are drawn from and of those kept for
    validation; weight [train] is how often each is drawn.
    """

    def __init__(self, cache: Path) -> None:
        """Open a folder that `pack` made."""
        self.entries: list[tuple[int, int, int, str]] = [
            tuple(e) for e in json.loads((cache / "index.json").read_text())
        ]
        self.pixels = np.memmap(cache / "pixels.u8", np.uint8, "r")
        order = np.arange(len(self.entries))
        self.held_out = order[::HELD_OUT_EVERY]
        self.train = np.setdiff1d(order, self.held_out)
        sources = np.array([self.entries[i][3] for i in self.train])
        names, inverse, counts = np.unique(sources, return_inverse=True, return_counts=True)
        weight = counts[inverse] ** -0.5  # single-topic sources must not dominate by their count
        if (cache / "boxed.json").exists():
            boxed = np.isin(self.train, json.loads((cache / "boxed.json").read_text()))
            weight = np.where(boxed, BOXED_WEIGHT, 1) * weight
        self.weight = weight / weight.sum()

    @classmethod
    def pack(cls, folder: Path, cache: Path, crop_px: int = VALIDATION_PX) -> PhotoDataset:
        """Decode every picture of a folder that holds a crop, once; an existing cache is kept,
        whatever the folder. PictureError when there is no such picture."""
        minimum_side = max(crop_px, VALIDATION_PX)
        if not (cache / "index.json").exists():
            cache.mkdir(parents=True, exist_ok=True)
            index: dict[str, str] = {}
            if (folder / "index.tsv").exists():
                with open(folder / "index.tsv", newline="") as file:
                    index = {
                        row["tile"]: row["source"] for row in csv.DictReader(file, delimiter="\t")
                    }
            entries, boxed, boxed_names, offset = [], [], boxed_tiles(folder), 0
            with open(cache / "pixels.u8", "wb") as out:
                for name, image in read_pictures(folder):
                    if min(image.size) >= minimum_side:
                        if Path(name).stem in boxed_names:
                            boxed.append(len(entries))
                        entries.append((offset, image.height, image.width, source_of(name, index)))
                        out.write(image.tobytes())
                        offset += image.height * image.width * 3
            if not entries:
                raise PictureError(
                    f"{folder}: no pictures with sides of at least {minimum_side} px"
                )
            (cache / "boxed.json").write_text(json.dumps(boxed))
            (cache / "index.json").write_text(json.dumps(entries))
        return cls(cache)

    def picture(self, i: int) -> np.ndarray:
        """The pixels of picture i, uint8 [H, W, 3]."""
        offset, height, width, _ = self.entries[i]
        return self.pixels[offset : offset + height * width * 3].reshape(height, width, 3)

    def windows(
        self, rng: np.random.Generator, count: int, size: int, close_up: bool = False
    ) -> list[Window]:
        """Random squares of training pictures, some larger than `size`, half of them flipped.

        close_up: most windows have any side from half of `size` on, so that things look as large as
        they do from close by.
        """
        windows = []
        for i in rng.choice(self.train, count, p=self.weight):
            _, height, width, _ = self.entries[i]
            most = min(height, width)
            if close_up:
                side = (
                    round(size / 2 * (2 * most / size) ** rng.random())
                    if rng.random() < CLOSE_UP_SHARE
                    else size
                )
            else:
                side = int(rng.integers(size, most + 1)) if rng.random() < LARGER_SHARE else size
            top, left = (int(rng.integers(0, n - side + 1)) for n in (height, width))
            windows.append(Window(int(i), top, left, side, bool(rng.random() < 0.5)))
        return windows

    def crops(self, windows: Sequence[Window], size: int) -> Tensor:
        """The pixels of windows, scaled to `size` px a side: uint8 [count, 3, size, size]."""
        batch = []
        for picture, top, left, side, flipped in windows:
            crop = self.picture(picture)[top : top + side, left : left + side]
            if side != size:
                crop = np.asarray(
                    Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC)
                )
            batch.append(crop[:, ::-1] if flipped else crop)
        return torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)

    def validation(self, count: int, size: int) -> Tensor:
        """Centre crops of the first held-out pictures, [count, 3, size, size] in [0, 1]."""
        return self.middles(self.held_out[:count], size)

    def middles(self, pictures: Iterable[int], size: int) -> Tensor:
        """Centre crops of some pictures, [count, 3, size, size] in [0, 1]."""
        batch = []
        for i in pictures:
            image = self.picture(i)
            top, left = ((n - size) // 2 for n in image.shape[:2])
            batch.append(image[top : top + size, left : left + size])
        return torch.from_numpy(np.stack(batch).transpose(0, 3, 1, 2).copy()).float() / 255
