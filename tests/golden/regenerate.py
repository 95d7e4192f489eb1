"""Make the golden files that are missing, with the shipped weights: `make golden`. What is there
stays as it is."""

import json
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from gccodec.codec.codec import Codec
from gccodec.codec.latent import decode_latent
from gccodec.container.file import parse
from gccodec.image.picture import Picture
from tests.paths import CHELSEA, COFFEE, GOLDEN

LATENTS = GOLDEN / "latents.json"


def graphics() -> Picture:
    """61x40, rings in four colours with a soft transparent border: what lossless.gcz holds."""
    y, x = np.mgrid[:40, :61]
    rings = (np.maximum(abs(x - 30), abs(y - 20)) // 6) % 4
    colours = np.array([[255, 255, 255], [0, 0, 0], [220, 20, 30], [10, 90, 200]], np.uint8)
    return Picture.of(colours[rings], np.clip(30 * np.minimum(x, 60 - x), 0, 255).astype(np.uint8))


def _add_photographs() -> None:
    checksums = json.loads(LATENTS.read_text()) if LATENTS.exists() else {}
    for name, source, quality, gray in (
        ("coffee", COFFEE, 250, False),
        ("chelsea", CHELSEA, 800, True),
    ):
        path = GOLDEN / f"{name}.gcz"
        if path.exists():
            continue
        codec = Codec.load()
        with Image.open(source) as image:
            pixels = np.asarray(image.convert("L" if gray else "RGB"))
        _add(path, codec.encode(Picture.of(pixels), quality=quality, effort=0).data)
        latents = list(decode_latent(codec.latents, parse(path.read_bytes()), None))
        checksums[path.name] = zlib.crc32(np.concatenate(latents).astype("<i8").tobytes())
        LATENTS.write_text(json.dumps(checksums, indent=2) + "\n")


def _add(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)


def main() -> None:
    _add_photographs()
    if not (path := GOLDEN / "lossless.gcz").exists():
        _add(path, Codec.load().encode(graphics(), effort=0).data)


if __name__ == "__main__":
    main()
