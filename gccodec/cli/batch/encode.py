"""gccodec batch encode"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gccodec.batch.archive import encode_archive
from gccodec.batch.estimate import Estimate, encode_estimate
from gccodec.batch.options import EncodeOptions, Machine
from gccodec.batch.plan import (
    DEFAULT_TEMPLATE,
    ObstacleError,
    Plan,
    Template,
    folds_case,
    make_plan,
    output_obstacle,
)
from gccodec.batch.preparation import check_obstacles
from gccodec.batch.progress import amount, duration
from gccodec.batch.settings import Settings
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
from gccodec.cli.message import printable
from gccodec.cli.options import (
    AnyNumber,
    ByteSize,
    Messages,
    Number,
    check_machine,
    effort,
    metadata_kinds,
    progress_mode,
    volume,
)
from gccodec.cli.progress import ProgressMode
from gccodec.errors import UsageError
from gccodec.image.suffix import is_picture_name
from gccodec.storage.store import is_remote, shown

SHOWN_JOBS = 10


@click.command("encode")
@inputs
@archive_settings
@click.option("--bpp", type=AnyNumber(), help="Ceiling in bits per pixel on each file.")
@click.option("--size", type=ByteSize(), help="Ceiling on each file: 3000, 3KB, 4KiB.")
@click.option("--quality", type=Number(0, 100), help="Fixed quality 0..100 instead, in tenths.")
@click.option(
    "--total", type=ByteSize(), help="Ceiling on all files together: 700MB; one quality for all."
)
@effort
@click.option(
    "--metadata",
    "kinds",
    default="all",
    show_default=True,
    help="Kept: all, none, or of exif,icc,xmp.",
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
    "--name",
    "template",
    default=DEFAULT_TEMPLATE,
    show_default=True,
    help="Of files; {stem} and {suffix}, too.",
)
@click.option("--verify", is_flag=True, help="Decode the symbols of each file that was written.")
@click.option(
    "--delete-source",
    is_flag=True,
    help="With --verify: delete originals that are safe in the archive.",
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
    bpp: float | None,
    size: int | None,
    quality: float | None,
    total: int | None,
    effort: int | None,
    kinds: str,
    count_metadata: bool,
    alpha: Any,
    max_pixels: int,
    template: str,
    verify: bool,
    delete_source: bool,
    engines: Engines,
    weights: Path | None,
    dry_run: bool,
    report: str | None,
    progress: ProgressMode,
    messages: Messages,
) -> None:
    """Compress all photographs below INPUT (folders, files, globs or URLs) into an archive of .gcz
    files.

    \b
    gccodec batch encode photos/ --out-dir archive/ --bpp 0.06
    gccodec batch encode photos/ --out-dir archive/ --bpp 0.06 --resume
    gccodec batch encode photos/ --out-dir /media/stick --total 700MB
    find photos -name '*.jpg' -print0 | gccodec batch encode --files-from - -0 --out-dir archive/

    The tree and the names are kept (2020/IMG_1.jpg becomes 2020/IMG_1.jpg.gcz), and the times of
    the files. DIR/manifest.jsonl lists what was done; --resume goes on after an interruption, and
    adds what is new. --total does not count the manifest.
    """
    if sum(option is not None for option in (bpp, size, quality, total)) > 1:
        raise UsageError("--bpp, --size, --quality and --total exclude each other")
    if bpp is not None and not 0 < bpp <= 24:
        raise UsageError(f"--bpp {bpp}: must be above 0 and at most 24")
    kept = metadata_kinds(kinds)
    inputs.check()
    engines.check()
    check_report(report)
    check_machine(engines.device, weights)
    settings = settings._replace(verify=verify, delete_sources=delete_source)
    settings.check()
    options = EncodeOptions(
        bpp, size, total, None if quality is None else round(quality * 10), effort,
        tuple(sorted(kept)), count_metadata, alpha, max_pixels,
    )  # fmt: skip
    machine = Machine(None if weights is None else str(weights), engines.device, engines.threads)
    try:
        plan = planned(inputs, Template(template), settings.out_dir)
        check_apart(report, plan, settings)
        if dry_run:
            estimate = encode_estimate(plan.jobs, options, engines.workers)
            check_obstacles(plan, settings, estimate.size_bytes)
            tell_plan(plan, estimate, settings.out_dir)
            return
        with BatchProgress(progress, messages) as told:
            result = encode_archive(plan, options, settings, machine, engines.start, told.observer)
    except ObstacleError as error:
        tell_obstacles(error, messages)
        raise
    if (
        total is not None
        and not settings.resume
        and not result.failures
        and result.bytes_after < 0.99 * total
    ):
        messages.note(f"the best quality of this model needs only {amount(result.bytes_after)}")
    tell(result, report, messages, told.on_terminal)


def planned(inputs: Inputs, template: Template, out_dir: str) -> Plan:
    """The plan of an encode; ObstacleError for an output folder inside an input folder."""
    if (
        obstacle := output_obstacle(out_dir, [a for a in inputs.arguments if not _is_pattern(a)])
    ) is not None:
        raise ObstacleError([obstacle])
    folds = not is_remote(out_dir) and folds_case(out_dir)
    return make_plan(inputs.found(), template.target, out_dir, is_photograph, folds)


def _is_pattern(argument: str) -> bool:
    return not is_remote(argument) and not Path(argument).is_dir()


def is_photograph(name: str) -> bool:
    """By its suffix; `._IMG_1.jpg` is what macOS keeps beside a file on foreign disks."""
    return is_picture_name(name) and not name.rpartition("/")[2].startswith("._")


def tell_plan(plan: Plan, estimate: Estimate, out_dir: str) -> None:
    """On stdout."""
    size_bytes = sum(job.source.size_bytes for job in plan.jobs)
    click.echo(
        f"{len(plan.jobs)} pictures, {amount(size_bytes)}, about {estimate.pixels / 1e6:,.0f} "
        f"megapixels"
        f" -> {shown(out_dir)}: about {amount(estimate.size_bytes)} and "
        f"{duration(estimate.seconds)}"
    )
    for job in plan.jobs[:SHOWN_JOBS]:
        click.echo(printable(f"  {shown(job.source.path)} -> {job.target}"))
    if len(plan.jobs) > SHOWN_JOBS:
        click.echo(f"  and {len(plan.jobs) - SHOWN_JOBS} more")
    if plan.others:
        click.echo(printable(f"{len(plan.others)} other files, {plan.others[0].name} first"))
    for fault in plan.faults:
        click.echo(printable(f"not reached: {shown(fault.path)}: {fault.reason}"))
