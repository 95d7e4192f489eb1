"""gccodec export"""

from __future__ import annotations

from pathlib import Path

import click

from gccodec.errors import FileError


@click.command("export")
@click.argument("state", type=click.Path(path_type=Path))
@click.option(
    "--preset", default="base", show_default=True, help="Preset of the run, by name or TOML file."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("weights"),
    show_default=True,
    help="Folder.",
)
def command(state: Path, preset: str, out: Path) -> None:
    """Turn a training STATE into weights files and make them the defaults of their folder.

    \b
    gccodec export state/stage1.safetensors --out weights/
    """
    if not state.exists():
        raise FileError(f"{state}: does not exist")

    from gccodec.training.export import export_state
    from gccodec.training.preset import load_preset

    for path in export_state(state, load_preset(preset), out):
        click.echo(path)
