"""gccodec bench"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from gccodec.cli.collision import check_files
from gccodec.cli.options import Messages, Number, choose_device, effort, machine, volume
from gccodec.errors import FileError, UsageError

if TYPE_CHECKING:
    from gccodec.benchmark.quality import Measurement
    from gccodec.benchmark.reference import Curves
    from gccodec.codec.codec import Codec
    from gccodec.semantics.segmentation import Labeller


class Plan(NamedTuple):
    """Ceilings in bits a pixel, the realisms that each file is decoded with, effort, and whether
    AVIF is measured."""

    rates: list[float]
    realisms: list[float]
    effort: int | None
    avif: bool


@click.command("bench")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder of PNG pictures.")
@click.option(
    "--scenes",
    type=click.Path(path_type=Path),
    help="Instead: pictures with label maps; selective coding.",
)
@click.option("--nets", type=click.Path(path_type=Path), help="Folder that `gccodec nets` made.")
@click.option(
    "--reference", type=click.Path(path_type=Path), help="Folder of curves of other codecs."
)
@click.option(
    "--bpp",
    "rates",
    multiple=True,
    type=Number(0, min_open=True),
    help="Rates.  [default: 0.03 0.05 0.07 0.10]",
)
@click.option(
    "--realism",
    "realisms",
    multiple=True,
    type=Number(0, 1),
    help="Decoded with.  [default: as decode]",
)
@effort
@click.option("--table", type=click.Path(path_type=Path), help="Also write a row a picture (TSV).")
@click.option("--avif", is_flag=True, help="Also measure AVIF files made within the same ceilings.")
@click.option(
    "--views",
    type=click.Path(path_type=Path),
    help="Also write pictures beside AVIF into this folder.",
)
@click.option("--speed", is_flag=True, help="Time each part instead, at 768x512 and 4000x3000.")
@click.option(
    "--before",
    type=click.Path(path_type=Path),
    help="With --speed: also another source tree, in turns.",
)
@machine
@volume
def command(
    pictures: Path | None,
    scenes: Path | None,
    nets: Path | None,
    reference: Path | None,
    rates: tuple[float, ...],
    realisms: tuple[float, ...],
    effort: int | None,
    table: Path | None,
    avif: bool,
    views: Path | None,
    speed: bool,
    before: Path | None,
    device: str,
    threads: int | None,
    weights: Path | None,
    messages: Messages,
) -> None:
    """Measure quality on a set of pictures, from real files, beside other codecs; or speed.

    \b
    gccodec bench --pictures kodak/ --nets nets/ --reference reference/
    gccodec bench --pictures kodak/ --nets nets/ --bpp 0.05 --realism 0 --realism 1
    gccodec bench --pictures kodak/ --nets nets/ --bpp 0.05 --effort 3
    gccodec bench --pictures photos/ --speed --before ../older-checkout
    gccodec bench --scenes streets/ --nets nets/ --bpp 0.05
    """
    if (pictures is None) == (scenes is None):
        raise UsageError("give either --pictures or --scenes")
    for folder in (pictures, scenes):
        if folder is not None and not folder.is_dir():
            raise FileError(f"{folder}: not a folder")
    paths = sorted(pictures.glob("*.png")) if pictures is not None else []
    if pictures is not None and not paths:
        raise FileError(f"{pictures}: no PNG pictures")
    timed = speed and scenes is None
    if timed and effort:
        raise UsageError("--effort is not for --speed")
    if before is not None and not (timed and (before / "gccodec").is_dir()):
        raise UsageError("--before: names another source tree, for --speed")
    if nets is None and not timed:
        raise UsageError(
            "--nets is needed for the metrics; gccodec nets --help says how to get them"
        )
    if table is not None:
        curves = [] if reference is None else sorted(reference.glob("*.tsv"))
        check_files(map(str, [*paths, *curves]), {"--table": str(table)}, force=True)

    from gccodec.codec.codec import DEFAULT_REALISM, Codec
    from gccodec.metrics.nets.catalogue import QUALITY, SCENES, check_nets

    if nets and not timed:
        check_nets(nets, QUALITY if scenes is None else SCENES)
    codec = Codec.load(weights, device=choose_device(device, threads, messages))
    if timed:
        show_speed(codec, paths[0], before, table)
        return
    assert nets is not None
    if scenes is not None:
        show_scenes(codec, scenes, nets, list(rates) or [0.05], effort)
        return
    plan = Plan(
        list(rates) or [0.03, 0.05, 0.07, 0.10], list(realisms) or [DEFAULT_REALISM], effort, avif
    )
    show_quality(codec, paths, nets, reference, plan, table, messages)
    if views is not None:
        from gccodec.benchmark.view import write_views

        for written in write_views(codec, paths, plan.rates, views, effort):
            messages.detail(str(written))


def named(effort: int | None) -> str:
    """As the first line says it."""
    return "default effort" if effort is None else f"effort {effort}"


def installed_labeller(codec: Codec) -> Labeller | None:
    """The label network, where one is installed."""
    from gccodec.errors import WeightsError
    from gccodec.semantics.segmentation import Labeller

    try:
        return Labeller.load(codec.transforms.device)
    except WeightsError:
        return None


SPEED_SIZES = ((768, 512, 9), (4000, 3000, 3))
"""Width, height, and how often each part is timed."""


def show_speed(codec: Codec, path: Path, before: Path | None, table: Path | None) -> None:
    """Print each part's time for both sizes, beside the least that this machine could take; then
    the other tree's."""
    import datetime

    import torch

    from gccodec.benchmark.floor import convolution_rate
    from gccodec.benchmark.side_by_side import side_by_side
    from gccodec.benchmark.speed import resized, time_parts
    from gccodec.image.reader import read_picture

    pixels, labeller = read_picture(path.read_bytes()).pixels, installed_labeller(codec)
    threads = torch.get_num_threads()
    rates = ", ".join(
        f"{convolution_rate(n, threads) / 1e9:.0f} at {n}" for n in (224, 160, 128, 64, 32)
    )
    head = f"{threads} threads, torch {torch.__version__}; 10^9 operations a second of convolutions"
    head += f" by channels: {rates}"
    click.echo(head)
    lines = [f"# {datetime.date.today()}, {head}", "size\twork\tseconds\tfloor or before s\ttimes"]
    for width, height, repeats in SPEED_SIZES:
        click.echo(f"{width}x{height}, quality 25, best of {repeats}, seconds (times the floor)")
        for part, seconds, floor in time_parts(
            codec, labeller, resized(pixels, width, height), 250, repeats
        ):
            over = "" if floor is None else f"  ({seconds / floor:.1f})"
            click.echo(f"  {part:24s}{seconds:8.3f}{over}")
            known = "\t" if floor is None else f"{floor:.3f}\t{seconds / floor:.2f}"
            lines.append(f"{width}x{height}\t{part}\t{seconds:.3f}\t{known}")
        for work, old, new, ratio in (
            () if before is None else side_by_side(before, path, (width, height), threads, repeats)
        ):
            click.echo(f"  {work:24s}{new:8.3f}  before {old:.3f}, {ratio:.2f} times as fast")
            lines.append(f"{width}x{height}\t{work}\t{new:.3f}\t{old:.3f}\t{ratio:.2f}")
    if table is not None:
        table.write_text("\n".join(lines) + "\n")


