"""Symbols are the same everywhere: threads, instruction sets, kernels, coders; a golden file pins
them."""

import json
import os
import subprocess
import sys
import zlib

import numpy as np
import pytest

from gccodec.codec.latent import decode_latent
from gccodec.container.file import parse
from gccodec.weights.folder import WeightsFolder
from tests.paths import GOLDEN

PROGRAM = """
import json, sys, zlib, numpy as np
from pathlib import Path
from gccodec.codec.latent import decode_latent
from gccodec.container.file import parse
from gccodec.weights.folder import WeightsFolder
found = {"constriction": {}, "python": {}}
for coder in found:
    for path in map(Path, sys.argv[1:]):
        file = parse(path.read_bytes())
        latents = WeightsFolder.installed().load_bitstream(file.model_id).latent_codec(coder == "python")
        latent = np.concatenate(list(decode_latent(latents, file, None)))
        found[coder][path.name] = zlib.crc32(latent.astype("<i8").tobytes())
print(json.dumps(found))
"""
EXPECTED = json.loads((GOLDEN / "latents.json").read_text())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        {"OPENBLAS_CORETYPE": "Prescott"},
        {"OPENBLAS_CORETYPE": "Haswell"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3"},
    ],
    ids=lambda s: " ".join(f"{k}={v}" for k, v in s.items()) or "default",
)
def test_golden_latents_in_another_environment(settings):
    """By both range coders."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, *(str(GOLDEN / name) for name in EXPECTED)],
        env=environment | settings,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"constriction": EXPECTED, "python": EXPECTED}


def test_golden_files_exist_and_match_in_int64():
    assert EXPECTED
    for name, checksum in EXPECTED.items():
        file = parse((GOLDEN / name).read_bytes())
        latents = WeightsFolder.installed().load_bitstream(file.model_id).latent_codec()
        latents.context.arithmetic = np.int64
        assert (
            zlib.crc32(
                np.concatenate(list(decode_latent(latents, file, None))).astype("<i8").tobytes()
            )
            == checksum
        )


ENCODE = """
import sys, hashlib, torch
import numpy as np
from PIL import Image
from gccodec.codec.codec import Codec
from gccodec.image.picture import Picture
torch.set_num_threads(int(sys.argv[2]))
torch.backends.mkldnn.enabled = sys.argv[3] == "onednn"
with Image.open(sys.argv[1]) as image:
    pixels = np.asarray(image.convert("RGB"))[:96, :128]
codec = Codec.load()
data = codec.encode(Picture.of(pixels), quality=400).data
sys.stdout.buffer.write(codec.decode(data).pixels.tobytes() + data)
"""


@pytest.mark.parametrize(
    ("capability", "threads", "kernels"),
    [
        ("default", "1", "onednn"),
        ("avx2", "2", "onednn"),
        ("avx2", "2", "plain"),
        ("default", "2", "plain"),
    ],
)
def test_files_written_anywhere_decode_here_to_nearly_the_same_pixels(
    codec, capability, threads, kernels
):
    from tests.paths import COFFEE

    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ENCODE, str(COFFEE), threads, kernels],
        env=os.environ | {"ATEN_CPU_CAPABILITY": capability},
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr.decode()
    there = np.frombuffer(result.stdout[: 96 * 128 * 3], np.uint8).reshape(96, 128, 3)
    here = codec.decode(result.stdout[96 * 128 * 3 :]).pixels
    difference = np.abs(here.astype(int) - there)
    if kernels == "onednn":  # there torch is not allowed bfloat16, and oneDNN has bytes
        assert difference.max() <= 25
        assert np.sqrt(np.mean(difference**2)) < 2.5
    else:
        assert difference.max() <= 3
        assert (difference > 1).mean() < 1e-3
