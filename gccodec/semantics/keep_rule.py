"""What to keep of a picture: rules given by class, instance, box, polygon or mask -> latent
positions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from gccodec.errors import UsageError
from gccodec.semantics.label_classes import VOID, unified_classes
from gccodec.semantics.region import Region

KINDS = "class:NAME,..., instance:ID,..., box:X,Y,W,H, polygon:X,Y;X,Y;..."
MAX_POINTS = 10_000


class KeepClasses(NamedTuple):
    """Unified class ids."""

    ids: tuple[int, ...]


class KeepInstances(NamedTuple):
    """Ids of the instance map."""

    ids: tuple[int, ...]


class KeepPolygon(NamedTuple):
    """Corners in pixels."""

    points: tuple[tuple[int, int], ...]


KeepRule = KeepClasses | KeepInstances | KeepPolygon | Region


def parse_rule(text: str) -> KeepRule:
    """The rule of one `--keep` value; UsageError names what is valid."""
    kind, _, value = text.partition(":")
    if kind == "class":
        return KeepClasses(_class_ids(value))
    if kind == "instance":
        if re.fullmatch(r"\d{1,5}(,\d{1,5})*", value) is None:
            raise UsageError(f"keep {text!r}: expected instance:ID or instance:ID,ID")
        return KeepInstances(tuple(map(int, value.split(","))))
    if kind == "box":
        return Region.parse(value)
    if kind == "polygon":
        if (
            re.fullmatch(r"\d{1,6},\d{1,6}(;\d{1,6},\d{1,6}){2,}", value) is None
            or value.count(";") >= MAX_POINTS
        ):
            raise UsageError(
                f"keep {text!r}: expected polygon:X,Y;X,Y;X,Y with at least three corners"
            )
        return KeepPolygon(
            tuple((int(x), int(y)) for x, _, y in (p.partition(",") for p in value.split(";")))
        )
    raise UsageError(f"keep {text!r}: known are {KINDS}")


def _class_ids(value: str) -> tuple[int, ...]:
    """A name stands for itself and for the classes under it."""
    known = [c for c in unified_classes() if c.name != VOID]
    ids: list[int] = []
    for name in value.split(","):
        found = [c.id for c in known if name.strip() in (c.name, c.parent)]
        if not found:
            raise UsageError(f"keep class {name!r}: known are {', '.join(c.name for c in known)}")
        ids += found
    return tuple(sorted(set(ids)))


class Annotation(NamedTuple):
    """The annotation of a whole picture: unified ids and instance ids, each [H, W] or None."""

    labels: npt.NDArray[np.uint8] | None = None
    instances: npt.NDArray[np.uint16] | None = None


def pixels_to_keep(
    rules: Iterable[KeepRule],
    masks: Iterable[npt.NDArray[np.bool_]],
    annotation: Annotation,
    width: int,
    height: int,
) -> npt.NDArray[np.bool_]:
    """Pixels [H, W] to keep by any rule or any mask [H, W].

    UsageError for rules that need a map that is not there, lie outside the picture, or name absent
    instances.
    """
    pixels = np.zeros((height, width), bool)
    for rule in rules:
        if isinstance(rule, Region):
            rule.check(width, height)
            pixels[rule.y : rule.y + rule.height, rule.x : rule.x + rule.width] = True
        elif isinstance(rule, KeepPolygon):
            pixels |= _inside(rule, width, height)
        elif isinstance(rule, KeepClasses):
            if annotation.labels is None:
                raise UsageError("keep class: needs a label map (--labels)")
            pixels |= np.isin(annotation.labels, rule.ids)
        else:
            pixels |= _of_instances(rule, annotation)
    for mask in masks:
        if mask.shape != pixels.shape:
            raise UsageError(
                f"keep mask: {mask.shape[1]}x{mask.shape[0]}, the picture is {width}x{height}"
            )
        pixels |= mask
    return pixels


def _inside(polygon: KeepPolygon, width: int, height: int) -> npt.NDArray[np.bool_]:
    if any(x >= width or y >= height for x, y in polygon.points):
        raise UsageError(f"keep polygon: a corner is not within the {width}x{height} picture")
    image = Image.new("1", (width, height))
    ImageDraw.Draw(image).polygon(list(polygon.points), fill=1, outline=1)
    return np.asarray(image)


def _of_instances(rule: KeepInstances, annotation: Annotation) -> npt.NDArray[np.bool_]:
    if annotation.instances is None:
        raise UsageError("keep instance: needs an instance map (--instances)")
    present = set(np.unique(annotation.instances).tolist())
    if missing := [i for i in rule.ids if i not in present]:
        raise UsageError(
            f"keep instance {missing[0]}: the map holds {', '.join(map(str, sorted(present)[:40]))}"
        )
    return np.isin(annotation.instances, rule.ids)
