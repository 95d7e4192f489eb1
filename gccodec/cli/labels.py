"""gccodec labels"""

from __future__ import annotations

from pathlib import Path

import click

from gccodec.cli.collision import check_files
from gccodec.cli.options import Messages, check_machine, choose_device, machine, output, volume
from gccodec.cli.standard import libraries_unheard
from gccodec.cli.stream import STANDARD, check_side_output, named, read_input, write_output


@click.command("labels")
@click.argument("input", metavar="PICTURE")
@output
@click.option(
    "--overlay",
    "overlay_path",
    metavar="PNG",
    help="Also write the labelled picture with a legend.",
)
@machine
@volume
def command(
    input: str,
    output: str,
    force: bool,
    overlay_path: str | None,
    device: str,
    threads: int | None,
    weights: Path | None,
    messages: Messages,
) -> None:
    """Label the regions of PICTURE (- is stdin): a palette PNG of class ids, as `encode --labels`
    takes it.

    \b
    gccodec labels street.jpg -o labels.png --overlay shown.png

    It is what `encode --labels auto` sees; correct it in any paint program before use.
    """
    check_side_output("--overlay", overlay_path)
    check_side_output("-o", None if output == STANDARD else output)
    check_files([input], {"-o": output, "--overlay": overlay_path}, force)
    check_machine(device, weights)

    from gccodec.image.reader import read_picture
    from gccodec.image.writer import picture_format, write_picture

    data = read_input(input)
    with named(input), libraries_unheard():
        image = read_picture(data, alpha="drop").whole()

    from gccodec.semantics.label_input import to_png
    from gccodec.semantics.segmentation import Labeller, overlay

    where = choose_device(device, threads, messages)
    labeller = Labeller.load(where, weights)
    cells = labeller.cells(image)
    png = picture_format("png")
    write_output(output, force, lambda file: to_png(cells, *image.size).save(file, "PNG"))
    if overlay_path is not None:
        write_output(
            overlay_path, force, lambda file: write_picture(overlay(image, cells), png, file)
        )
