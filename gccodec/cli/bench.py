"""gccodec bench"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gccodec.cli.options import Messages, choose_device, machine, volume
from gccodec.errors import FileError, UsageError

if TYPE_CHECKING:
    from gccodec.codec.codec import Codec


@click.command("bench")
@click.option("--pictures", type=click.Path(path_type=Path), required=True, help="Folder of PNG pictures.")
@click.option("--nets", type=click.Path(path_type=Path), help="Folder of the frozen metric networks.")
@click.option("--reference", type=click.Path(path_type=Path), help="Folder of curves of other codecs.")
@click.option("--bpp", "rates", multiple=True, type=float, help="Rates.  [default: 0.03 0.05 0.07 0.10]")
@click.option("--table", type=click.Path(path_type=Path), help="Also write a row a picture (TSV).")
@click.option("--speed", is_flag=True, help="Time each part instead, at 768x512 and 4000x3000.")
@machine
@volume
def command(
    pictures: Path,
    nets: Path | None,
    reference: Path | None,
    rates: tuple[float, ...],
    table: Path | None,
    speed: bool,
    device: str,
    threads: int | None,
    weights: Path | None,
    messages: Messages,
) -> None:
    """Measure quality on a set of pictures, from real files, beside other codecs; or speed.

    \b
    gccodec bench --pictures kodak/ --nets nets/ --reference reference/
    gccodec bench --pictures photos/ --speed
    """
    paths = sorted(pictures.glob("*.png"))
    if not paths:
        raise FileError(f"{pictures}: no PNG pictures")

    from gccodec.codec.codec import Codec

    codec = Codec.load(weights, device=choose_device(device, threads, messages))
    if speed:
        show_speed(codec, paths[0])
        return
    if nets is None:
        raise UsageError("--nets is needed for the metrics")
    show_quality(codec, paths, nets, reference, list(rates) or [0.03, 0.05, 0.07, 0.10], table, messages)


def show_speed(codec: Codec, path: Path) -> None:
    """Print the split for both sizes."""
    from gccodec.benchmark.speed import resized, time_parts
    from gccodec.codec.picture import read_picture

    pixels = read_picture(path.read_bytes()).pixels
    for width, height, repeats in ((768, 512, 7), (4000, 3000, 2)):
        click.echo(f"{width}x{height}, quality 25, best of {repeats}, seconds")
        for timing in time_parts(codec, resized(pixels, width, height), 250, repeats):
            click.echo(f"  {timing.part:24s}{timing.seconds:8.3f}")


def show_quality(
    codec: Codec,
    paths: list[Path],
    nets: Path,
    reference: Path | None,
    rates: list[float],
    table: Path | None,
    messages: Messages,
) -> None:
    """Print the means at each rate, ours first."""
    from gccodec.benchmark.quality import Features, Measurement, measure
    from gccodec.benchmark.reference import mean_at_rate, rate_for, read_curves

    rows, features = [], Features(nets)
    for row in measure(codec, paths, nets, rates, features):
        rows.append(row)
        messages.detail("\t".join(map(str, row)))
    if table is not None:
        lines = ["\t".join(Measurement._fields)] + ["\t".join(map(str, row)) for row in rows]
        table.write_text("\n".join(lines) + "\n")
    curves = {p.stem.partition("-")[2]: read_curves(p) for p in sorted(reference.glob("*.tsv"))} if reference else {}
    click.echo(f"means over {len(paths)} pictures, whole files; model {codec.weights.model_id.hex()}")
    click.echo("LPIPS-Alex / MS-SSIM / PSNR dB; other codecs interpolated over log rate")
    for rate in rates:
        ours = [r for r in rows if r.target_bpp == rate]

        def mean(field: str, ours: list[Measurement] = ours) -> float:
            return sum(float(getattr(r, field)) for r in ours) / len(ours)

        click.echo(f"{rate:.3f} bpp  (quality {mean('quality'):.1f})")
        ours_at_rate = f"{mean('lpips_alex'):.3f} / {mean('ms_ssim'):.3f} / {mean('psnr_db'):.2f}"
        click.echo(f"  gccodec   {ours_at_rate}   {mean('bpp'):.4f} bpp, patch KID {features.kid(rate):.2f}")
        colour = max(r.colour_error_levels for r in ours)
        click.echo(
            f"            ST-LPIPS-Alex {mean('st_lpips_alex'):.3f}, colour error {mean('colour_error_levels'):.2f}"
            f" levels, at most {colour:.2f}"
        )
        for name, curve in curves.items():
            values = [mean_at_rate(curve, rate, m) for m in ("lpips_alex", "ms_ssim", "psnr_db")]
            if None not in values:
                steps = [0.02 * 1.01**i for i in range(400)]
                equal = rate_for(curve, mean("lpips_alex"), steps)
                needs = f"{equal:.3f} bpp for our LPIPS, {equal / mean('bpp'):.2f} times" if equal else "-"
                lpips, ssim, psnr = (v for v in values if v is not None)
                click.echo(f"  {name:9s} {lpips:.3f} / {ssim:.3f} / {psnr:.2f}   {needs}")
