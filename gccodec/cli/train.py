"""gccodec train"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import click

from gccodec.cli.options import AnyNumber, Messages, choose_device, volume
from gccodec.errors import FileError, UsageError

CROPS_OF_STAGE = {
    "1": "crops",
    "entropy": "entropy_crops",
    "generative": "generative_crops",
    "labels": "labels_crops",
    "distance": "distance_crops",
    "renderer": "renderer_crops",
    "thumbnail": "thumbnail_crops",
}
BEFORE = {"entropy": "stage1", "generative": "entropy", "distance": "entropy"}
"""The stage whose state another stage starts from."""
UNTIL_DONE = 1e9
COMPARED_AT, COMPARED_QUALITIES = 0.35, (0.18, 0.35, 0.46, 0.58)
"""A renderer is compared with the bitstream's own generator: now and then at about 0.05 bpp, at the
end more."""


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
    type=click.Choice(list(CROPS_OF_STAGE)),
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
    default=UNTIL_DONE,
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
    stage: str,
    preset: str,
    start: Path | None,
    crops: int | None,
    minutes: float,
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
    if minutes <= 0:
        raise UsageError(f"--minutes {minutes}: must be above 0")
    if cool and minutes == UNTIL_DONE:
        raise UsageError("--cool needs --minutes")

    from gccodec.training.data.dataset import PhotoStore
    from gccodec.training.distributed import join, leave, rank, wait_for_all
    from gccodec.training.log import LOG_FILE, append_row
    from gccodec.training.preset import load_preset
    from gccodec.training.sample_grid import write_grid
    from gccodec.training.stages.autoencoder import StageOne
    from gccodec.training.stages.distance import DistanceStage
    from gccodec.training.stages.entropy import EntropyStage
    from gccodec.training.stages.generative import GenerativeStage
    from gccodec.training.stages.labels import LabelStage, agreement_with_teacher
    from gccodec.training.stages.renderer import RendererStage
    from gccodec.training.stages.thumbnail import ThumbnailStage
    from gccodec.training.trainer import Progress, Run
    from gccodec.training.validation import validate
    from gccodec.weights.folder import WeightsFolder
    from gccodec.weights.model import ModelWeights

    chosen = load_preset(preset)
    if crops is not None:
        changed: dict[str, Any] = {CROPS_OF_STAGE[stage]: crops}
        chosen = dataclasses.replace(chosen, **changed)
    rank_device = join()
    where = rank_device if rank_device is not None else choose_device(device, threads, messages)
    if rank() == 0:
        PhotoStore.pack(data, state / "photos", chosen.crop_px)
    wait_for_all()
    store = PhotoStore(state / "photos")
    run: Run
    labels = stage == "labels"
    weights = ModelWeights.load(start).whole() if start is not None and not labels else None
    if stage == "1":
        run = StageOne(chosen, store, nets, state / "stage1.safetensors", where, weights)
    elif labels:
        begun = WeightsFolder(start).load("labels") if start is not None else None
        run = LabelStage(chosen, store, nets, state / "labels.safetensors", where, begun)
    elif stage in ("renderer", "thumbnail"):
        served = weights or ModelWeights.load().whole()
        kind = RendererStage if stage == "renderer" else ThumbnailStage
        run = kind(chosen, store, nets, served, state / f"{stage}.safetensors", where)
    else:
        start_state, own_state = (
            state / f"{BEFORE[stage]}.safetensors",
            state / f"{stage}.safetensors",
        )
        needed = stage == "distance" or not own_state.exists()
        if needed and not start_state.exists() and weights is None:
            raise FileError(f"{start_state}: does not exist; train that stage first")
        if stage == "entropy":
            run = EntropyStage(chosen, store, start_state, own_state, where)
        elif stage == "distance":
            run = DistanceStage(chosen, store, nets, weights or start_state, own_state, where)
        else:
            run = GenerativeStage(chosen, store, nets, weights or start_state, own_state, where)
    dials = [0.0, 1.0] if stage == "generative" else [0.0]
    last_grid = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal last_grid
        left = (progress.target_crops - progress.crops) / max(progress.crops_per_second, 1e-6)
        values = progress._asdict() | progress.means._asdict() | {"minutes_left": left / 60}
        del values["means"]
        messages.note(json.dumps({k: round(v, 4) for k, v in values.items()}))
        due = time.monotonic() - last_grid > 60 * chosen.grid_every_min
        if isinstance(run, RendererStage):
            append_row(state / LOG_FILE, values | run.compared(nets, COMPARED_AT, due)._asdict())
        elif due and stage in ("1", "generative"):
            write_grid(run.model, store, state / "samples.png", dials[-1])
        last_grid = time.monotonic() if due else last_grid

    run.run(minutes, report, cool)
    if rank() == 0:
        run.model.load_state_dict(run.average.state)
        if isinstance(run, LabelStage):
            agreement = agreement_with_teacher(run.model, store, run.labels)
            messages.note(json.dumps({"mean_iou_with_teacher": round(agreement, 4)}))
        elif isinstance(run, RendererStage):
            for quality in COMPARED_QUALITIES:
                messages.note(json.dumps(run.compared(nets, quality)._asdict()))
        elif not isinstance(run, DistanceStage | ThumbnailStage):
            for realism in dials:
                for row in validate(run.model, store, nets, [0.0, 0.25, 0.5, 0.75, 1.0], realism):
                    messages.note(json.dumps(row._asdict()))
    leave()
