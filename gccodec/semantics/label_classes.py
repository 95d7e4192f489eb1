"""The unified semantic classes, and how the ids of public data sets fold into them."""

from __future__ import annotations

import csv
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LABEL_SETS = ("ade20k", "camvid", "cityscapes", "coco-stuff")
"""Public data sets whose ids are known: ADE20K's 150, CamVid's 32 by name, Cityscapes' label ids,
COCO-Stuff's 182."""

VOID = "void"
"""The class of pixels without a known one."""


class LabelClass(NamedTuple):
    """id 0..23 (255 is void); parent: the coarser class that it folds into; colour: of its palette
    entry."""

    id: int
    name: str
    parent: str
    colour: tuple[int, int, int]


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("gccodec.semantics").joinpath("label_sets", f"{name}.tsv").read_text()
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def unified_classes() -> tuple[LabelClass, ...]:
    """All classes, void last."""
    rows = _rows("unified")
    return tuple(
        LabelClass(
            int(r["id"]), r["name"], r["parent"], (int(r["red"]), int(r["green"]), int(r["blue"]))
        )
        for r in rows
    )


def fold_from(label_set: str, void: int) -> npt.NDArray[np.uint8]:
    """[256]: the unified id of each id of one of LABEL_SETS; `void` stands for what has none."""
    ids = {c.name: c.id for c in unified_classes()} | {VOID: void}
    table = np.full(256, void, np.uint8)
    for row in _rows(label_set):
        table[int(row["id"])] = ids[row["unified"]]
    return table
