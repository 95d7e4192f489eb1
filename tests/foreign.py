"""Read, code and decode every file under a folder, and compare with Pillow's own rendering.

    python -m tests.foreign FOLDER [FOLDER ...] [--out table.tsv] [--read-only]

For public suites of pictures (python-pillow's Tests/images, PngSuite, libtiff's,
libjpeg-turbo's), which are not part of the project. Each file gets one outcome:

    same        size, upright orientation, colours and alpha are those of Pillow's rendering
    explained   they differ, and a note of the picture says why ours        Pillow cannot read it,
    we can refused     neither can read it, or it is no picture for us; the error names the reason
    only theirs Pillow reads it, we refuse it, though its format is one that we read differs     a
    difference without a note lossy       the decoded file is not the picture that was read (size,
    gray, alpha or mean colours) traceback   an exception that is not one of gccodec's

The exit status is 1 if there is any of the last four. Figures are kept in
tests/results/foreign_pictures.tsv.
"""

from __future__ import annotations

import argparse
import collections
import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps

from gccodec.codec.codec import Codec
from gccodec.errors import GccodecError, LimitError
from gccodec.image.picture import Picture
from gccodec.image.reader import read_picture

READING_GRID, CODING_GRID = 4, 2
"""Colours and alpha are compared as means of a grid of so many fields along each side."""

READING_LEVELS, CODING_LEVELS = 3.0, 32.0
"""Of 255, in the mean of a field: what reading may differ by, and what coding at the default rate
may."""

CODED_PIXELS = 1 << 22
"""Larger pictures are read and compared, but not coded."""

RIGHTLY_REFUSED = ("a checksum of its data is wrong",)
"""What Pillow shows and libpng refuses: pixels that may be damaged."""

BAD = ("only theirs", "differs", "lossy", "traceback")
OUR_FORMATS = frozenset(
    ("JPEG", "MPO", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF", "JPEG2000", "PPM", "TGA")
    + ("ICO", "HEIF", "JXL")
)


class Rendering(NamedTuple):
    """RGBA uint8 [H, W, 4], upright, in sRGB; format as Pillow names it."""

    rgba: npt.NDArray[np.uint8]
    format: str


class Outcome(NamedTuple):
    path: Path
    kind: str
    reason: str


def pillows(data: bytes) -> Rendering | str:
    """What a careful user of Pillow would show, or why there is nothing."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            form, icc = image.format or "?", image.info.get("icc_profile")
            image.load()
            if form == "PNG" and data[24] in (2, 4) and image.mode == "L":
                key = image.info.get("transparency")
                if key is not None:  # pixels are widened to 8 bits, tRNS is not
                    image.info["transparency"] = key * 255 // (2 ** data[24] - 1)
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith(("I", "F")):
                return Rendering(_deep(upright), form)
            if icc and upright.mode in ("RGB", "RGBA", "CMYK"):
                upright = _srgb(upright, icc)
            return Rendering(np.asarray(upright.convert("RGBA")), form)
    except Exception as error:  # whatever a decoder raises
        return f"{type(error).__name__}: {error}"


def _deep(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Integers by their high byte; floats as 0..1, or as 0..255 where they go beyond."""
    values = np.asarray(image).astype(np.float64)
    factor = 1 / 257
    if image.mode == "F":
        values = np.nan_to_num(values)
        factor = 255 if values.max() <= 1 else 1
    gray = np.clip(np.rint(values * factor), 0, 255).astype(np.uint8)
    return np.dstack([gray, gray, gray, np.full_like(gray, 255)])


def _srgb(image: Image.Image, icc: bytes) -> Image.Image:
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    try:
        out = ImageCms.profileToProfile(
            image.convert("RGB") if alpha else image,
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
        )
    except (ImageCms.PyCMSError, OSError):
        return image
    assert out is not None
    if alpha:
        out.putalpha(alpha)
    return out


def shown(picture: Picture) -> npt.NDArray[np.uint8]:
    """The picture as `Rendering.rgba`, its profile applied."""
    image = picture.whole()
    if picture.metadata.icc is not None and image.mode == "RGB":
        image = _srgb(image, picture.metadata.icc)
    rgb = np.asarray(image.convert("RGB"))
    alpha = np.full(rgb.shape[:2], 255, np.uint8) if picture.alpha is None else picture.alpha
    return np.dstack([rgb, alpha])


def fields(rgba: npt.NDArray[np.uint8], grid: int) -> npt.NDArray[np.float64]:
    """Mean of alpha, and of colours over black, in each field: [grid, grid, 4]."""
    rows, columns = (np.array_split(np.arange(n), min(grid, n)) for n in rgba.shape[:2])
    values = rgba.astype(np.float64)
    values[..., :3] *= values[..., 3:] / 255
    return np.array([[values[r][:, c].mean((0, 1)) for c in columns] for r in rows])


def difference(
    a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8], levels: float, grid: int
) -> str | None:
    """What differs, in a few words; None when nothing does."""
    if a.shape != b.shape:
        return f"size {b.shape[1]}x{b.shape[0]}, expected {a.shape[1]}x{a.shape[0]}"
    apart = np.abs(fields(a, grid) - fields(b, grid))
    if apart[..., 3].max() > levels:
        return f"alpha differs by {apart[..., 3].max():.0f} levels"
    if apart[..., :3].max() > levels:
        return f"colours differ by {apart[..., :3].max():.0f} levels"
    return None


