"""Mutated files, their checksums recomputed so that the damage reaches every parser: our own errors or a picture."""

import os
import random
import time
import zlib

import pytest

from gccodec.codec.latent import decode_latent, grid_size
from gccodec.codec.metadata import Metadata
from gccodec.container.file import GczFile, _read_section_table, _Reader, parse, serialize
from gccodec.container.section import Section
from gccodec.entropy.latent import fixed_point
from gccodec.errors import CorruptError, GccodecError, LimitError
from tests.models import random_weights

MUTATIONS = int(os.environ.get("GCCODEC_MUTATIONS", "2000"))
WEIGHTS = random_weights()
LATENTS = WEIGHTS.latent_codec()


def seeds():
    """Small files of every kind of section, coded with a small model."""
    import numpy as np

    rng = np.random.default_rng(0)
    metadata = Metadata(b"II*\0" + bytes(range(64)), bytes(range(128, 256)), b"<x:xmpmeta/>").sections()
    files = []
    for width, height, sections in ((1, 1, ()), (33, 20, ()), (40, 64, metadata), (16, 16, (Section(200, b"abc"),))):
        y = rng.laplace(size=(*grid_size(height, width), LATENTS.context.channels)).astype(np.float32)
        payload, digest = LATENTS.encode([fixed_point(y)], 500)
        files.append(serialize(GczFile(width, height, False, WEIGHTS.model_id, 500, digest, payload, sections)))
    return files


SEEDS = seeds()


def mutated(random_source, data):
    """A few bytes changed, inserted, removed or copied."""
    out = bytearray(data)
    for _ in range(random_source.choice((1, 1, 2, 3, 8))):
        at = random_source.randrange(len(out) + 1)
        kind = random_source.randrange(5)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << random_source.randrange(8)
        elif kind == 1 and at < len(out):
            out[at] = random_source.choice((0, 1, 0x7F, 0x80, 0xFF, random_source.randrange(256)))
        elif kind == 2:
            out[at:at] = random_source.randbytes(random_source.randrange(1, 9))
        elif kind == 3:
            del out[at : at + random_source.randrange(1, 9)]
        else:
            piece = data[at : at + random_source.randrange(1, 17)]
            to = random_source.randrange(len(out) + 1)
            out[to : to + len(piece)] = piece
    return bytes(out)


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


@pytest.mark.parametrize("repaired", [False, True], ids=["as damaged", "checksum repaired"])
def test_mutations_end_in_our_own_errors_or_a_picture(repaired):
    source, counts, slowest = random.Random(11), {}, 0.0
    for i in range(MUTATIONS):
        data = mutated(source, SEEDS[i % len(SEEDS)])
        data = with_checksum(data) if repaired else data
        start = time.perf_counter()
        try:
            result = outcome(data)
        except (CorruptError, LimitError) as error:
            result = type(error).__name__
        except GccodecError as error:
            pytest.fail(f"{data.hex()}: {error!r}")
        slowest = max(slowest, time.perf_counter() - start)
        counts[result] = counts.get(result, 0) + 1
    print(MUTATIONS, "mutations:", counts, f"slowest {slowest:.3f} s")
    assert counts.get("ChecksumError", 0) > 0
    if repaired:
        assert counts.get("HeaderError", 0) > 0
        assert counts.get("SectionError", 0) > 0
