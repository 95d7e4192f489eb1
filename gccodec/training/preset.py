"""Training presets: a TOML file each."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from gccodec.errors import UsageError
from gccodec.model.config import ModelConfig
from gccodec.model.distance import DistanceConfig
from gccodec.model.segmenter import SegmenterConfig
from gccodec.model.thumbnail import ThumbnailConfig
from gccodec.training.discriminator import AdversarialLoss


@dataclasses.dataclass(frozen=True)
class Preset:
    """One training plan. Times are in minutes, sides in pixels; quality is drawn as
    u^quality_power, u uniform.

    focus_share: part of the crops whose quality is drawn evenly from where files have 0.025 to 0.15
    bpp instead.
    colour: change white balance, contrast and saturation of half of the crops
    (`data/augment_colour.py`).
    grain: add noise to the crops, as uncompressed photographs have it (`data/augment_noise.py`).
    judged_px: side of the part of each crop that the adversaries see.
    colour_weight: of the squared error of mean colours (blocks of 64 px) in the generative stage;
        adversaries pay no attention to casts.
    grid_weight: of the squared error of the mean 16x16 block in the generative stage; perceptual
        networks, whose strides divide 16, reward a fixed pattern in place of grain.
    compiled: fuse stage 1's feature distances (on a CPU a fifth faster) and, on a GPU, most of the
        generative stage by torch.compile, which needs a C++ compiler and, once a run, two minutes
        or more; then steps take two thirds.
    graphs: on one GPU, replay steps as CUDA graphs (twice as fast and more).
    adversarial_share: length of the adversaries' gradient at the pixels, as a share of the
    reconstruction's.
    faithful_share: part of a batch in the generative stage that is generated with realism 0.
    feature_matching_weight: in units of the adversarial loss.
    distance_weight: of our own distance, which is of the size of LPIPS-Squeeze, in the generative
    stage.
    squeeze_weight: of LPIPS-Squeeze beside it; 0 reads no such network.
    generative_rate_share: learning rates in the generative stage, as a share of stage 1's.
    semantic_head: one adversary names the class of real patches, and takes fakes for a class of
    their own.
    joint: the generative stage trains encoder and context model too, against their rate.
    renderer: shape of the stage renderer's generator, a lighter one for the bitstream of `model`.
    teacher_mse_weight, teacher_distance_weight: in the stage renderer, of the squared error and of
        our own distance to what the bitstream's own generator makes, where mse_weight and
        distance_weight are those to the photograph.
    adversary_from: crops of the stage renderer after which it faces the adversaries, if
    `adversarial_share` has any.
    thumbnail_renders: so many of the stage renderer's renders, which it makes if they are not
        there, teach the stage thumbnail.
    renders: so many of these are made and kept, each of `tile_px` a side; a new one at every step
    until then.
    """

    name: str
    model: ModelConfig
    renderer: ModelConfig
    segmenter: SegmenterConfig = SegmenterConfig()
    distance: DistanceConfig = DistanceConfig()
    thumbnail: ThumbnailConfig = ThumbnailConfig()
    crops: int = 150_000
    batch: int = 6
    crop_px: int = 256
    quality_power: float = 1.3
    focus_share: float = 0.0
    colour: bool = False
    grain: bool = False
    mse_weight: float = 150.0
    perception_weight: float = 1.0
    vgg_weight: float = 0.3
    distance_weight: float = 3.0
    squeeze_weight: float = 0.0
    colour_weight: float = 500.0
    grid_weight: float = 500.0
    learning_rate: float = 8e-4
    gain_learning_rate: float = 5e-3
    linear_learning_rate: float = 3e-5
    context_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    entropy_crops: int = 20_000
    entropy_learning_rate: float = 1e-3
    generative_crops: int = 100_000
    generative_rate_share: float = 0.5
    joint: bool = False
    discriminator_width: int = 32
    discriminator_learning_rate: float = 2e-4
    feature_heads: bool = True
    semantic_head: bool = False
    adversarial_loss: AdversarialLoss = "hinge"
    adversarial_share: float = 2.0
    feature_matching_weight: float = 10.0
    faithful_share: float = 0.25
    judged_px: int = 160
    labels_crops: int = 60_000
    label_share: float = 0.5
    mask_share: float = 0.6
    distance_crops: int = 120_000
    distance_learning_rate: float = 2e-3
    renderer_crops: int = 600_000
    renderer_learning_rate: float = 8e-4
    teacher_mse_weight: float = 40.0
    teacher_distance_weight: float = 2.4
    adversary_from: int = 150_000
    renders: int = 12_000
    tile_px: int = 384
    thumbnail_crops: int = 250_000
    thumbnail_learning_rate: float = 1e-3
    thumbnail_renders: int = 4_000
    compiled: bool = False
    graphs: bool = True
    save_every_min: float = 5.0
    grid_every_min: float = 10.0
    seed: int = 1


def load_preset(name_or_path: str) -> Preset:
    """A shipped preset by name, or any TOML file.

    Keys are those of Preset, tables [model], [segmenter], [distance] and [thumbnail] of its parts,
    [renderer] of what that has other than the model; with `extends = "name"` all others are as in
    that preset.
    """
    name = Path(name_or_path).stem if name_or_path.endswith(".toml") else name_or_path
    try:
        values = _values(name_or_path)
        kinds: dict[str, Any] = {
            "model": ModelConfig,
            "segmenter": SegmenterConfig,
            "distance": DistanceConfig,
            "thumbnail": ThumbnailConfig,
        }
        parts = {part: kind(**values.pop(part, {})) for part, kind in kinds.items()}
        renderer = dataclasses.replace(parts["model"], **values.pop("renderer", {}))
        return Preset(name=name, renderer=renderer, **parts, **values)
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise UsageError(f"preset {name_or_path!r}: {error}") from error


def _values(name_or_path: str) -> dict[str, Any]:
    """What a preset's file says, over what those say that it extends."""
    if name_or_path.endswith(".toml"):
        text = Path(name_or_path).read_text()
    else:
        shipped = resources.files("gccodec.training").joinpath("presets")
        names = sorted(Path(entry.name).stem for entry in shipped.iterdir())
        if name_or_path not in names:
            raise UsageError(
                f"preset {name_or_path!r}: known are {', '.join(names)}, or a .toml file"
            )
        text = shipped.joinpath(f"{name_or_path}.toml").read_text()
    values = tomllib.loads(text)
    return _values(values.pop("extends")) | values if "extends" in values else values
