"""gccodec encode"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gccodec.cli.collision import check_files
from gccodec.cli.message import json_line
from gccodec.cli.options import (
    AnyNumber,
    ByteSize,
    Messages,
    Number,
    check_machine,
    choose_device,
    effort,
    machine,
    memory,
    metadata_kinds,
    output,
    progress_mode,
    volume,
)
from gccodec.cli.progress import Progress, ProgressMode
from gccodec.cli.selective import SelectiveOptions, selective
from gccodec.cli.standard import libraries_unheard
from gccodec.cli.stream import destination, named, open_input, write_output
from gccodec.errors import LimitError, UsageError

if TYPE_CHECKING:
    from gccodec.image.reader import AlphaPolicy


@click.command("encode")
@click.argument("input", metavar="PICTURE")
@output
@click.option("--bpp", type=AnyNumber(), help="Ceiling in bits per pixel on the whole file.")
@click.option("--size", type=ByteSize(), help="Ceiling on the whole file: 3000, 3KB, 4KiB.")
@click.option("--quality", type=Number(0, 100), help="Fixed quality 0..100 instead, in tenths.")
@effort
@click.option(
    "--metadata",
    "kinds",
    default="all",
    show_default=True,
    help="Kept: all, none, or a list of exif,icc,xmp.",
)
@click.option("--count-metadata", is_flag=True, help="Count metadata under --bpp and --size too.")
@click.option(
    "--alpha",
    type=click.Choice(["keep", "drop", "refuse"]),
    default="keep",
    show_default=True,
    help="Transparency: coded losslessly, dropped, or an error.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=1 << 28,
    show_default=True,
    help="Refuse larger input.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object (on stderr when the file goes to stdout).",
)
@selective
@progress_mode
@memory
@machine
@volume
def command(
    input: str,
    output: str,
    force: bool,
    bpp: float | None,
    size: int | None,
    quality: float | None,
    effort: int | None,
    kinds: str,
    count_metadata: bool,
    alpha: AlphaPolicy,
    max_pixels: int,
    as_json: bool,
    selective: SelectiveOptions,
    progress: ProgressMode,
    device: str,
    mem_limit: int | None,
    threads: int | None,
    weights: Path | None,
    messages: Messages,
) -> None:
    """Compress PICTURE (- is stdin) into a .gcz file.

    \b
    gccodec encode photo.png -o photo.gcz
    gccodec encode photo.png -o photo.gcz --bpp 0.05
    cat photo.jpg | gccodec encode - --size 3KB > photo.gcz
    gccodec encode photo.png -o photo.gcz --bpp 0.05 --effort 3
    gccodec encode group.jpg --keep box:40,60,200,300 --bpp 0.05 -o group.gcz
    gccodec encode street.png --labels street_labels.png --keep class:person -o street.gcz

    Without --bpp, --size or --quality the file has about 0.06 bits per pixel; small pictures and
    transparency get more. Graphics that fit exactly are kept exactly.
    """
    if sum(option is not None for option in (bpp, size, quality)) > 1:
        raise UsageError("--bpp, --size and --quality exclude each other")
    if bpp is not None and not 0 < bpp <= 24:
        raise UsageError(f"--bpp {bpp}: must be above 0 and at most 24")
    kept = metadata_kinds(kinds)
    selective.check()
    check_files([input, *selective.files], {"-o": output}, force)
    check_machine(device, weights)
    chosen = functools.cache(lambda: choose_device(device, threads, messages))

    from gccodec.image.reader import read_picture

    start = time.perf_counter()
    with open_input(input) as file:
        with named(input), libraries_unheard():
            picture = read_picture(file, max_pixels, alpha, kept)
        selection = selective.selection(picture, chosen)

        # what can be refused is, before torch is loaded
        from gccodec.codec.codec import Codec, bytes_of_bpp
        from gccodec.codec.effort import default_effort
        from gccodec.codec.memory import strip_pixels_within
        from gccodec.container.file import metadata_bytes, parse

        width, height = picture.image.size
        refined = (default_effort(width, height) if effort is None else effort) > 0
        ceiling = quality is None
        try:
            strip_pixels = strip_pixels_within(
                mem_limit, width, height, picture.streamed, refined, ceiling
            )
        except LimitError:
            if effort is not None or not refined:
                raise
            effort = 0  # nobody asked for what does not fit
            strip_pixels = strip_pixels_within(
                mem_limit, width, height, picture.streamed, ceiling=ceiling
            )
        codec = Codec.load(weights, device=chosen(), strip_pixels=strip_pixels)
        with named(input), Progress(progress, input, messages.quiet) as told:
            encoded = codec.encode(
                picture,
                quality=None if quality is None else round(quality * 10),
                size_bytes=size if bpp is None else bytes_of_bpp(bpp, width, height),
                count_metadata=count_metadata,
                selection=selection,
                effort=effort,
                progress=told,
            )
    write_output(output, force, lambda file: file.write(encoded.data))

    rate = 8 * len(encoded.data) / (width * height)
    written = parse(encoded.data, width * height)
    metadata, exact = metadata_bytes(written), encoded.coding == "lossless"
    notes = [*picture.notes, *encoded.notes]
    for note in notes:
        messages.note(f"{input}: {note}")
    if encoded.below_target:
        messages.note(
            f"{input}: the best quality of this model needs only {len(encoded.data)} bytes "
            f"({rate:.4f} bpp)"
        )
    how = "lossless" if exact else f"quality {encoded.quality / 10:.1f}"
    messages.detail(f"{input}: {len(encoded.data)} bytes, {rate:.4f} bpp, {how}")
    if metadata and not count_metadata:
        messages.note(
            f"{input}: metadata adds {metadata} bytes to {len(encoded.data) - metadata} "
            f"(--metadata none)"
        )
    if as_json:
        report = {
            "input": input,
            "output": output,
            "width": width,
            "height": height,
            "bytes": len(encoded.data),
            "bpp": round(rate, 6),
            "metadata_bytes": metadata,
            "coding": encoded.coding,
            "quality": None if exact else encoded.quality / 10,
            "effort": encoded.effort,
            "model_id": None if exact else written.model_id.hex(),
            "seconds": round(time.perf_counter() - start, 3),
            "notes": notes,
        }
        click.echo(json_line(report), err=destination(output).is_stdout)
