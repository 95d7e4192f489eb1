"""Two hundred pictures in many environments, run by `make test-slow`: symbols and files identical,
pixels close."""

import itertools
import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from gccodec.image.picture import Picture
from tests.paths import CHELSEA, COFFEE

pytestmark = pytest.mark.slow
PICTURES = 200

SETUP = """
import sys, zlib
from pathlib import Path
import numpy as np, torch
from PIL import Image
from gccodec.codec.codec import Codec
from gccodec.image.picture import Picture
from gccodec.codec.latent import decode_latent
from gccodec.semantics.selection import Selection
from gccodec.container.file import parse
folder, out, threads, kernels, layout, strip_pixels, coder = sys.argv[1:]
torch.set_num_threads(int(threads))
torch.backends.mkldnn.enabled = kernels == "onednn"
codec = Codec.load(strip_pixels=int(strip_pixels))
for network in (codec.transforms.analysis, codec.transforms.generator):
    network.to(memory_format=getattr(torch, layout))
codec.latents = codec.bitstream.latent_codec(coder == "python")
results, checksums = [], []
"""
DECODE = (
    SETUP
    + """
for path in sorted(Path(folder).glob("*.gcz")):
    data = path.read_bytes()
    file = parse(data)
    latent = np.concatenate(list(decode_latent(codec.latents, file, Selection.of(file, codec.bitstream))))
    checksums.append(zlib.crc32(latent.astype("<i8").tobytes()))
    results.append(codec.decode(data).pixels.reshape(-1))
np.savez(out, checksums=np.array(checksums), pixels=np.concatenate(results))
"""
)
ENCODE = (
    SETUP
    + """
for i, path in enumerate(sorted(Path(folder).glob("*.png"))):
    with Image.open(path) as image:
        picture = Picture(image.convert("RGB"))
    checksums.append(zlib.crc32(codec.encode(picture, quality=5 * i).data))
np.savez(out, checksums=np.array(checksums))
"""
)


class Environment(NamedTuple):
    threads: int = 1
    kernels: str = "onednn"
    layout: str = "channels_last"
    strip_pixels: int = 1 << 18
    coder: str = "constriction"
    variables: Mapping[str, str] = MappingProxyType({})


THREADS, STRIPS = (1, 2, 4), (1, 4096, 1 << 18)
ATEN = [{}, {"ATEN_CPU_CAPABILITY": "avx2"}, {"ATEN_CPU_CAPABILITY": "default"}]
NUMPY = [
    {"OPENBLAS_CORETYPE": "Prescott"},
    {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"},
    {"OPENBLAS_NUM_THREADS": "2"},
]
MATRIX = [
    *(
        Environment(t, k, variables=v)
        for v, t, k in itertools.product(ATEN, THREADS, ("onednn", "plain"))
    ),
    *(Environment(2, layout=layout) for layout in ("channels_last", "contiguous_format")),
    *(Environment(2, strip_pixels=strip_pixels) for strip_pixels in STRIPS),
    *(Environment(2, coder="python", variables=v) for v in [{}, *NUMPY]),
    *(Environment(2, variables=v) for v in NUMPY),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory, codec):
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(1)
    with Image.open(COFFEE) as a, Image.open(CHELSEA) as b:
        sources = [a.convert("RGB"), b.convert("RGB")]
    for i in range(PICTURES):
        image = sources[i % 2]
        width, height = (int(rng.integers(17, 161)) for _ in range(2))
        left, top = (
            int(rng.integers(0, n - m + 1))
            for n, m in zip(image.size, (width, height), strict=True)
        )
        part = image.crop((left, top, left + width, top + height))
        part.save(folder / f"{i:03d}.png")
        (folder / f"{i:03d}.gcz").write_bytes(
            codec.encode(Picture(part), quality=int(rng.integers(0, 1001)), effort=0).data
        )
    return folder


def run(program, files, tmp_path, environment):
    """The arrays that a program of its own saves."""
    out = tmp_path / "out.npz"
    *arguments, variables = environment
    command = [sys.executable, "-W", "ignore", "-c", program, files, out, *arguments]
    result = subprocess.run(
        list(map(str, command)), env=os.environ | variables, capture_output=True
    )
    assert result.returncode == 0, result.stderr.decode()
    with np.load(out) as arrays:
        return dict(arrays)


def test_every_environment_decodes_the_same_symbols(files, tmp_path):
    here = run(DECODE, files, tmp_path, Environment())
    assert len(here["checksums"]) == PICTURES
    for environment in MATRIX:
        there = run(DECODE, files, tmp_path, environment)
        assert np.array_equal(there["checksums"], here["checksums"]), environment
        difference = np.abs(there["pixels"].astype(np.int16) - here["pixels"])
        print(
            tuple(environment),
            f"pixels: at most {difference.max()}, {100 * (difference > 0).mean():.3f} % differ",
        )
        assert difference.max() <= 1, environment


def test_threads_and_strips_do_not_change_what_is_written(files, tmp_path):
    here = run(ENCODE, files, tmp_path, Environment())["checksums"]
    assert len(here) == PICTURES
    for threads, strip_pixels in itertools.product(THREADS, STRIPS):
        there = run(ENCODE, files, tmp_path, Environment(threads, strip_pixels=strip_pixels))[
            "checksums"
        ]
        print(
            f"{threads} threads, strips of {strip_pixels} px: {int((there != here).sum())} of "
            f"{PICTURES} files differ"
        )
        assert np.array_equal(there, here)
