"""gccodec batch decode"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from gccodec.batch.archive import decode_archive
from gccodec.batch.estimate import decode_estimate
from gccodec.batch.options import DecodeOptions, Machine
from gccodec.batch.plan import ObstacleError, Plan, folds_case, make_plan, output_obstacle
from gccodec.batch.preparation import check_obstacles
from gccodec.batch.restoration import is_coded_name, original_times, picture_name
from gccodec.batch.settings import Settings
from gccodec.batch.verification import read_manifests
from gccodec.cli.batch.encode import tell_plan
from gccodec.cli.batch.options import (
    Engines,
    Inputs,
    archive_settings,
    engines,
    inputs,
    reporting,
    tell_obstacles,
)
from gccodec.cli.batch.progress import BatchProgress
from gccodec.cli.batch.report import check_apart, check_report, tell
from gccodec.cli.options import (
    Messages,
    Number,
    check_machine,
    metadata_kinds,
    progress_mode,
    scale,
    volume,
)
from gccodec.cli.progress import ProgressMode
from gccodec.errors import CorruptError, FileError
from gccodec.storage.store import is_remote


@click.command("decode")
@inputs
@archive_settings
@click.option(
    "--format",
    "format_name",
    default="original",
    show_default=True,
    help="By the name of the original, or png, jpg, webp, avif, tiff, bmp, ppm.",
)
@click.option(
    "--output-quality",
    type=click.IntRange(1, 100),
    help="Of jpg, webp and avif.  [default: 95, avif 90]",
)
@click.option(
    "--realism",
    type=Number(0, 1),
    default=1.0,
    show_default=True,
    help="0 faithful .. 1 sharp, as for one file.",
)
@scale
@click.option(
    "--metadata",
    "kinds",
    default="all",
    show_default=True,
    help="Written: all, none, or of exif,icc,xmp.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=1 << 28,
    show_default=True,
    help="Refuse larger files.",
)
@engines
@click.option(
    "--weights", type=click.Path(path_type=Path), help="Folder of weights.  [default: installed]"
)
@reporting
@progress_mode
@volume
def command(
    inputs: Inputs,
    settings: Settings,
    format_name: str,
    output_quality: int | None,
    realism: float,
    scale: str | None,
    kinds: str,
    max_pixels: int,
    engines: Engines,
    weights: Path | None,
    dry_run: bool,
    report: str | None,
    progress: ProgressMode,
    messages: Messages,
) -> None:
    """Decompress all .gcz files below INPUT (folders, files, globs or URLs) into a tree of
    pictures.

    \b
    gccodec batch decode archive/ --out-dir restored/
    gccodec batch decode archive/ --out-dir restored/ --format png
    gccodec batch decode archive/ --out-dir restored/ --others copy

    Names, formats and times are those of the originals: 2020/IMG_1.jpg.gcz becomes 2020/IMG_1.jpg.
    A format that cannot be written (HEIC, GIF) becomes PNG, IMG_1.heic.png.
    DIR/manifest-decode.jsonl lists what was done.
    """
    from gccodec.codec.reduction import parse_scale

    kept, factor = metadata_kinds(kinds), None if scale is None else parse_scale(scale)
    inputs.check()
    engines.check()
    check_report(report)
    settings.check()
    check_machine(engines.device, weights)
    name_of = picture_name(format_name)
    options = DecodeOptions(
        format_name, output_quality, realism, tuple(sorted(kept)), max_pixels, factor
    )
    machine = Machine(None if weights is None else str(weights), engines.device, engines.threads)
    folders = [a for a in inputs.arguments if is_remote(a) or Path(a).is_dir()]
    try:
        if (obstacle := output_obstacle(settings.out_dir, folders)) is not None:
            raise ObstacleError([obstacle])
        folds = not is_remote(settings.out_dir) and folds_case(settings.out_dir)
        plan: Plan = make_plan(inputs.found(), name_of, settings.out_dir, is_coded_name, folds)
        check_apart(report, plan, settings)
        if dry_run:
            estimate = decode_estimate(plan.jobs, options, engines.workers)
            check_obstacles(plan, settings, estimate.size_bytes)
            tell_plan(plan, estimate, settings.out_dir)
            return
        times = dict(_times(folders))
        with BatchProgress(progress, messages) as told:
            result = decode_archive(
                plan, options, settings, machine, engines.start, told.observer, times
            )
    except ObstacleError as error:
        tell_obstacles(error, messages)
        raise
    tell(result, report, messages, told.on_terminal)


def _times(folders: list[str]) -> Iterator[tuple[str, int]]:
    """Of the originals, as far as manifests tell them; without any, files have kept theirs."""
    for folder in folders:
        try:
            past, _ = read_manifests(folder)
        except (CorruptError, FileError):
            continue
        yield from original_times(past.records.values()).items()
