"""What a golden file says, as numbers that a test compares: checksums of symbols and sections."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from gccodec.codec.alpha import decode_alpha
from gccodec.codec.latent import decode_latent, flat_parts_of
from gccodec.codec.metadata import metadata_of
from gccodec.container.file import parse
from gccodec.container.section import SectionId
from gccodec.semantics.selection import Selection
from gccodec.weights.folder import WeightsFolder


def _crc(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).astype("<i8").tobytes())


def facts(data: bytes) -> dict[str, Any]:
    """By plain reading; latents of all bands, and everything that a section holds."""
    file = parse(data)
    found: dict[str, Any] = {
        "bytes": len(data),
        "size": [file.width, file.height],
        "quality": file.quality,
        "sections": sorted(section.id for section in file.sections),
    }
    for kind, value in metadata_of(file)._asdict().items():
        if value is not None:
            found[kind] = zlib.crc32(value)
    if (body := file.body(SectionId.ALPHA)) is not None:
        found["alpha"] = _crc(decode_alpha(body, file.height, file.width))
    if (parts := flat_parts_of(file)) is not None:
        found["flat_mask"], found["flat_nodes"] = _crc(parts.mask), _crc(parts.nodes)
    if file.coding == "lossless":
        return found
    bitstream = WeightsFolder.installed().load_bitstream(file.model_id)
    selection = Selection.of(file, bitstream)
    if selection is not None:
        found["keep"] = _crc(selection.keep)
        if selection.labels is None:
            found["rest_quality"] = selection.rest_quality
        else:
            found["labels"] = _crc(selection.labels)
    bands = list(decode_latent(bitstream.latent_codec(), file, selection))
    found["band_rows"] = [len(band) for band in bands]
    found["latents"] = _crc(np.concatenate(bands))
    return found
