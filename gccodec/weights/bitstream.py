"""The weights that fix every symbol of a file: context model, tables, gains, and where the
label-map coder starts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gccodec.entropy.context import IntegerContext
from gccodec.entropy.convolution import Convolver
from gccodec.entropy.label_map import CONTEXTS, OPINIONS, InitialState
from gccodec.entropy.latent import LatentCodec
from gccodec.entropy.tables import FrequencyTables
from gccodec.errors import WeightsError
from gccodec.weights.file import WeightsFile, load_weights


@dataclasses.dataclass(frozen=True)
class Bitstream(WeightsFile):
    """A weights file of this role. aliases: ids under which files of earlier versions ask for the
    same symbols."""

    aliases: frozenset[bytes] = frozenset()

    @classmethod
    def load(cls, path: Path, aliases: frozenset[bytes] = frozenset()) -> Bitstream:
        """WeightsError for a file that is damaged or something else."""
        file = load_weights(path, "bitstream")
        return cls(file.path, file.arrays, file.config, file.sha256, file.serves, aliases)

    def decodes(self, model_id: bytes) -> bool:
        """Whether a .gcz with this id holds its symbols."""
        return model_id == self.id or model_id in self.aliases

    def require(self, model_id: bytes) -> None:
        """WeightsError for a .gcz with the id of other symbols."""
        if not self.decodes(model_id):
            raise WeightsError(f"the file needs model {model_id.hex()}, loaded is {self.id.hex()}")

    @property
    def label_initial_state(self) -> InitialState:
        """Where the label-map coder starts; WeightsError for a model that was not trained for
        selective coding."""
        found = [self.arrays.get(f"label_map.{name}") for name in ("prime", "mixing")]
        if found[0] is None:
            raise WeightsError(f"{self.path}: this model was not trained for selective coding")
        expected = [((CONTEXTS,), np.dtype(np.uint16)), ((4 * OPINIONS,), np.dtype(np.int32))]
        if any(a is None or (a.shape, a.dtype) != e for a, e in zip(found, expected, strict=True)):
            raise WeightsError(
                f"{self.path}: the label coder's start does not fit: expected {expected}"
            )
        return InitialState(*found)  # type: ignore[arg-type]

    @property
    def has_log_lmbda(self) -> bool:
        """Whether it was exported with what `--effort` needs."""
        return "tuning.log_lmbda" in self.arrays

    @property
    def log_lmbda(self) -> npt.NDArray[np.float32]:
        """Logarithm of what a bit a pixel weighs against squared error, at each quality node;
        WeightsError without."""
        if not self.has_log_lmbda:
            raise WeightsError(f"{self.path}: this model was exported without what --effort needs")
        return np.asarray(self.arrays["tuning.log_lmbda"], np.float32)

    def latent_codec(
        self, pure_python: bool = False, convolver: Convolver | None = None, threads: int = 1
    ) -> LatentCodec:
        """The entropy layer of this model; convolver, threads: as in `IntegerContext`."""
        for name in ("tables.sizes", "tables.frequencies"):
            if name not in self.arrays:
                raise WeightsError(f"{self.path}: {name} is missing")
        sizes, frequencies = self.arrays["tables.sizes"], self.arrays["tables.frequencies"]
        tables = FrequencyTables(sizes.astype(np.int32), frequencies.astype(np.int32))
        context = IntegerContext(self.arrays, len(tables), convolver=convolver, threads=threads)
        return LatentCodec(context, tables, pure_python)
