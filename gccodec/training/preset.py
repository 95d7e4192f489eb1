"""The plan of a training, every number that a run depends on beside its photographs, and the TOML
files that hold such plans."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from gccodec.errors import FileError, UsageError
from gccodec.model.config import ModelConfig
from gccodec.model.distance import DistanceConfig
from gccodec.model.segmenter import SegmenterConfig
from gccodec.model.thumbnail import ThumbnailConfig
from gccodec.training.discriminator import AdversarialLoss
from gccodec.training.stages.names import StageName, crops_field

ROOT = "base"
"""The preset that all others build on."""

RENAMED = {"colour": "augment_colour", "grain": "augment_noise"}
"""Keys of files from before December 2026, and what they are called now."""


@dataclasses.dataclass(frozen=True)
class Preset:
    """A plan, as `presets/*.toml` hold it; `presets/base.toml` gives every field its usual value.

    The fields are flat, as three stages share most weights of losses and all share the crops. Sides
    are in pixels, times in minutes, shares and qualities in [0, 1].
    """

    name: str
    """The name of the file; exported renderers are called so."""

    # Networks
    model: ModelConfig
    """Shape of the codec: transforms, gains and context model."""
    renderer: ModelConfig
    """Shape of the generator of the stage renderer; where the table says nothing, that of model."""
    segmenter: SegmenterConfig
    """Shape of the label network."""
    distance: DistanceConfig
    """Shape of our perceptual distance."""
    thumbnail: ThumbnailConfig
    """Shape of the network of small versions."""

    # Crops
    seed: int
    """Decides every random draw, together with step and process."""
    batch: int
    """Crops of a step, in each process."""
    crop_px: int
    """Side of a crop."""
    quality_power: float
    """Qualities are drawn as u^quality_power, with u uniform in [0, 1]."""
    focus_share: float
    """Share of the crops whose quality is drawn evenly from where files have 0.025 to 0.15 bpp."""
    augment_colour: bool
    """Whether half of the crops change in white balance, contrast and saturation."""
    augment_noise: bool
    """Whether crops get noise, as uncompressed photographs have it."""
    label_share: float
    """Share of the crops whose label map the generator is given."""
    mask_share: float
    """Share of those that also lose a part of their latents."""

    # Weights of losses
    mse_weight: float
    """Weight of the squared error of pixels in [0, 1]."""
    perception_weight: float
    """Weight of all perceptual distances together; at 0 their networks are not read."""
    vgg_weight: float
    """Weight of the distance of VGG16 features beside LPIPS-Squeeze, in stage 1."""
    distance_weight: float
    """Weight of our own distance, which is of the size of LPIPS-Squeeze, after stage 1."""
    squeeze_weight: float
    """Weight of LPIPS-Squeeze beside our own distance; at 0 its network is not read."""
    colour_weight: float
    """Weight of the squared error of mean colours of blocks of 64 px, after stage 1: adversaries
    pay no attention to the colour of a whole area."""
    grid_weight: float
    """Weight of the squared error of the mean block of 16x16 pixels, after stage 1: perceptual
    networks, whose strides divide 16, reward a fixed pattern in place of noise."""
    teacher_mse_weight: float
    """Weight of the squared error to the teacher's picture, in the stage renderer."""
    teacher_distance_weight: float
    """Weight of our own distance to the teacher's picture, in the stage renderer."""

    # Optimizer
    weight_decay: float
    """Decay of all weights, in units of the learning rate."""
    learning_rate: float
    """Learning rate of stage 1 and of the stage labels."""
    gain_learning_rate: float
    """Learning rate of the gains, whose logarithms would else move too slowly."""
    linear_learning_rate: float
    """Learning rate of the linear paths, which start near their optimum."""
    context_learning_rate: float
    """Learning rate of the context model."""

    # Stages: crops that each trains for, and what is its own
    crops: int
    """Crops of stage 1."""
    entropy_crops: int
    """Crops of the stage entropy."""
    entropy_learning_rate: float
    """Learning rate of the stage entropy."""
    generative_crops: int
    """Crops of the stage generative."""
    generative_rate_share: float
    """Learning rates of the stage generative, as a share of those of stage 1."""
    joint: bool
    """Whether the stage generative trains encoder and context model too, against their rate."""
    faithful_share: float
    """Share of a batch that the generator makes with realism 0, without adversaries."""
    labels_crops: int
    """Crops of the stage labels."""
    distance_crops: int
    """Crops of the stage distance."""
    distance_learning_rate: float
    """Learning rate of the stage distance."""
    renderer_crops: int
    """Crops of the stage renderer."""
    renderer_learning_rate: float
    """Learning rate of the stage renderer."""
    adversary_from: int
    """Crops after which the stage renderer faces the adversaries, if these have any weight."""
    renders: int
    """Renders that are made and kept for the stage renderer, a new one every few steps."""
    tile_px: int
    """Side of a render."""
    thumbnail_crops: int
    """Crops of the stage thumbnail."""
    thumbnail_learning_rate: float
    """Learning rate of the stage thumbnail."""
    thumbnail_renders: int
    """Renders, of those of the stage renderer, that the stage thumbnail learns from."""

    # Adversaries
    discriminator_width: int
    """Channels of the first layer of a patch discriminator."""
    discriminator_learning_rate: float
    """Learning rate of the adversaries."""
    feature_heads: bool
    """Whether heads on frozen EfficientNet features judge, too."""
    semantic_head: bool
    """Whether one head names the class of real patches and takes fakes for a class of their own."""
    adversarial_loss: AdversarialLoss
    """The loss of the adversaries: "hinge" or "least-squares"."""
    adversarial_share: float
    """Length of their gradient at the pixels, as a share of the reconstruction's; 0 for none."""
    feature_matching_weight: float
    """Weight of feature matching, in units of the adversarial loss."""
    judged_px: int
    """Side of the part of each crop that the adversaries see."""

    # Machine
    compiled: bool
    """Whether torch.compile fuses stage 1's feature distances (a fifth faster on a CPU) and, on a
    GPU, most of the stage generative (a third faster); it needs a C++ compiler and two minutes."""
    graphs: bool
    """Whether steps are replayed as CUDA graphs on a single GPU, which is twice as fast or more."""
    save_every_min: float
    """Minutes between two savings of the state."""
    grid_every_min: float
    """Minutes between two grids of pictures to look at."""

    def target_crops(self, stage: StageName) -> int:
        """So many crops a stage trains for."""
        crops: int = getattr(self, crops_field(stage))
        return crops

    def with_target_crops(self, stage: StageName, crops: int) -> Preset:
        """The preset, but for the crops of one stage."""
        return dataclasses.replace(self, **{crops_field(stage): crops})  # type: ignore[arg-type]


