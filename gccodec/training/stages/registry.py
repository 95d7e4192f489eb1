"""All stages by name, each with what it starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gccodec.errors import FileError, UsageError
from gccodec.training.stages.autoencoder import AutoencoderStage
from gccodec.training.stages.distance import DistanceStage
from gccodec.training.stages.entropy import EntropyStage
from gccodec.training.stages.generative import GenerativeStage
from gccodec.training.stages.labels import LabelStage
from gccodec.training.stages.names import StageName, state_path
from gccodec.training.stages.renderer import RendererStage
from gccodec.training.stages.thumbnail import ThumbnailStage
from gccodec.training.trainer import Setup, Trainer
from gccodec.weights.bitstream import Bitstream
from gccodec.weights.folder import WeightsFolder
from gccodec.weights.model import ModelWeights


def open_stage(stage: StageName, setup: Setup, start: Path | None) -> Trainer:
    """The trainer of a stage, resumed if it has a state.

    start: a folder of weights to begin with, in place of the state of the stage before. FileError
    when neither is there.
    """
    return OPENERS[stage](setup, start)


def _autoencoder(setup: Setup, start: Path | None) -> Trainer:
    return AutoencoderStage(setup, _exported(start))


def _entropy(setup: Setup, start: Path | None) -> Trainer:
    if start is not None:
        raise UsageError("--start is not for the stage entropy")
    return EntropyStage(setup, _state_before(setup, "1"))


def _generative(setup: Setup, start: Path | None) -> Trainer:
    return GenerativeStage(setup, _exported(start) or _state_before(setup, "entropy"))


def _labels(setup: Setup, start: Path | None) -> Trainer:
    weights = None if start is None else WeightsFolder(start).load("labels")
    return LabelStage(setup, weights)


def _distance(setup: Setup, start: Path | None) -> Trainer:
    return DistanceStage(setup, _exported(start) or _state_before(setup, "entropy", always=True))


def _renderer(setup: Setup, start: Path | None) -> Trainer:
    return RendererStage(setup, ModelWeights.load(start).whole())


def _thumbnail(setup: Setup, start: Path | None) -> Trainer:
    return ThumbnailStage(setup, ModelWeights.load(start).whole())


OPENERS: dict[StageName, Callable[[Setup, Path | None], Trainer]] = {
    "1": _autoencoder,
    "entropy": _entropy,
    "generative": _generative,
    "labels": _labels,
    "distance": _distance,
    "renderer": _renderer,
    "thumbnail": _thumbnail,
}


def _exported(start: Path | None) -> Bitstream | None:
    """All weights of the model of a folder."""
    return None if start is None else ModelWeights.load(start).whole()


def _state_before(setup: Setup, stage: StageName, always: bool = False) -> Path:
    """The state of the stage before; FileError when it is missing and needed.

    always: it is needed even by a run that is resumed.
    """
    path = state_path(setup.state.parent, stage)
    if (always or not setup.state.exists()) and not path.exists():
        raise FileError(f"{path}: does not exist; train that stage first")
    return path
