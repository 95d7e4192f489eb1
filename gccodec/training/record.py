"""What a training state says of its run beside tensors."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from gccodec.training.stages.names import StageName


@dataclasses.dataclass
class RunRecord:
    """How far a run is and what its state holds; the run changes it as it goes.

    stage: the stage whose model the state holds.
    step, crops, seconds: steps made, crops seen and time spent in this stage.
    transform_crops, transform_seconds: what stage 1 had seen and spent, in the stages after it.
    bitstream: id, in 8 hexadecimal digits, of the bitstream that a renderer or a network of small
        versions serves.
    log_lmbda: logarithms of the rate weights at the quality nodes; empty where none were learned.
    """

    stage: StageName
    step: int = 0
    crops: int = 0
    seconds: float = 0.0
    transform_crops: int | None = None
    transform_seconds: float | None = None
    bitstream: str | None = None
    log_lmbda: tuple[float, ...] = ()

    def follow(self, before: RunRecord) -> None:
        """Take over from the stage before what files and later stages need."""
        self.log_lmbda = before.log_lmbda
        began = before.transform_crops is not None
        self.transform_crops = before.transform_crops if began else before.crops
        self.transform_seconds = before.transform_seconds if began else before.seconds

    def to_json(self) -> str:
        """The text that a state's metadata holds."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunRecord:
        """The record of a state written by `to_json`."""
        values: dict[str, Any] = json.loads(text)
        values["log_lmbda"] = tuple(values["log_lmbda"])
        return cls(**values)

    @classmethod
    def from_counters(cls, counters: Mapping[str, float]) -> RunRecord:
        """The record of a state written before December 2026, when a dictionary of floats told the
        stage by the keys that it had."""
        transform_crops = counters.get("stage_one_crops")
        bitstream = counters.get("serves", counters.get("thumbnail_of"))
        nodes = sum(name.startswith("log_lmbda_") for name in counters)
        return cls(
            stage=_stage_of(counters),
            step=int(counters["step"]),
            crops=int(counters["crops"]),
            seconds=counters["seconds"],
            transform_crops=None if transform_crops is None else int(transform_crops),
            transform_seconds=counters.get("stage_one_seconds"),
            bitstream=None if bitstream is None else f"{int(bitstream):08x}",
            log_lmbda=tuple(counters[f"log_lmbda_{i}"] for i in range(nodes)),
        )


def _stage_of(counters: Mapping[str, float]) -> StageName:
    """The stage that wrote these counters; the first of its keys that is found tells."""
    keys: dict[str, StageName] = {
        "labels": "labels",
        "distance": "distance",
        "thumbnail_of": "thumbnail",
        "serves": "renderer",
        "selective": "generative",
        "stage_one_crops": "entropy",
    }
    return next((stage for key, stage in keys.items() if key in counters), "1")
