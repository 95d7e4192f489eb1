"""gccodec thumbnail"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from gccodec.cli.collision import check_files
from gccodec.cli.decode import output_format
from gccodec.cli.options import Messages, check_weights, output, usual_threads, volume
from gccodec.cli.standard import libraries_unheard
from gccodec.cli.stream import named, read_input, write_output


@click.command("thumbnail")
@click.argument("input", metavar="FILE")
@output
@click.option(
    "--size",
    type=click.IntRange(1, 4096),
    default=256,
    show_default=True,
    help="Of its longer side at most, in pixels; smaller pictures keep theirs.",
)
@click.option("--format", "format_name", help="As of `decode`.  [default: by suffix, else png]")
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=1 << 28,
    show_default=True,
    help="Refuse larger files.",
)
@click.option(
    "--weights", type=click.Path(path_type=Path), help="Folder of weights.  [default: installed]"
)
@volume
def command(
    input: str,
    output: str,
    force: bool,
    size: int,
    format_name: str | None,
    max_pixels: int,
    weights: Path | None,
    messages: Messages,
) -> None:
    """Make a small picture of the .gcz FILE (- is stdin), for file managers.

    Needs no torch, but for selective files.

    \b
    gccodec thumbnail photo.gcz -o photo.png --size 256

    It is in sRGB, with no metadata but the mark of generative media. Above half of the picture's
    size it is enlarged.
    """
    check_files([input], {"-o": output}, force)
    check_weights(weights)
    form = output_format(format_name, Path(output).suffix, None)
    data = read_input(input)

    from gccodec.codec.restoring import write_decoded
    from gccodec.codec.thumbnail import decode_thumbnail
    from gccodec.container.file import parse

    with named(input):
        file = parse(data, max_pixels)
        decoding = decode_thumbnail(file, size, weights, usual_threads())

    def write(out: IO[bytes]) -> None:
        with libraries_unheard():
            write_decoded(decoding, form, out, frozenset())

    with named(input):
        write_output(output, force, write)
    messages.detail(
        f"{input}: {file.width}x{file.height}, thumbnail {decoding.size[0]}x{decoding.size[1]}"
    )
