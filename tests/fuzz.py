"""Coverage-guided fuzzing of the parser and the entropy decoder: `make fuzz` (needs the package
atheris).

The harness recomputes the checksum, so that inputs get past it; anything but our own errors is a
crash.
"""

import contextlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["gccodec.container", "gccodec.entropy", "gccodec.semantics", "gccodec.codec"]
):
    from gccodec.errors import CorruptError, LimitError
    from tests.damage import outcome, seeds, with_checksum


def one_input(data: bytes) -> None:
    with contextlib.suppress(CorruptError, LimitError):
        outcome(with_checksum(data))


if __name__ == "__main__":
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds()):
        (corpus / f"seed-{i}").write_bytes(seed)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
