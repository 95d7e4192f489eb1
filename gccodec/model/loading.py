"""A network from a weights file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from gccodec.entropy.weights import WeightsFile
from gccodec.errors import WeightsError

Network = TypeVar("Network", bound=nn.Module)


def network_of(weights: WeightsFile, build: Callable[[str], Network], complaint: str) -> Network:
    """What `build` makes of the file's configuration, filled in float32; WeightsError with the complaint if not."""
    try:
        network = build(weights.config)
        state = {n: torch.from_numpy(np.asarray(weights.arrays[n], np.float32)) for n in network.state_dict()}
        network.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{weights.path}: {complaint} ({reason})") from error
    return network
