"""Trained model -> weights files: float16 networks, integer context model and tables, known answer,
configuration."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save as serialize
from torch import nn

from gccodec.entropy.context import IntegerContext
from gccodec.entropy.label_map import InitialState
from gccodec.model.autoencoder import Autoencoder
from gccodec.model.config import ModelConfig
from gccodec.model.distance import PerceptualDistance
from gccodec.model.generator import Generator
from gccodec.model.integer_context import integer_context
from gccodec.model.ranges import PREFIX
from gccodec.model.segmenter import Segmenter
from gccodec.model.thumbnail import ThumbnailGenerator
from gccodec.training.checkpoint import load_average, load_record
from gccodec.training.data.dataset import PhotoDataset
from gccodec.training.data.label_maps import LABELS_FILE, LabelMaps, label_prime
from gccodec.training.preset import Preset
from gccodec.training.rate_target import RateTarget
from gccodec.training.record import RunRecord
from gccodec.training.tables import all_tables
from gccodec.weights.file import HEADER_LENGTH_BYTES, ID_BYTES, Role, WeightsFile
from gccodec.weights.folder import MANIFEST

HEADER_ALIGNMENT_BYTES = 8
"""So long is what a safetensors header's length is a multiple of."""


@torch.no_grad()
def model_files(
    model: Autoencoder,
    facts: dict[str, str],
    label_prime: InitialState | None = None,
    log_lmbda: np.ndarray | None = None,
) -> dict[Role, bytes]:
    """The three weights files of a model. Proves exactness and stores the known answer on the way.

    `label_prime`, of a model trained for selective coding alone: see `data/label_maps.py`;
    `log_lmbda`, for `--effort`: `Bitstream.log_lmbda`.
    """
    model = model.to("cpu", torch.float32)
    sizes, frequencies = all_tables()
    arrays = {"tables.sizes": sizes, "tables.frequencies": frequencies}
    arrays |= {f"context.{name}": array for name, array in integer_context(model.context).items()}
    arrays["context.known_answer"] = np.zeros(1, np.int64)
    integer = IntegerContext(arrays, len(sizes), np.int64)
    arrays["context.known_answer"] = np.array([integer.known_answer()], np.int64)
    IntegerContext(arrays, len(sizes))
    arrays |= network_arrays(model.gain, "gain.")
    if label_prime is not None:
        arrays |= {
            "label_map.prime": label_prime.probabilities,
            "label_map.mixing": label_prime.weights,
        }
    if log_lmbda is not None:
        arrays["tuning.log_lmbda"] = log_lmbda.astype(np.float32)
    # safetensors writes the buffer of a strided view as it lies in memory
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    bitstream = file_bytes("bitstream", arrays, model.config.part("bitstream"), facts)
    serving = facts | {"serves": hashlib.sha256(bitstream).hexdigest()[: 2 * ID_BYTES]}
    return {
        "bitstream": bitstream,
        "analysis": file_bytes(
            "analysis",
            network_arrays(model.analysis, "analysis."),
            model.config.part("analysis"),
            serving,
        ),
        "renderer": renderer_bytes(model.generator, model.config, serving),
    }


