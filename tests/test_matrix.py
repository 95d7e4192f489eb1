"""Two hundred files decoded in many environments, run by `make test-slow`: symbols identical, pixels within a level."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from gccodec.codec.picture import Picture
from tests.paths import CHELSEA, COFFEE

pytestmark = pytest.mark.slow
PICTURES = 200

DECODE = """
import sys, zlib
from pathlib import Path
import numpy as np, torch
from gccodec.codec.codec import Codec
from gccodec.codec.latent import decode_latent
from gccodec.container.file import parse
folder, threads, kernels, strip_pixels, coder, out = sys.argv[1:]
torch.set_num_threads(int(threads))
torch.backends.mkldnn.enabled = kernels == "onednn"
codec = Codec.load(strip_pixels=int(strip_pixels))
codec.latents = codec.weights.latent_codec(coder == "twin")
pixels, checksums = [], []
for path in sorted(Path(folder).glob("*.gcz")):
    data = path.read_bytes()
    latent = np.concatenate(list(decode_latent(codec.latents, parse(data))))
    checksums.append(zlib.crc32(latent.astype("<i8").tobytes()))
    pixels.append(codec.decode(data).pixels.reshape(-1))
np.savez(out, checksums=np.array(checksums), pixels=np.concatenate(pixels))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory, codec):
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(1)
    with Image.open(COFFEE) as a, Image.open(CHELSEA) as b:
        sources = [a.convert("RGB"), b.convert("RGB")]
    for i in range(PICTURES):
        image = sources[i % 2]
        width, height = (int(rng.integers(17, 161)) for _ in range(2))
        left, top = (int(rng.integers(0, n - m + 1)) for n, m in zip(image.size, (width, height), strict=True))
        part = Picture(image.crop((left, top, left + width, top + height)))
        (folder / f"{i:03d}.gcz").write_bytes(codec.encode(part, quality=int(rng.integers(0, 1001))).data)
    return folder


def decoded(files, tmp_path, capability, threads, kernels, strip_pixels, coder):
    out = tmp_path / "out.npz"
    command = [sys.executable, "-W", "ignore", "-c", DECODE, files, threads, kernels, strip_pixels, coder, out]
    environment = os.environ | ({"ATEN_CPU_CAPABILITY": capability} if capability != "native" else {})
    result = subprocess.run(list(map(str, command)), env=environment, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    with np.load(out) as arrays:
        return arrays["checksums"], arrays["pixels"].astype(np.int16)


def test_every_environment_decodes_the_same_symbols(files, tmp_path):
    checksums, pixels = decoded(files, tmp_path, "native", 1, "onednn", 1 << 18, "constriction")
    assert len(checksums) == PICTURES
    matrix = itertools.product(("native", "avx2", "default"), (1, 2, 4), ("onednn", "plain"))
    variants = [(*v, 1 << 18, "constriction") for v in matrix]
    variants += [("native", 2, "onednn", strip_pixels, "constriction") for strip_pixels in (1, 4096)]
    variants += [("native", 2, "onednn", 1 << 18, "twin")]
    for variant in variants:
        there, other = decoded(files, tmp_path, *variant)
        assert np.array_equal(there, checksums), variant
        difference = np.abs(other - pixels)
        print(variant, f"pixels: at most {difference.max()}, {100 * (difference > 0).mean():.3f} % differ")
        same_precision = variant[0] == "native" and variant[2] == "onednn"
        assert difference.max() <= (1 if same_precision else 8), variant
