"""Options of `encode` that say which regions to keep, and what the rest is made from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gccodec.cli.options import Number
from gccodec.cli.standard import libraries_unheard
from gccodec.cli.stream import named, read_input
from gccodec.errors import UsageError

if TYPE_CHECKING:
    import torch

    from gccodec.image.picture import Picture
    from gccodec.semantics.selection import Selection

NOTHING = "none"
AUTOMATIC = "auto"


class SelectiveOptions(NamedTuple):
    """As given; maps and masks are names of PNG files of the upright picture's size."""

    labels: str | None
    label_set: str | None
    instances: str | None
    rules: tuple[str, ...]
    masks: tuple[str, ...]
    rest_quality: float | None

    @property
    def files(self) -> list[str]:
        """Names of the maps and masks that are read."""
        maps = [name for name in (self.labels, self.instances) if name is not None]
        return [
            name for name in (*maps, *self.masks) if name != AUTOMATIC or name is not self.labels
        ]

    @property
    def asked(self) -> bool:
        """Whether any of the options was given."""
        return any(option not in (None, ()) for option in self)

    def check(self) -> None:
        """UsageError for options that do not go together, or are not valid for any picture."""
        if not self.asked:
            return
        if self.labels is None and self.label_set is not None:
            raise UsageError("--labels-from: needs --labels")
        if self.labels is None and NOTHING in self.rules:
            raise UsageError("--keep none: needs --labels, from which everything is synthesised")
        if self.labels is not None and self.rest_quality is not None:
            raise UsageError(
                "--rest-quality: not with --labels, from which the rest is synthesised"
            )
        if self.labels == AUTOMATIC and self.label_set is not None:
            raise UsageError("--labels-from: not with --labels auto, whose ids are ours")
        if not self.rules and not self.masks:
            raise UsageError(
                "say what to keep: --keep RULE, --keep-mask PNG, or with --labels --keep none"
            )
        if NOTHING in self.rules and len(self.rules) + len(self.masks) > 1:
            raise UsageError("--keep none: excludes other rules and masks")

        from gccodec.semantics.keep_rule import parse_rule
        from gccodec.semantics.label_classes import LABEL_SETS

        if self.label_set is not None and self.label_set not in LABEL_SETS:
            raise UsageError(f"--labels-from {self.label_set}: known are {', '.join(LABEL_SETS)}")
        for text in self.rules:
            if text != NOTHING:
                parse_rule(text)

    def selection(self, picture: Picture, device: Callable[[], torch.device]) -> Selection | None:
        """For that picture; None when the options ask for no selection. The device is asked for by
        --labels auto."""
        if not self.asked:
            return None
        self.check()

        from gccodec.semantics.keep_rule import Annotation, parse_rule, pixels_to_keep
        from gccodec.semantics.label_input import (
            read_instances,
            read_labels,
            read_mask,
            to_cells,
        )
        from gccodec.semantics.selection import Selection

        width, height = picture.image.size
        rules = [parse_rule(text) for text in self.rules if text != NOTHING]
        if self.labels is None:
            labels, cells = None, None
        elif self.labels == AUTOMATIC:
            from gccodec.semantics.segmentation import Labeller, to_label_pixels

            cells = Labeller.load(device()).cells(picture.whole())
            labels = to_label_pixels(cells, width, height)
        else:
            with named(self.labels), libraries_unheard():
                labels = read_labels(read_input(self.labels), width, height, self.label_set)
            cells = to_cells(labels)
        instances, masks = None, []
        if self.instances is not None:
            with named(self.instances), libraries_unheard():
                instances = read_instances(read_input(self.instances), width, height)
        for name in self.masks:
            with named(name), libraries_unheard():
                masks.append(read_mask(read_input(name), width, height))
        kept = pixels_to_keep(rules, masks, Annotation(labels, instances), width, height)
        return Selection.around(
            kept, cells, 0 if cells is not None else round((self.rest_quality or 0) * 10)
        )


def selective(function: Callable[..., Any]) -> Callable[..., Any]:
    """--keep, --keep-mask, --rest-quality, --labels, --labels-from, --instances: the command's
    `selective`."""

    def command(
        *args: Any,
        labels: str | None,
        labels_from: str | None,
        instances: str | None,
        keep: tuple[str, ...],
        keep_mask: tuple[str, ...],
        rest_quality: float | None,
        **kwargs: Any,
    ) -> Any:
        options = SelectiveOptions(labels, labels_from, instances, keep, keep_mask, rest_quality)
        return function(*args, selective=options, **kwargs)

    command.__doc__, command.__name__ = function.__doc__, function.__name__
    command.__dict__.update(function.__dict__)
    for option in (
        click.option(
            "--rest-quality", type=Number(0, 100), help="Quality of what is not kept.  [default: 0]"
        ),
        click.option(
            "--keep-mask",
            multiple=True,
            metavar="PNG",
            help="Keep where this picture is above 127.",
        ),
        click.option(
            "--keep",
            multiple=True,
            metavar="RULE",
            help="class:NAME,.. instance:ID,.. box:X,Y,W,H polygon:X,Y;X,Y;.. or none; repeatable.",
        ),
        click.option("--instances", metavar="PNG", help="Instance ids, for --keep instance:ID."),
        click.option(
            "--labels-from",
            metavar="SET",
            help="Whose ids: ade20k, camvid, cityscapes, coco-stuff.  [default: ours]",
        ),
        click.option(
            "--labels", metavar="PNG", help="Label map: synthesise the rest from it; auto makes it."
        ),
    ):
        command = option(command)
    return command