def file_bytes(
    role: Role, arrays: dict[str, np.ndarray], config: str, facts: dict[str, str]
) -> bytes:
    """A weights file; the same bytes for the same content, where safetensors orders metadata by
    chance."""
    data = serialize(arrays, {"config": config, "role": role} | facts)
    length = int.from_bytes(data[:HEADER_LENGTH_BYTES], "little")
    end = HEADER_LENGTH_BYTES + length
    head = json.dumps(
        json.loads(data[HEADER_LENGTH_BYTES:end]), sort_keys=True, separators=(",", ":")
    ).encode()
    head = head.ljust(-(-len(head) // HEADER_ALIGNMENT_BYTES) * HEADER_ALIGNMENT_BYTES)
    return len(head).to_bytes(HEADER_LENGTH_BYTES, "little") + head + data[end:]


def network_arrays(network: nn.Module, prefix: str = "") -> dict[str, np.ndarray]:
    """Its weights in float16."""
    state = network.state_dict()
    return {
        prefix + name: np.ascontiguousarray(t.detach().cpu().half().numpy())
        for name, t in state.items()
    }


def network_bytes(
    role: Role, model: Segmenter | PerceptualDistance | ThumbnailGenerator, facts: dict[str, str]
) -> bytes:
    """The weights file of a network beside the codec."""
    return file_bytes(role, network_arrays(model), model.config.to_json(), facts)


def renderer_bytes(generator: Generator, config: ModelConfig, facts: dict[str, str]) -> bytes:
    """The weights file of a generator; "serves" of the facts is the id of its bitstream."""
    return file_bytes(
        "renderer", network_arrays(generator, "generator."), config.part("renderer"), facts
    )


def place(data: bytes, folder: Path, name: str, role: Role, facts: dict[str, str]) -> Path:
    """Write <name>-<8 hex of SHA-256>.safetensors and name it in manifest.json for its role."""
    digest = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{digest[: 2 * ID_BYTES]}.safetensors"
    path.write_bytes(data)
    manifest_path = folder / MANIFEST
    manifest = json.loads(manifest_path.read_text()) if manifest_path.exists() else {"models": {}}
    manifest[role] = path.name
    manifest["models"][path.name] = {"sha256": digest, "bytes": len(data), "role": role} | facts
    manifest_path.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return path


def place_model(files: dict[Role, bytes], folder: Path, facts: dict[str, str]) -> list[Path]:
    """What `model_files` gave, as the defaults of a folder."""
    names = {"bitstream": "bitstream", "analysis": "analysis", "renderer": "full"}
    return [place(data, folder, names[role], role, facts) for role, data in files.items()]


def export_state(state: Path, preset: Preset, folder: Path) -> list[Path]:
    """Place the averaged model of a training state, as the defaults of a folder.

    Returns the files: three for a whole model, with what selective coding needs if it was trained
    for that, else one.
    """
    record = load_record(state)
    facts = _facts(record)
    if record.stage in ("1", "entropy", "generative"):
        return place_model(_whole_model(state, record, preset, facts), folder, facts)
    if record.stage == "renderer":
        generator = load_average(state, Generator(preset.renderer))
        data = renderer_bytes(generator, preset.renderer, facts)
        return [place(data, folder, preset.name, "renderer", facts)]
    role: Role = record.stage
    network = load_average(state, _network(role, preset))
    return [place(network_bytes(role, network, facts), folder, role, role, facts)]


def _facts(record: RunRecord) -> dict[str, str]:
    """What a weights file says of the run that it came from."""
    crops, seconds = record.crops, record.seconds + (record.transform_seconds or 0)
    if record.transform_crops is not None:
        # the generator's crops count; those of the context model alone do not
        own = record.crops if record.stage == "generative" else 0
        crops = record.transform_crops + own
    facts = {"crops": str(crops), "minutes": str(round(seconds / 60))}
    return facts if record.bitstream is None else facts | {"serves": record.bitstream}


def _network(role: Role, preset: Preset) -> Segmenter | PerceptualDistance | ThumbnailGenerator:
    """A network beside the codec, in the preset's shape."""
    if role == "labels":
        return Segmenter(preset.segmenter)
    if role == "distance":
        return PerceptualDistance(preset.distance)
    return ThumbnailGenerator(preset.thumbnail)


def _whole_model(
    state: Path, record: RunRecord, preset: Preset, facts: dict[str, str]
) -> dict[Role, bytes]:
    """The weights files of a whole model's state."""
    prime = None
    if record.stage == "generative":  # trained with label maps and masks: files may be selective
        dataset = PhotoDataset(state.with_name("photos"))
        prime = label_prime(LabelMaps(dataset, state.with_name(LABELS_FILE)), dataset)
    log_lmbda = None
    if record.log_lmbda:
        nodes = preset.model.quality_nodes
        target = RateTarget(nodes, torch.device("cpu"), record.log_lmbda)
        log_lmbda = target.exported(preset.mse_weight)
    model = load_average(state, Autoencoder(preset.model))
    return model_files(model, facts, prime, log_lmbda)


def place_ranges(weights: WeightsFile, ranges: dict[str, np.ndarray], folder: Path) -> Path:
    """A renderer's file anew, as the default of a folder, with what its activations range over in
    place of before."""
    with safe_open(weights.path, "numpy") as file:
        facts: dict[str, str] = file.metadata()
    kept = {
        name: np.asarray(a) for name, a in weights.arrays.items() if not name.startswith(PREFIX)
    }
    config, name = facts.pop("config"), weights.path.stem.rpartition("-")[0]
    facts.pop("role")
    return place(
        file_bytes("renderer", kept | ranges, config, facts), folder, name, "renderer", facts
    )
