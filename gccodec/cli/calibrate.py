"""gccodec calibrate"""

from __future__ import annotations

from pathlib import Path

import click

from gccodec.errors import NothingToDoError


@click.command("calibrate")
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder of photographs."
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    default=Path("weights"),
    show_default=True,
    help="Folder.",
)
@click.option("--renderer", help="Its name; default: the folder's default.")
@click.option(
    "--tiles", type=click.IntRange(1), default=48, show_default=True, help="How many photographs."
)
def command(data: Path, weights: Path, renderer: str | None, tiles: int) -> None:
    """Measure what a renderer's activations range over, for machines that compute in bytes.

    Its file is written anew, with that, and is the default of its folder. Needed once after a
    training.

    \b
    gccodec calibrate --data photos --weights weights/
    """
    from gccodec.codec.codec import Codec
    from gccodec.training.data.dataset import read_pictures
    from gccodec.training.export import place_ranges
    from gccodec.training.ranges import evenly_spaced, measure_ranges, range_arrays

    pictures = evenly_spaced(read_pictures(data), tiles)
    if not pictures:
        raise NothingToDoError(f"{data}: no pictures")
    codec, nodes = Codec.load(weights, renderer=renderer), []
    for found in measure_ranges(codec, pictures):
        nodes.append(found)
        click.echo(f"quality node {len(nodes)}", err=True)
    click.echo(place_ranges(codec.weights.renderer(), range_arrays(nodes), weights))
