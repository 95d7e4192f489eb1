"""One weights file: its SHA-256 checked at every load, read without torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load

from gccodec.errors import WeightsError

ID_BYTES = 4
"""Of a file's SHA-256, its id: in its name, and a bitstream's in every .gcz."""

HEADER_LENGTH_BYTES = 8
MAX_HEADER_BYTES = 1 << 20

Role = Literal["bitstream", "analysis", "renderer", "thumbnail", "labels", "distance"]
"""What a file is for. bitstream: all that fixes symbols; analysis: the encoder's network; renderer:
the decoder's; thumbnail: that of small versions; labels and distance: the networks behind `--labels
auto` and `--effort`."""


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """Arrays by name, the configuration as JSON, and the file's SHA-256 (32 bytes).

    serves: the id of the bitstream that a network of the codec is made for; empty for what fits
    any.
    """

    path: Path
    arrays: Mapping[str, npt.NDArray[np.generic]]
    config: str
    sha256: bytes
    serves: bytes = b""

    @property
    def id(self) -> bytes:
        """The first four bytes of the SHA-256."""
        return self.sha256[:ID_BYTES]


def id_in_name(path: Path) -> bytes:
    """What a weights file's name says of its SHA-256; empty where that is nothing."""
    try:
        return bytes.fromhex(path.stem.rpartition("-")[2])
    except ValueError:
        return b""


@dataclasses.dataclass(frozen=True)
class Description:
    """What the head of a weights file says, without its arrays. role: empty where it says none."""

    role: str
    serves: bytes
    config: str


def describe(path: Path) -> Description:
    """Reads the head alone. WeightsError for a file that cannot be read or is no weights file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(HEADER_LENGTH_BYTES), "little")
            head = file.read(length) if length <= MAX_HEADER_BYTES else b""
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
    return _description(path, head)


def _description(path: Path, head: bytes) -> Description:
    try:
        metadata = json.loads(head)["__metadata__"]
        return Description(
            str(metadata.get("role", "")),
            bytes.fromhex(metadata.get("serves", "")),
            str(metadata["config"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path}: not a gccodec weights file ({error!r})") from error


def load_weights(path: Path, role: Role) -> WeightsFile:
    """Read and check a weights file; its name ends in the first eight hex digits of its SHA-256.

    WeightsError for one that is damaged, or for something else.
    """
    if path.is_dir():
        raise WeightsError(f"{path}: is a folder, not a weights file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
    sha256 = hashlib.sha256(data).digest()
    expected = path.stem.rpartition("-")[2]
    if sha256[:ID_BYTES].hex() != expected:
        raise WeightsError(
            f"{path}: SHA-256 begins with {sha256[:4].hex()}, the name says {expected}; it is "
            f"damaged"
        )
    head_end = HEADER_LENGTH_BYTES + int.from_bytes(data[:HEADER_LENGTH_BYTES], "little")
    found = _description(path, data[HEADER_LENGTH_BYTES:head_end])
    if found.role not in (role, ""):
        raise WeightsError(f"{path}: its role is {found.role!r}, not {role!r}")
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(f"{path}: not a gccodec weights file ({error})") from error
    return WeightsFile(path, arrays, found.config, sha256, found.serves)
