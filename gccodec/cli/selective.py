"""Options of selective coding: which regions `encode` keeps, and the label map from which the rest is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gccodec.cli.stream import read_input
from gccodec.errors import UsageError

if TYPE_CHECKING:
    from gccodec.codec.selection import Selection

NOTHING = "none"


class SelectiveOptions(NamedTuple):
    """As given; maps and masks are names of PNG files of the upright picture's size."""

    labels: str | None
    label_set: str | None
    instances: str | None
    rules: tuple[str, ...]
    masks: tuple[str, ...]

    def selection(self, width: int, height: int) -> Selection | None:
        """For a picture of that size; None when the options ask for no selection."""
        if self.labels is None:
            if any(self[1:]):
                raise UsageError("--keep, --keep-mask, --instances and --labels-from need a label map: --labels PNG")
            return None
        if self.labels == "auto":
            raise UsageError("--labels auto: not there yet; give a label map as PNG")
        if not self.rules and not self.masks:
            raise UsageError("--labels: say what to keep: --keep RULE, --keep-mask PNG, or --keep none")
        if NOTHING in self.rules and len(self.rules) + len(self.masks) > 1:
            raise UsageError("--keep none: excludes other rules and masks")

        from gccodec.codec.keep import Annotation, keep_mask, parse_rule
        from gccodec.codec.label_input import read_instances, read_labels, read_mask, to_cells
        from gccodec.codec.selection import Selection

        rules = [parse_rule(text) for text in self.rules if text != NOTHING]
        labels = read_labels(read_input(self.labels), width, height, self.label_set)
        instances = None if self.instances is None else read_instances(read_input(self.instances), width, height)
        masks = [read_mask(read_input(name), width, height) for name in self.masks]
        keep = keep_mask(rules, masks, Annotation(labels, instances), width, height)
        return Selection(to_cells(labels), keep)


def selective(function: Callable[..., Any]) -> Callable[..., Any]:
    """--labels, --labels-from, --instances, --keep, --keep-mask, given to the command as `selective`."""

    def command(
        *args: Any,
        labels: str | None,
        labels_from: str | None,
        instances: str | None,
        keep: tuple[str, ...],
        keep_mask: tuple[str, ...],
        **kwargs: Any,
    ) -> Any:
        return function(*args, selective=SelectiveOptions(labels, labels_from, instances, keep, keep_mask), **kwargs)

    command.__doc__, command.__name__ = function.__doc__, function.__name__
    command.__dict__.update(function.__dict__)
    for option in (
        click.option("--keep-mask", multiple=True, metavar="PNG", help="Keep where this picture is above 127."),
        click.option(
            "--keep",
            multiple=True,
            metavar="RULE",
            help="Keep class:NAME,..., instance:ID,..., box:X,Y,W,H, polygon:X,Y;X,Y;... or none; may be repeated.",
        ),
        click.option("--instances", metavar="PNG", help="Instance ids, for --keep instance:ID."),
        click.option(
            "--labels-from", metavar="SET", help="Whose ids: ade20k, camvid, cityscapes, coco-stuff.  [default: ours]"
        ),
        click.option("--labels", metavar="PNG", help="Label map: keep some regions, synthesise the rest from it."),
    ):
        command = option(command)
    return command
