"""What mutation tests and the fuzzer share: small seed files, repaired checksums, and what must hold."""

from __future__ import annotations

import zlib

import numpy as np

from gccodec.codec.latent import decode_latent, grid_size
from gccodec.codec.metadata import Metadata
from gccodec.container.file import GczFile, _read_section_table, _Reader, parse, serialize
from gccodec.container.section import Section
from gccodec.entropy.latent import fixed_point
from gccodec.errors import CorruptError
from tests.models import random_weights

WEIGHTS = random_weights()
LATENTS = WEIGHTS.latent_codec()


def seeds():
    """Small files of every kind of section, coded with a small model."""
    rng = np.random.default_rng(0)
    metadata = Metadata(b"II*\0" + bytes(range(64)), bytes(range(128, 256)), b"<x:xmpmeta/>").sections()
    files = []
    for width, height, sections in ((1, 1, ()), (33, 20, ()), (40, 64, metadata), (16, 16, (Section(200, b"abc"),))):
        y = rng.laplace(size=(*grid_size(height, width), LATENTS.context.channels)).astype(np.float32)
        payload, digest = LATENTS.encode([fixed_point(y)], 500)
        files.append(serialize(GczFile(width, height, False, WEIGHTS.model_id, 500, digest, payload, sections)))
    return files


def with_checksum(data):
    """The file with the CRC field that its header and payload ask for, where the header can be read that far."""
    try:
        reader = _Reader(data)
        reader.take(5, "magic, version, flags")
        reader.number("width"), reader.number("height")
        reader.take(4, "model id")
        reader.number("quality")
        reader.take(2, "digest")
        rows = _read_section_table(reader)
    except CorruptError:
        return data
    end, bodies = reader.offset, sum(length for _, length, _ in rows)
    payload = data[end + 4 + bodies :]
    return data[:end] + zlib.crc32(payload, zlib.crc32(data[:end])).to_bytes(4, "big") + data[end + 4 :]


def outcome(data):
    """Parse and decode the latents of small pictures."""
    file = parse(data, max_pixels=1 << 14)
    Metadata.from_sections(file.sections)
    if file.model_id == WEIGHTS.model_id:
        for _ in decode_latent(LATENTS, file):
            pass
    return "decoded"
