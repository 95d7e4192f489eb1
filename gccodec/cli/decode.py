"""gccodec decode"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from gccodec.cli.options import Messages, choose_device, machine, metadata_kinds, output, volume
from gccodec.cli.stream import STANDARD, check_output, read_input, write_output


@click.command("decode")
@click.argument("input", metavar="FILE")
@output
@click.option("--format", "format_name", help="png, jpg, webp, avif, tiff, bmp, ppm.  [default: by suffix, else png]")
@click.option(
    "--realism",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="0 faithful .. 1 sharp; no effect with weights trained without an adversary.",
)
@click.option(
    "--metadata", "kinds", default="all", show_default=True, help="Written: all, none, or a list of exif,icc,xmp."
)
@click.option("--max-pixels", type=click.IntRange(1), default=1 << 26, show_default=True, help="Refuse larger files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (on stderr when pixels go to stdout).")
@machine
@volume
def command(
    input: str,
    output: str,
    force: bool,
    format_name: str | None,
    realism: float,
    kinds: str,
    max_pixels: int,
    as_json: bool,
    device: str,
    threads: int | None,
    weights: Path | None,
    messages: Messages,
) -> None:
    """Decompress the .gcz FILE (- is stdin) into a picture.

    \b
    gccodec decode photo.gcz -o photo.png
    gccodec decode - --format jpg < photo.gcz > photo.jpg

    The picture's XMP is marked with the IPTC digital source type of generative media.
    """
    kept = metadata_kinds(kinds)
    check_output(output, force)
    data = read_input(input)

    from gccodec.container.file import parse

    file = parse(data, max_pixels)  # a damaged file is refused before torch is loaded

    from gccodec.codec.codec import Codec
    from gccodec.codec.metadata import with_source_type
    from gccodec.codec.picture import picture_format, write_picture

    suffix = Path(output).suffix if output != STANDARD else ""
    form = picture_format(format_name or suffix or "png")
    start = time.perf_counter()
    codec = Codec.load(weights, file.model_id, choose_device(device, threads, messages))
    decoded = codec.decode(data, max_pixels, realism)
    metadata = decoded.metadata.only(kept)
    if "xmp" in form.metadata:
        metadata = metadata._replace(xmp=with_source_type(metadata.xmp))
    notes: list[str] = []
    write_output(output, force, lambda file: notes.extend(write_picture(decoded.image, form, file, metadata)))
    for note in notes:
        messages.note(f"{input}: {note}")
    messages.detail(f"{input}: {file.width}x{file.height}, quality {file.quality / 10:.1f}")
    if as_json:
        report = {
            "input": input,
            "output": output,
            "width": file.width,
            "height": file.height,
            "seconds": round(time.perf_counter() - start, 3),
        }
        click.echo(json.dumps(report), err=output == STANDARD)
