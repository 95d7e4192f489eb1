"""The names of the stages; without torch, so that the command can list them at once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

StageName = Literal["1", "entropy", "generative", "labels", "distance", "renderer", "thumbnail"]
STAGE_NAMES: tuple[StageName, ...] = get_args(StageName)


def state_path(folder: Path, stage: StageName) -> Path:
    """Where a stage keeps its state."""
    return folder / f"{'stage1' if stage == '1' else stage}.safetensors"


def crops_field(stage: StageName) -> str:
    """The field of `Preset` that says how many crops a stage trains for."""
    return "crops" if stage == "1" else f"{stage}_crops"
