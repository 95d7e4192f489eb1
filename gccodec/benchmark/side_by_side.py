"""Two source trees at the same work in turns, each in a process of its own, so that both meet the
same machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gccodec.errors import UsageError

WORKS = ("encode to 0.05 bpp", "encode at a quality", "decode")

PROGRAM = """
import sys, time
picture, width, height, threads = sys.argv[1], *map(int, sys.argv[2:])
import numpy as np, torch
torch.set_num_threads(threads)
from gccodec.codec.codec import Codec, bytes_of_bpp
from gccodec.image.picture import Picture
from gccodec.image.reader import read_picture
with open(picture, "rb") as file:
    pixels = np.asarray(read_picture(file.read()).whole().convert("RGB").resize((width, height)))
codec, source = Codec.load(), Picture.of(pixels)
ceiling = bytes_of_bpp(0.05, width, height)
plain = {"effort": 0, "lossless": False}
data = codec.encode(source, size_bytes=ceiling, **plain).data
works = {
    "encode to 0.05 bpp": lambda: codec.encode(source, size_bytes=ceiling, **plain),
    "encode at a quality": lambda: codec.encode(source, quality=300, **plain),
    "decode": lambda: codec.decode(data),
}
for line in sys.stdin:
    start = time.perf_counter()
    works[line.strip()]()
    print(time.perf_counter() - start, flush=True)
"""


class Comparison(NamedTuple):
    """Of one work: the best seconds of either tree, and the median of the ratios of its rounds."""

    work: str
    before_s: float
    after_s: float
    times_as_fast: float


class _Worker:
    """A source tree's codec, waiting for work."""

    def __init__(self, tree: Path, picture: Path, size: tuple[int, int], threads: int) -> None:
        environment = {
            name: value for name, value in os.environ.items() if name != "GCCODEC_WEIGHTS"
        }
        environment |= {
            "PYTHONPATH": str(tree),
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
        }
        arguments = [str(picture.resolve()), *map(str, size), str(threads)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, work: str) -> float:
        """Of one go. UsageError when the tree cannot do it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(work + "\n")
            self._process.stdin.flush()
            return float(self._process.stdout.readline())
        except (OSError, ValueError):
            raise UsageError(
                f"--before: the other source tree failed at {work!r}; see above"
            ) from None

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def side_by_side(
    before: Path, picture: Path, size: tuple[int, int], threads: int, rounds: int
) -> Iterator[Comparison]:
    """Another source tree and this one, in turns; both are warm."""
    own = Path(__file__).resolve().parents[2]
    workers = []
    try:
        for tree in (before, own):
            workers.append(_Worker(tree, picture, size, threads))
        for work in WORKS:
            for worker in workers:
                worker.seconds(work)
            pairs = [tuple(worker.seconds(work) for worker in workers) for _ in range(rounds)]
            firsts, seconds = zip(*pairs, strict=True)
            ratio = statistics.median(a / b for a, b in pairs)
            yield Comparison(work, min(firsts), min(seconds), ratio)
    finally:
        for worker in workers:
            worker.end()
