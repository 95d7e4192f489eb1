"""Rewrite the golden files with the shipped weights: `make golden`."""

import json
import zlib

import numpy as np
from PIL import Image

from gccodec.codec.codec import Codec
from gccodec.codec.selection import decode_latent
from gccodec.container.file import parse
from gccodec.image.picture import Picture
from tests.paths import CHELSEA, COFFEE, GOLDEN


def main() -> None:
    codec = Codec.load()
    checksums = {}
    for path in GOLDEN.glob("*.gcz"):
        path.unlink()
    for name, source, quality, gray in (("coffee", COFFEE, 250, False), ("chelsea", CHELSEA, 800, True)):
        with Image.open(source) as image:
            pixels = np.asarray(image.convert("L" if gray else "RGB"))
        data = codec.encode(Picture.of(pixels), quality=quality).data
        (GOLDEN / f"{name}.gcz").write_bytes(data)
        checksums[f"{name}.gcz"] = zlib.crc32(
            np.concatenate(list(decode_latent(codec.latents, parse(data), None))).astype("<i8").tobytes()
        )
    (GOLDEN / "latents.json").write_text(json.dumps(checksums, indent=2) + "\n")


if __name__ == "__main__":
    main()