def show_quality(
    codec: Codec,
    paths: list[Path],
    nets: Path,
    reference: Path | None,
    plan: Plan,
    table: Path | None,
    messages: Messages,
) -> None:
    """Print the means at each rate, ours first."""
    from gccodec.benchmark.quality import AVIF, Features, measure, measure_avif
    from gccodec.benchmark.reference import read_curves

    rows, features = [], Features(nets)
    for row in measure(codec, paths, nets, plan.rates, plan.realisms, features, plan.effort):
        rows.append(row)
        messages.detail("\t".join(map(str, row)))
    avif = list(measure_avif(paths, nets, plan.rates, features)) if plan.avif else []
    if table is not None:
        lines = ["\t".join(rows[0]._fields)] + ["\t".join(map(str, row)) for row in rows + avif]
        table.write_text("\n".join(lines) + "\n")
    curves = (
        {p.stem.partition("-")[2]: read_curves(p) for p in sorted(reference.glob("*.tsv"))}
        if reference
        else {}
    )
    click.echo(
        f"means over {len(paths)} pictures, whole files; model {codec.bitstream.id.hex()}, "
        f"{named(plan.effort)}"
    )
    click.echo("LPIPS-Alex / MS-SSIM / PSNR dB; other codecs interpolated over log rate")
    for rate in plan.rates:
        for realism in plan.realisms:
            chosen = [row for row in rows if (row.target_bpp, row.realism) == (rate, realism)]
            show_means(chosen, features.kid(rate, realism), curves)
        if avif:
            show_avif([row for row in avif if row.target_bpp == rate], features.kid(rate, AVIF))