def coded(codec: Codec, picture: Picture) -> str | None:
    """What a file loses that it should not."""
    data = codec.encode(picture, effort=0).data
    decoded = codec.decode(data)
    if decoded.file.gray != picture.gray:
        return "gray is not what it was"
    if (decoded.alpha is None) != (picture.alpha is None):
        return "alpha came or went"
    if picture.alpha is not None and not np.array_equal(decoded.alpha, picture.alpha):
        return "alpha is not exact"
    pixels = picture.pixels if not picture.gray else np.dstack([picture.pixels] * 3)
    back = decoded.pixels if not decoded.file.gray else np.dstack([decoded.pixels] * 3)
    alpha = np.full(pixels.shape[:2], 255, np.uint8) if picture.alpha is None else picture.alpha
    return difference(
        np.dstack([pixels, alpha]), np.dstack([back, alpha]), CODING_LEVELS, CODING_GRID
    )


def _rightly_refused(error: GccodecError) -> bool:
    return any(reason in str(error) for reason in RIGHTLY_REFUSED)


def judged(path: Path, codec: Codec | None) -> Outcome:
    """One file; `codec` None: it is only read."""
    data = path.read_bytes()
    theirs = pillows(data)
    try:
        picture = read_picture(data)
        ours = shown(picture)
    except GccodecError as error:
        if (
            isinstance(theirs, str)
            or theirs.format not in OUR_FORMATS
            or isinstance(error, LimitError)
            or _rightly_refused(error)
        ):
            return Outcome(path, "refused", str(error))
        return Outcome(path, "only theirs", str(error))
    except Exception as error:  # the very thing that is looked for
        return Outcome(path, "traceback", f"{type(error).__name__}: {error}")
    if codec is not None and picture.image.size[0] * picture.image.size[1] <= CODED_PIXELS:
        try:
            if lost := coded(codec, picture):
                return Outcome(path, "lossy", lost)
        except Exception as error:
            return Outcome(path, "traceback", f"coding: {type(error).__name__}: {error}")
    notes = "; ".join(picture.notes)
    if isinstance(theirs, str):
        return Outcome(path, "ours", f"{theirs} | {notes}")
    apart = difference(theirs.rgba, ours, READING_LEVELS, READING_GRID)
    if apart is None:
        return Outcome(path, "same", notes)
    return Outcome(path, "explained" if notes else "differs", f"{apart} | {notes}")


def files(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(p for p in folder.rglob("*") if p.is_file())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, help="write a line a file: outcome, path, reason")
    parser.add_argument("--read-only", action="store_true", help="do not code")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    codec = None if arguments.read_only else Codec.load()
    outcomes = []
    for path in files(arguments.folders):
        outcomes.append(judged(path, codec))
        if outcomes[-1].kind in (*BAD, "explained"):
            print(*outcomes[-1], sep="\t", flush=True)
    for kind, count in sorted(collections.Counter(o.kind for o in outcomes).items()):
        print(f"{count:6} {kind}")
    print(f"{len(outcomes):6} files")
    if arguments.out:
        lines = [f"{o.kind}\t{o.path}\t{' '.join(o.reason.split())}\n" for o in outcomes]
        arguments.out.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
    return int(any(o.kind in BAD for o in outcomes))


if __name__ == "__main__":
    sys.exit(main())