def load_preset(name_or_path: str) -> Preset:
    """A shipped preset by its name, or that of any file whose name ends in ".toml".

    Keys are the fields of `Preset`; the tables [model], [segmenter], [distance] and [thumbnail]
    hold the shapes of its networks, [renderer] what the stage renderer's generator has other than
    the model. All that a file leaves out is as in the preset that it `extends`, or in base.
    UsageError for a preset that does not exist or does not fit, FileError for one that cannot be
    read.
    """
    name = Path(name_or_path).stem if name_or_path.endswith(".toml") else name_or_path
    values = _values(name_or_path, ())
    try:
        model = ModelConfig(**values.pop("model", {}))
        fields = values | {
            "name": name,
            "model": model,
            "renderer": dataclasses.replace(model, **values.pop("renderer", {})),
            "segmenter": SegmenterConfig(**values.pop("segmenter", {})),
            "distance": DistanceConfig(**values.pop("distance", {})),
            "thumbnail": ThumbnailConfig(**values.pop("thumbnail", {})),
        }
        preset = Preset(**fields)
    except TypeError as error:
        raise UsageError(f"preset {name_or_path!r}: {error}") from error
    for field, kind in get_type_hints(Preset).items():
        if not _fits(getattr(preset, field), kind):
            raise UsageError(
                f"preset {name_or_path!r}: {field} is {getattr(preset, field)!r}, "
                f"expected {_words_for(kind)}"
            )
    return preset


def _values(name_or_path: str, extending: tuple[str, ...]) -> dict[str, Any]:
    """What a preset's file says, over what those say that it extends."""
    if name_or_path in extending:
        raise UsageError(f"preset {name_or_path!r}: extends itself")
    try:
        values = tomllib.loads(_text(name_or_path))
    except ValueError as error:
        raise UsageError(f"preset {name_or_path!r}: {error}") from error
    values = {RENAMED.get(key, key): value for key, value in values.items()}
    parent = values.pop("extends", None if name_or_path == ROOT else ROOT)
    if parent is None:
        return values
    return _values(str(parent), (*extending, name_or_path)) | values


def _text(name_or_path: str) -> str:
    """The text of a preset's file."""
    if name_or_path.endswith(".toml"):
        try:
            return Path(name_or_path).read_text(encoding="utf-8")
        except OSError as error:
            raise FileError(f"{name_or_path}: {error.strerror}") from error
    shipped = resources.files("gccodec.training").joinpath("presets")
    names = sorted(Path(entry.name).stem for entry in shipped.iterdir())
    if name_or_path not in names:
        raise UsageError(f"preset {name_or_path!r}: known are {', '.join(names)}, or a .toml file")
    return shipped.joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")


def _fits(value: object, kind: Any) -> bool:
    """Whether a value is of a field's type; whole numbers are numbers, truth values are not."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _words_for(kind: Any) -> str:
    """What a field's type is called in a message."""
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return words.get(kind, "a table")
