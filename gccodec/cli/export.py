"""gccodec export"""

from __future__ import annotations

from pathlib import Path

import click

from gccodec.errors import FileError


@click.command("export")
@click.argument("state", type=click.Path(path_type=Path))
@click.option("--preset", default="base", show_default=True, help="Preset of the run, by name or TOML file.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("weights"), show_default=True, help="Folder.")
def command(state: Path, preset: str, out: Path) -> None:
    """Turn a training STATE into a weights file and make it the default of its folder.

    \b
    gccodec export state/stage1.safetensors --out weights/
    """
    if not state.exists():
        raise FileError(f"{state}: does not exist")

    from gccodec.training.checkpoint import load_average
    from gccodec.training.export import export
    from gccodec.training.labels import LABELS_FILE, LabelStore, label_prime
    from gccodec.training.photos import PhotoStore
    from gccodec.training.preset import load_preset

    chosen = load_preset(preset)
    model, counters = load_average(state, chosen.model)
    crops = counters.get("stage_one_crops", counters["crops"])
    seconds = counters["seconds"] + counters.get("stage_one_seconds", 0)
    facts = {"crops": str(int(crops)), "minutes": str(round(seconds / 60))}
    prime = None
    if "selective" in counters:
        photos = PhotoStore(state.with_name("photos"))
        prime = label_prime(LabelStore(photos, state.with_name(LABELS_FILE)), photos)
    click.echo(export(model, out, chosen.name, facts, prime))