def mean_of(rows: list[Measurement], field: str) -> float:
    """Over the pictures."""
    return sum(float(getattr(r, field)) for r in rows) / len(rows)


def show_avif(rows: list[Measurement], kid: float) -> None:
    """What Pillow's AVIF makes of the same pictures within the same ceiling."""
    values = " / ".join(
        f"{mean_of(rows, m):.{n}f}" for m, n in (("lpips_alex", 3), ("ms_ssim", 3), ("psnr_db", 2))
    )
    click.echo(f"  AVIF made here  {values}   {mean_of(rows, 'bpp'):.4f} bpp, patch KID {kid:.2f}")


def show_means(rows: list[Measurement], kid: float, curves: dict[str, Curves]) -> None:
    """Of one rate and realism: ours, then what other codecs reach at that rate and need for our
    LPIPS."""
    from gccodec.benchmark.reference import mean_at_rate, rate_for

    def mean(field: str) -> float:
        return mean_of(rows, field)

    rate = rows[0].target_bpp
    click.echo(f"{rate:.3f} bpp, realism {rows[0].realism:g}  (quality {mean('quality'):.1f})")
    ours = f"{mean('lpips_alex'):.3f} / {mean('ms_ssim'):.3f} / {mean('psnr_db'):.2f}"
    click.echo(f"  gccodec   {ours}   {mean('bpp'):.4f} bpp, patch KID {kid:.2f}")
    colour = max(r.colour_error_levels for r in rows)
    click.echo(
        f"            ST-LPIPS-Alex {mean('st_lpips_alex'):.3f}, colour error "
        f"{mean('colour_error_levels'):.2f}"
        f" levels, at most {colour:.2f}"
    )
    for name, curve in curves.items():
        values = [mean_at_rate(curve, rate, m) for m in ("lpips_alex", "ms_ssim", "psnr_db")]
        if None not in values:
            equal = rate_for(curve, mean("lpips_alex"), [0.02 * 1.01**i for i in range(400)])
            needs = (
                f"{equal:.3f} bpp for our LPIPS, {equal / mean('bpp'):.2f} times" if equal else "-"
            )
            lpips, ssim, psnr = (v for v in values if v is not None)
            click.echo(f"  {name:9s} {lpips:.3f} / {ssim:.3f} / {psnr:.2f}   {needs}")


def show_scenes(
    codec: Codec, folder: Path, nets: Path, rates: list[float], effort: int | None
) -> None:
    """Print a line a way of keeping the scenes, at each rate."""
    from gccodec.benchmark.scenes import judge_scenes

    labeller = installed_labeller(codec)
    click.echo(f"model {codec.bitstream.id.hex()}, {named(effort)}")
    click.echo("mean IoU with the true labels, of DeepLab on what comes back")
    for rate in rates:
        click.echo(f"{rate:.3f} bpp".ljust(41) + "bpp    mIoU   KID    kept: PSNR  LPIPS    bpp")
        for row in judge_scenes(codec, folder, nets, rate, labeller, effort):
            judged = f"{row.bpp:7.4f} {row.mean_iou:6.3f} {row.kid:7.1f}"
            kept = f"{row.kept_psnr_db:11.2f} {row.kept_lpips:8.4f} {row.kept_bpp:7.4f}"
            click.echo(f"  {row.name:36s} {judged} {kept}".replace("nan", "  -"))
