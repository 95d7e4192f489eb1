"""A network from a weights file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gccodec.errors import WeightsError
from gccodec.weights.file import WeightsFile

Loaded = TypeVar("Loaded")
Network = TypeVar("Network", bound=nn.Module)

DRAWING = {
    *(
        getattr(Tensor, name)
        for name in ("uniform_", "normal_", "trunc_normal_")
        if hasattr(Tensor, name)
    ),
    *(getattr(nn.init, name) for name in ("uniform_", "normal_", "trunc_normal_")),
    *(
        getattr(nn.init, f"{kind}_{how}_")
        for kind in ("kaiming", "xavier")
        for how in ("uniform", "normal")
    ),
}
"""What fills a tensor with random numbers in place."""


class _ZeroStart(TorchFunctionMode):
    """Fills with zeros what would be filled with random numbers; in this thread alone."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func not in DRAWING:
            return func(*args, **kwargs)
        tensor: Tensor = args[0] if args else kwargs["tensor"]
        with torch.no_grad():
            return tensor.zero_()


def without_random_start() -> TorchFunctionMode:
    """The context of building a network that the weights of a file will fill: its parameters begin
    at zero.

    Random ones would be drawn from torch's own generator, and so change what the caller's program
    draws next.
    """
    return _ZeroStart()


def once(load: Callable[[], Loaded]) -> Callable[[], Loaded]:
    """A function that gives what `load` does, which is called once, by the thread that needs it
    first."""
    lock, kept = threading.Lock(), list[Loaded]()

    def loaded() -> Loaded:
        with lock:
            if not kept:
                kept.append(load())
            return kept[0]

    return loaded


def network_of(weights: WeightsFile, build: Callable[[str], Network], prefix: str = "") -> Network:
    """The network that `build` makes of the file's configuration, filled in float32 with its arrays
    of a prefix.

    WeightsError when names or shapes do not fit.
    """
    try:
        with without_random_start():
            network = build(weights.config)
        names = network.state_dict()
        state = {
            n: torch.from_numpy(np.asarray(weights.arrays[prefix + n], np.float32)) for n in names
        }
        network.load_state_dict(state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{weights.path}: does not fit its configuration ({reason})") from error
    return network
