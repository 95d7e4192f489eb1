"""A worker that checks files: their bytes against the manifest, their structure, their symbols."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable

from gccodec.batch.manifest import Record
from gccodec.batch.restoration import is_coded_name
from gccodec.batch.task import VerifyTask
from gccodec.container.file import GczFile, parse
from gccodec.errors import CorruptError
from gccodec.storage.store import store_of


class Checking:
    """See `gccodec.batch.pool.Worker`."""

    def __init__(self, symbols: bool) -> None:
        """symbols: decode them, too, which needs the weights."""
        self._symbols = symbols

    def prepare(self, task: VerifyTask) -> tuple[GczFile | None, Record]:
        """Read and parse it; None in the place of a file that is no .gcz."""
        begun_s = time.perf_counter()
        with store_of(task.source.root).open(task.source.name) as file:
            data = file.read()
        sha256 = hashlib.sha256(data).hexdigest()
        if task.sha256 not in ("", sha256):
            raise CorruptError("other bytes than the manifest says")
        record = Record(task.source.name, "ok", *task.source.status, sha256=sha256)
        if not is_coded_name(task.source.name):
            return None, record
        parsed = parse(data)
        seconds = round(time.perf_counter() - begun_s, 3)
        return parsed, Record(
            *(task.source.name, "ok", *task.source.status),
            sha256=sha256,
            pixels=parsed.width * parsed.height,
            seconds=seconds,
        )

    def work(self, task: VerifyTask, prepared: tuple[GczFile | None, Record]) -> Record:
        file, record = prepared
        if file is not None and self._symbols:
            _check_symbols(file)
        return record

    def store(self, task: VerifyTask, done: Record) -> Record:
        return done


def _check_symbols(file: GczFile) -> None:
    from gccodec.codec.verification import verify_lossless, verify_symbols

    if file.coding == "lossless":
        verify_lossless(file)
        return
    latents, bitstream = _model(file.model_id)
    verify_symbols(file, latents, bitstream)


@functools.lru_cache(maxsize=4)
def _model(model_id: bytes):  # type: ignore[no-untyped-def]
    from gccodec.weights.folder import WeightsFolder

    bitstream = WeightsFolder.installed().load_bitstream(model_id)
    return bitstream.latent_codec(), bitstream


def start_checking(symbols: bool) -> Checking:
    return Checking(symbols)


def checking_start(symbols: bool) -> Callable[[], Checking]:
    """For `Pool`: picklable."""
    return functools.partial(start_checking, symbols)
