"""The weights file: found by model id, its SHA-256 checked at every load, read without torch."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from gccodec.entropy.context import IntegerContext
from gccodec.entropy.convolution import Convolver
from gccodec.entropy.label_map import CONTEXTS, OPINIONS, Prime
from gccodec.entropy.latent import LatentCodec
from gccodec.entropy.tables import FrequencyTables
from gccodec.errors import WeightsError

ENVIRONMENT_VARIABLE = "GCCODEC_WEIGHTS"
MODEL_ID_BYTES = 4

Purpose = Literal["codec", "labels", "distance", "renderer"]
"""Keys of the manifest: the default model, the networks behind `--labels auto` and `--effort`, a lighter generator."""


class WeightsFile(NamedTuple):
    """Arrays by name, the model configuration as JSON, and the file's SHA-256 (32 bytes)."""

    path: Path
    arrays: Mapping[str, npt.NDArray[np.generic]]
    config: str
    sha256: bytes

    @property
    def model_id(self) -> bytes:
        return self.sha256[:MODEL_ID_BYTES]

    @property
    def label_prime(self) -> Prime:
        """Where the label-map coder starts; WeightsError for a model that was not trained for selective coding."""
        found = [self.arrays.get(f"label_map.{name}") for name in ("prime", "mixing")]
        if found[0] is None:
            raise WeightsError(f"{self.path}: this model was not trained for selective coding")
        expected = [((CONTEXTS,), np.dtype(np.uint16)), ((4 * OPINIONS,), np.dtype(np.int32))]
        if any(a is None or (a.shape, a.dtype) != e for a, e in zip(found, expected, strict=True)):
            raise WeightsError(f"{self.path}: the label coder's start does not fit: expected {expected}")
        return Prime(*found)  # type: ignore[arg-type]

    @property
    def has_log_lmbda(self) -> bool:
        """Whether it was exported with what `--effort` needs."""
        return "tuning.log_lmbda" in self.arrays

    @property
    def log_lmbda(self) -> npt.NDArray[np.float32]:
        """Logarithm of what a bit a pixel weighs against squared error, at each quality node; WeightsError without."""
        if not self.has_log_lmbda:
            raise WeightsError(f"{self.path}: this model was exported without what --effort needs")
        return np.asarray(self.arrays["tuning.log_lmbda"], np.float32)

    def latent_codec(self, pure_python: bool = False, convolver: Convolver | None = None) -> LatentCodec:
        """The entropy layer of this model; convolver: as in `IntegerContext`."""
        for name in ("tables.sizes", "tables.frequencies"):
            if name not in self.arrays:
                raise WeightsError(f"{self.path}: {name} is missing")
        sizes, frequencies = self.arrays["tables.sizes"], self.arrays["tables.frequencies"]
        tables = FrequencyTables(sizes.astype(np.int32), frequencies.astype(np.int32))
        return LatentCodec(IntegerContext(self.arrays, len(tables), convolver=convolver), tables, pure_python)


def weights_folder() -> Path:
    """$GCCODEC_WEIGHTS, else the installed package's weights, else those beside it in a source tree."""
    if chosen := os.environ.get(ENVIRONMENT_VARIABLE):
        return Path(chosen)
    package = Path(__file__).resolve().parents[1]
    installed = package / "weights"
    return installed if installed.is_dir() else package.parent / "weights"


def find_weights(folder: Path, model_id: bytes | None = None, purpose: Purpose = "codec") -> Path:
    """The file of a model id, or what the manifest names for a purpose."""
    if model_id is not None:
        matches = sorted(folder.glob(f"*-{model_id.hex()}.safetensors"))
        if not matches:
            have = ", ".join(sorted(p.stem for p in folder.glob("*-????????.safetensors"))) or "none"
            raise WeightsError(f"this file needs the model {model_id.hex()}; installed in {folder}: {have}")
        return matches[0]
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder}: no usable manifest.json ({error})") from error
    if not isinstance(manifest, dict) or purpose not in manifest:
        raise WeightsError(f"{folder}: manifest.json names no weights for {purpose!r}")
    return folder / str(manifest[purpose])


def load_weights(path: Path) -> WeightsFile:
    """Read and check a weights file; its name ends in the first eight hex digits of its SHA-256."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
    sha256 = hashlib.sha256(data).digest()
    expected = path.stem.rpartition("-")[2]
    if sha256[:MODEL_ID_BYTES].hex() != expected:
        raise WeightsError(f"{path}: SHA-256 begins with {sha256[:4].hex()}, the name says {expected}; it is damaged")
    try:
        header_length = int.from_bytes(data[:8], "little")
        config = json.loads(data[8 : 8 + header_length])["__metadata__"]["config"]
        return WeightsFile(path, load(data), str(config), sha256)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: not a gccodec weights file ({error})") from error
