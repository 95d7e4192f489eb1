"""Mutated files, their checksums recomputed so that the damage reaches every parser: our own errors
or a picture."""

import os
import random
import time

import pytest

from gccodec.errors import CorruptError, GccodecError, LimitError
from tests.damage import outcome, seeds, with_checksum

MUTATIONS = int(os.environ.get("GCCODEC_MUTATIONS", "2000"))
SEED = int(os.environ.get("GCCODEC_SEED", "11"))
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


@pytest.mark.parametrize("repaired", [False, True], ids=["as damaged", "checksum repaired"])
def test_mutations_end_in_our_own_errors_or_a_picture(repaired):
    source, counts, slowest = random.Random(SEED), {}, 0.0
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
    print(MUTATIONS, f"mutations with seed {SEED}:", counts, f"slowest {slowest:.3f} s")
    assert counts.get("ChecksumError", 0) > 0
    if repaired:
        assert counts.get("HeaderError", 0) > 0
        assert counts.get("SectionError", 0) > 0
