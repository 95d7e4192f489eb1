"""gccodec train"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from gccodec.cli.options import AnyNumber, Messages, choose_device, volume
from gccodec.errors import FileError, UsageError
from gccodec.training.stages.names import STAGE_NAMES, StageName, state_path


@click.command("train")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of photographs or tar shards.",
)
@click.option(
    "--nets",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the frozen networks, see `gccodec nets`.",
)
@click.option(
    "--state", type=click.Path(path_type=Path), required=True, help="Folder of the resumable state."
)
@click.option(
    "--stage",
    type=click.Choice(STAGE_NAMES),
    default="1",
    show_default=True,
    help="What to train.",
)
@click.option("--preset", default="base", show_default=True, help="Preset by name, or a TOML file.")
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    help="Folder of weights to begin with, without a state.",
)
@click.option(
    "--crops",
    type=click.IntRange(1),
    help="Cool down and end at so many crops.  [default: the preset's]",
)
@click.option(
    "--minutes",
    type=AnyNumber(),
    help="Stop after so long, state saved.  [default: no end]",
)
@click.option(
    "--cool",
    is_flag=True,
    help="Cool down to end with the --minutes, however many crops that makes.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: all cores]")
@volume
def command(
    data: Path,
    nets: Path,
    state: Path,
    stage: StageName,
    preset: str,
    start: Path | None,
    crops: int | None,
    minutes: float | None,
    cool: bool,
    device: str,
    threads: int | None,
    messages: Messages,
) -> None:
    """Train the model; continues from the state it finds, on CPU or CUDA, alone or under torchrun.

    \b
    gccodec train --data photos/ --nets nets/ --state ../train-state --preset base
    gccodec train --data photos/ --nets nets/ --state ../train-state --start weights/
    gccodec train --data photos/ --nets nets/ --state ../train-state --stage entropy
    gccodec train --data photos/ --nets nets/ --state ../train-state --stage distance
    gccodec train --data photos/ --nets nets/ --state ../train-state --stage generative
    gccodec train --data photos/ --nets nets/ --state ../train-state --stage labels
    gccodec train --data photos/ --nets nets/ --state ../light --stage renderer --preset light
    gccodec train --data photos/ --nets nets/ --state ../light --stage thumbnail --preset light
    gccodec export ../train-state/generative.safetensors

    Stage 1 trains everything on rate + MSE + perception; stage entropy then refits the context
    model as the integer network that files are coded with; stage distance trains the perceptual
    distance behind --effort and the next stage, on the pictures that the codec of --start makes;
    stage generative tunes the generator against adversaries, by the distance of that stage or the
    installed one; stage labels trains the network behind --labels auto; stage renderer trains a
    lighter generator for the files of --start, or of the installed weights, and stage thumbnail the
    small network of `decode --scale` and `gccodec thumbnail`, on the renders of that stage.
    Progress is one JSON line on stderr now and then. A file STOP beside the state ends the run,
    state saved.
    """
    if not data.is_dir():
        raise FileError(f"{data}: not a folder")
    if not nets.is_dir():
        raise FileError(f"{nets}: not a folder; gccodec nets --out {nets} makes the networks")
    if start is not None and stage == "entropy":
        raise UsageError("--start is not for the stage entropy")
    if minutes is not None and minutes <= 0:
        raise UsageError(f"--minutes {minutes}: must be above 0")
    if cool and minutes is None:
        raise UsageError("--cool needs --minutes")

    from gccodec.training.data.dataset import PhotoDataset
    from gccodec.training.distributed import join, leave, rank, wait_for_all
    from gccodec.training.log import LOG_FILE, append_row
    from gccodec.training.preset import load_preset
    from gccodec.training.progress import Progress
    from gccodec.training.stages.registry import open_stage
    from gccodec.training.trainer import Setup

    plan = load_preset(preset)
    if crops is not None:
        plan = plan.with_target_crops(stage, crops)
    rank_device = join()
    where = rank_device if rank_device is not None else choose_device(device, threads, messages)
    photos = state / "photos"
    if rank() == 0:
        PhotoDataset.pack(data, photos, plan.crop_px)
    wait_for_all()
    setup = Setup(plan, PhotoDataset(photos), nets, state_path(state, stage), where)
    trainer = open_stage(stage, setup, start)
    last_look = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal last_look
        values = progress.values()
        messages.note(json.dumps({k: round(v, 4) for k, v in values.items()}))
        due = time.monotonic() - last_look > 60 * plan.grid_every_min
        figures = trainer.interim_figures(due)
        if figures:
            append_row(state / LOG_FILE, {**values, **figures})
        last_look = time.monotonic() if due else last_look

    trainer.run(minutes, report, cool)
    if rank() == 0:
        for figures in trainer.finish():
            messages.note(json.dumps(figures))
    leave()
