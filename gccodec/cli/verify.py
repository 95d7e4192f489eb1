"""gccodec verify"""

from __future__ import annotations

import click

from gccodec.cli.collision import check_read_once
from gccodec.cli.message import json_line, printable
from gccodec.cli.stream import read_input
from gccodec.container.file import GczFile, parse
from gccodec.errors import FileError, GccodecError


@click.command("verify")
@click.argument("inputs", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--symbols",
    is_flag=True,
    help="Also decode latents (needs the weights) and check their digest, or exact pixels.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file.")
@click.option("-q", "--quiet", is_flag=True, help="Only the files that fail.")
@click.pass_context
def command(
    ctx: click.Context, inputs: tuple[str, ...], symbols: bool, as_json: bool, quiet: bool
) -> None:
    """Check that each .gcz FILE (- is stdin) is whole. Needs no torch.

    \b
    gccodec verify archive/*.gcz

    One bad file exits with its own code (4 corrupt, 7 unreadable); some of several with 1.
    """
    check_read_once(inputs)
    failures: list[GccodecError] = []
    for name in inputs:
        problem = None
        try:
            file = parse(read_input(name))
            if symbols:
                check_symbols(file)
        except GccodecError as error:
            failures.append(error)
            problem = str(error)
            shown = problem if isinstance(error, FileError) else f"{name}: {problem}"
        if as_json:
            click.echo(json_line({"input": name, "ok": problem is None, "error": problem}))
        elif problem is not None:
            click.echo(f"gccodec: error: {printable(shown)}", err=True)
        elif not quiet:
            click.echo(f"{printable(name)}: ok")
    if failures:
        ctx.exit(failures[0].exit_code if len(inputs) == 1 else 1)


def check_symbols(file: GczFile) -> None:
    """With the installed weights, which an exact picture does without; CorruptError where
    damaged."""
    from gccodec.codec.verification import verify_lossless, verify_symbols

    if file.coding == "lossless":
        verify_lossless(file)
        return
    from gccodec.weights.folder import WeightsFolder

    bitstream = WeightsFolder.installed().load_bitstream(file.model_id)
    verify_symbols(file, bitstream.latent_codec(), bitstream)
