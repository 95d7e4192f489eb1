"""What every worker process does first."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gccodec.batch.options import Machine

if TYPE_CHECKING:
    from gccodec.codec.codec import Codec


def load_codec(machine: Machine) -> Codec:
    """The model, once a process. WeightsError where it is missing."""
    # read when torch and numpy are loaded; several workers share the cores
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(machine.threads)
    import torch

    from gccodec.codec.codec import Codec
    from gccodec.model.allocator import share_freed_memory

    share_freed_memory()
    torch.set_num_threads(machine.threads)
    device = machine.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Codec.load(Path(machine.weights) if machine.weights else None, device=device)


def weights_ids(machine: Machine) -> frozenset[str]:
    """Ids, in hexadecimal, that mean the bitstream that workers will load; without loading it."""
    from gccodec.weights.folder import WeightsFolder

    folder = WeightsFolder.at(Path(machine.weights) if machine.weights else None)
    return frozenset(model_id.hex() for model_id in folder.default_ids())
