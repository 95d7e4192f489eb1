"""gccodec decode"""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from gccodec.cli.collision import check_files
from gccodec.cli.message import json_line
from gccodec.cli.options import (
    Messages,
    Number,
    check_machine,
    choose_device,
    machine,
    memory,
    metadata_kinds,
    output,
    progress_mode,
    scale,
    usual_threads,
    volume,
)
from gccodec.cli.progress import Progress, ProgressMode
from gccodec.cli.standard import heard, libraries_unheard
from gccodec.cli.stream import check_side_output, destination, named, read_input, write_output
from gccodec.errors import UsageError

if TYPE_CHECKING:
    from gccodec.codec.reduction import Scale
    from gccodec.codec.small_version import SmallVersions
    from gccodec.container.file import GczFile
    from gccodec.image.writer import Format


@click.command("decode")
@click.argument("input", metavar="FILE")
@output
@click.option(
    "--format",
    "format_name",
    help="png, jpg, webp, avif, tiff, bmp, ppm, pgm, pnm.  [default: by suffix, else png]",
)
@click.option(
    "--output-quality",
    type=click.IntRange(1, 100),
    help="Of jpg, webp and avif, 1 smallest .. 100 best.  [default: 95, avif 90]",
)
@click.option(
    "--realism",
    type=Number(0, 1),
    help="0 faithful .. 1 sharp; no effect with weights without an adversary.  [default: 1]",
)
@click.option("--crop", metavar="X,Y,W,H", help="Decode this region alone, in pixels.")
@scale
@click.option(
    "--map",
    "map_path",
    metavar="PNG",
    help="Also write what was kept (255), coded coarsely (128), synthesised (0).",
)
@click.option(
    "--metadata",
    "kinds",
    default="all",
    show_default=True,
    help="Written: all, none, or a list of exif,icc,xmp.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=1 << 28,
    show_default=True,
    help="Refuse larger files.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object (on stderr when pixels go to stdout).",
)
@progress_mode
@memory
@machine
@volume
def command(
    input: str,
    output: str,
    force: bool,
    format_name: str | None,
    output_quality: int | None,
    realism: float | None,
    crop: str | None,
    scale: str | None,
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

    The picture's XMP is marked with the IPTC digital source type of generative media, unless FILE
    holds it exactly; then no weights are needed.
    """
    kept = metadata_kinds(kinds)
    check_side_output("--map", map_path)
    check_files([input], {"-o": output, "--map": map_path}, force)
    check_machine(device, weights)
    if scale is not None and (crop is not None or map_path is not None):
        raise UsageError(
            f"--scale and {'--crop' if crop is not None else '--map'} exclude each other"
        )

    # what can be refused is, before torch is loaded
    from gccodec.codec.decoding import DEFAULT_REALISM
    from gccodec.codec.reduction import parse_scale, reduced_decoding
    from gccodec.container.file import parse
    from gccodec.image.metadata import Metadata
    from gccodec.image.writer import picture_format, write_strips
    from gccodec.semantics.region import Region

    form = output_format(format_name, Path(output).suffix, output_quality)
    region = Region.parse(crop) if crop is not None else None
    factor = parse_scale(scale) if scale is not None else None
    data = read_input(input)
    with named(input):
        file = parse(data, max_pixels)
    region = Region(0, 0, file.width, file.height) if region is None else region
    region.check(file.width, file.height)
    from gccodec.codec.restoring import write_decoded
    from gccodec.semantics.keep_mask import kept_strips

    start = time.perf_counter()
    strength = DEFAULT_REALISM if realism is None else realism
    told, exact = Progress(progress, input, messages.quiet), file.coding == "lossless"
    small = (
        None
        if factor is None
        else small_versions(file, factor, weights, threads or usual_threads())
    )
    if small is not None and factor is not None:
        with named(input):
            decoding = small.decode(file, factor, strength)
    elif exact:
        from gccodec.codec.lossless import decode_lossless

        with named(input):
            decoding = decode_lossless(file, region, mem_limit)
    else:
        from gccodec.codec.codec import Codec
        from gccodec.codec.memory import strip_pixels_within

        streamed = form.name == "PNG"
        strip_pixels = strip_pixels_within(mem_limit, file.width, file.height, streamed)
        codec = Codec.load(
            weights, file.model_id, choose_device(device, threads, messages), strip_pixels
        )
        decoding = codec.decode_strips(data, max_pixels, strength, region, told)
    if factor is not None and small is None:
        decoding = reduced_decoding(decoding, factor)
    notes: list[str] = []

    def write(out: IO[bytes]) -> None:
        with libraries_unheard():
            notes.extend(write_decoded(decoding, form, out, kept, heard(decoding.strips)))

    with named(input), told:
        write_output(output, force, write)
    if map_path is not None:
        strips, size = kept_strips(file, region), (region.width, region.height)
        write_output(
            map_path,
            force,
            lambda out: write_strips(strips, size, picture_format("png"), out, Metadata()),
        )
    for note in notes:
        messages.note(f"{input}: {note}")
    how = "lossless" if exact else f"quality {file.quality / 10:.1f}"
    messages.detail(f"{input}: {file.width}x{file.height}, {how}")
    if as_json:
        report = {
            "input": input,
            "output": output,
            "width": decoding.size[0],
            "height": decoding.size[1],
            "seconds": round(time.perf_counter() - start, 3),
        }
        to_stdout = any(
            name is not None and destination(name).is_stdout for name in (output, map_path)
        )
        click.echo(json_line(report), err=to_stdout)


def small_versions(
    file: GczFile, scale: Scale, folder: Path | None, threads: int
) -> SmallVersions | None:
    """What makes that version of a file; None for what the full generator has to make."""
    from gccodec.codec.small_version import SmallVersions, suits

    return (
        SmallVersions.load_if_there(file.model_id, folder, threads) if suits(file, scale) else None
    )


def output_format(name: str | None, suffix: str, quality: int | None) -> Format:
    """The format of --format, else of the output's suffix; UsageError for an unknown one and for a
    lossless quality."""
    from gccodec.image.writer import FORMATS, picture_format

    if name is None and suffix and suffix[1:].lower() not in FORMATS:
        raise UsageError(
            f"-o: the suffix {suffix} names no known format; --format does: {', '.join(FORMATS)}"
        )
    form = picture_format(name or suffix or "png")
    return form if quality is None else form.at_quality(quality)
