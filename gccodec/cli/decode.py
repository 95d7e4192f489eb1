"""gccodec decode"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from gccodec.cli.options import Messages, choose_device, machine, memory, metadata_kinds, output, progress_mode, volume
from gccodec.cli.progress import Progress, ProgressMode
from gccodec.cli.stream import STANDARD, check_output, read_input, write_output
from gccodec.errors import UsageError


@click.command("decode")
@click.argument("input", metavar="FILE")
@output
@click.option("--format", "format_name", help="png, jpg, webp, avif, tiff, bmp, ppm.  [default: by suffix, else png]")
@click.option(
    "--realism",
    type=click.FloatRange(0, 1),
    help="0 faithful .. 1 sharp; no effect with weights trained without an adversary.  [default: 1]",
)
@click.option("--crop", metavar="X,Y,W,H", help="Decode this region alone, in pixels.")
@click.option(
    "--map", "map_path", metavar="PNG", help="Also write what was kept (255), coded coarsely (128), synthesised (0)."
)
@click.option(
    "--metadata", "kinds", default="all", show_default=True, help="Written: all, none, or a list of exif,icc,xmp."
)
@click.option("--max-pixels", type=click.IntRange(1), default=1 << 28, show_default=True, help="Refuse larger files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (on stderr when pixels go to stdout).")
@progress_mode
@memory
@machine
@volume
def command(
    input: str,
    output: str,
    force: bool,
    format_name: str | None,
    realism: float | None,
    crop: str | None,
    map_path: str | None,
    kinds: str,
    max_pixels: int,
    as_json: bool,
    progress: ProgressMode,
    device: str,
    mem_limit: int | None,
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
    if map_path is not None:
        if map_path == STANDARD:
            raise UsageError("--map needs a file; stdout is for the picture")
        check_output(map_path, force)
    data = read_input(input)

    from gccodec.container.file import parse

    file = parse(data, max_pixels)  # a damaged file is refused before torch is loaded

    from gccodec.codec.codec import DEFAULT_REALISM, Codec
    from gccodec.codec.memory import strip_pixels_within
    from gccodec.codec.region import Region
    from gccodec.codec.selection import kept_strips
    from gccodec.image.metadata import Metadata
    from gccodec.image.writer import picture_format, write_strips
    from gccodec.image.xmp import with_source_type

    suffix = Path(output).suffix if output != STANDARD else ""
    form = picture_format(format_name or suffix or "png")
    start = time.perf_counter()
    region = Region.parse(crop) if crop is not None else Region(0, 0, file.width, file.height)
    region.check(file.width, file.height)
    streamed = form.name == "PNG"
    strip_pixels = strip_pixels_within(mem_limit, file.width, file.height, streamed)
    codec = Codec.load(weights, file.model_id, choose_device(device, threads, messages), strip_pixels)
    told = Progress(progress, input, messages.quiet)
    strength = DEFAULT_REALISM if realism is None else realism
    decoding = codec.decode_strips(data, max_pixels, strength, region, told)
    metadata = decoding.metadata.only(kept | {"icc"})  # a profile that is not kept is applied
    notes: list[str] = []
    if "xmp" in form.metadata:
        packet, said = with_source_type(metadata.xmp)
        metadata = metadata._replace(xmp=packet)
        notes += said
    with told:
        write_output(
            output,
            force,
            lambda out: notes.extend(write_strips(decoding.strips, decoding.size, form, out, metadata, kept | {"xmp"})),
        )
    if map_path is not None:
        strips, size = kept_strips(file, region), (region.width, region.height)
        write_output(map_path, force, lambda out: write_strips(strips, size, picture_format("png"), out, Metadata()))
    for note in notes:
        messages.note(f"{input}: {note}")
    messages.detail(f"{input}: {file.width}x{file.height}, quality {file.quality / 10:.1f}")
    if as_json:
        report = {
            "input": input,
            "output": output,
            "width": region.width,
            "height": region.height,
            "seconds": round(time.perf_counter() - start, 3),
        }
        click.echo(json.dumps(report), err=output == STANDARD)
