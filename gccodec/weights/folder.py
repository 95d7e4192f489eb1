"""A folder of weights files, and which of them a command or a file asks for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gccodec.errors import WeightsError
from gccodec.weights.bitstream import Bitstream
from gccodec.weights.file import Role, WeightsFile, describe, id_in_name, load_weights

ENVIRONMENT_VARIABLE = "GCCODEC_WEIGHTS"
MANIFEST = "manifest.json"


class WeightsFolder:
    """The files `<name>-<id>.safetensors` of a folder, and the defaults that its manifest.json
    names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def installed(cls) -> WeightsFolder:
        """$GCCODEC_WEIGHTS, else the installed package's weights, else those beside it in a source
        tree."""
        if chosen := os.environ.get(ENVIRONMENT_VARIABLE):
            return cls(Path(chosen))
        package = Path(__file__).resolve().parents[1]
        files = package / "weights" / "files"
        return cls(files if files.is_dir() else package.parent / "weights")

    @classmethod
    def at(cls, path: Path | None) -> WeightsFolder:
        """A folder that a caller names; None: the installed one."""
        return cls.installed() if path is None else cls(path)

    @property
    def manifest(self) -> dict[str, Any]:
        """WeightsError where there is none that can be read."""
        try:
            manifest = json.loads((self.path / MANIFEST).read_text())
        except (OSError, ValueError, RecursionError) as error:
            raise WeightsError(f"{self.path}: no usable {MANIFEST} ({error})") from error
        if not isinstance(manifest, dict):
            raise WeightsError(f"{self.path}: no usable {MANIFEST}")
        return manifest

    def default(self, role: Role) -> Path:
        """What the manifest names; WeightsError if nothing."""
        manifest = self.manifest
        if role not in manifest:
            raise WeightsError(f"{self.path}: {MANIFEST} names no weights for {role!r}")
        return self.path / str(manifest[role])

    def load(self, role: Role) -> WeightsFile:
        """The default of a role; WeightsError without, or where it is damaged."""
        return load_weights(self.default(role), role)

    def find_bitstream(self, model_id: bytes | None = None) -> Path:
        """By the id that a .gcz names, which may be an alias; None: the default one."""
        if model_id is None:
            return self.default("bitstream")
        for known in (model_id, self._aliases().get(model_id)):
            if known is not None and (
                found := sorted(self.path.glob(f"*-{known.hex()}.safetensors"))
            ):
                return found[0]
        have = ", ".join(self._names()) or "none"
        raise WeightsError(
            f"this file needs the model {model_id.hex()}; installed in {self.path}: {have}"
        )

    def load_bitstream(self, model_id: bytes | None = None) -> Bitstream:
        """As `find_bitstream`, with the aliases that the manifest gives it."""
        path = self.find_bitstream(model_id)
        return Bitstream.load(path, self._aliases_of(path))

    def default_ids(self) -> frozenset[bytes]:
        """The default bitstream's id and its aliases, without reading the file."""
        path = self.find_bitstream()
        return self._aliases_of(path) | {id_in_name(path)}

    def _aliases_of(self, path: Path) -> frozenset[bytes]:
        own = id_in_name(path)
        return frozenset(alias for alias, meant in self._aliases().items() if meant == own)

    def find_serving(self, role: Role, bitstream: bytes, name: str | None = None) -> Path:
        """An analysis or renderer for a bitstream's id, the default one if that is: by the heads of
        the files.

        name: what its file name begins with, for a choice of several. WeightsError if there is
        none.
        """
        first = self.manifest.get(role) if (self.path / MANIFEST).exists() else None
        names = sorted(self._names(), key=lambda found: found != first)
        for found in names:
            path = self.path / found
            if name is not None and found.rpartition("-")[0] != name:
                continue
            head = describe(path)
            if head.role == role and head.serves == bitstream:
                return path
        wanted = role if name is None else f"{role} {name!r}"
        raise WeightsError(
            f"{self.path}: no {wanted} for the bitstream {bitstream.hex()} is installed"
        )

    def _names(self) -> list[str]:
        return sorted(path.name for path in self.path.glob("*-????????.safetensors"))

    def _aliases(self) -> dict[bytes, bytes]:
        """Ids of earlier versions -> the bitstreams that they mean. Not one where there is no
        manifest."""
        if not (self.path / MANIFEST).exists():
            return {}
        aliases = self.manifest.get("aliases", {})
        try:
            return {bytes.fromhex(alias): bytes.fromhex(meant) for alias, meant in aliases.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{self.path}: the aliases of {MANIFEST} are not ids ({error})"
            ) from error
