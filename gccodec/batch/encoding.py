"""A worker that codes pictures: reads, codes, writes and, if wanted, checks what it wrote."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, NamedTuple

from gccodec.batch.copying import copied, digest
from gccodec.batch.machine import load_codec
from gccodec.batch.manifest import Record
from gccodec.batch.options import EncodeOptions, Machine
from gccodec.batch.task import CopyTask, EncodeTask, MeasureTask
from gccodec.errors import CorruptError, FileError
from gccodec.storage.store import store_of

if TYPE_CHECKING:
    from gccodec.codec.codec import Codec
    from gccodec.codec.encoder import Encoded
    from gccodec.image.picture import Picture

Task = EncodeTask | MeasureTask | CopyTask


class Prepared(NamedTuple):
    """A picture that is read. Its file is open: large pictures are read as they are coded."""

    file: IO[bytes]
    picture: Picture
    sha256: str
    begun_s: float


class Coded(NamedTuple):
    encoded: Encoded
    prepared: Prepared


class Encoding:
    """See `gccodec.batch.pool.Worker`."""

    def __init__(self, codec: Codec, options: EncodeOptions, out_dir: str, verify: bool) -> None:
        """verify: decode the symbols of what was written, and compare their digest."""
        self._codec, self._options = codec, options
        self._out, self._verify = store_of(out_dir), verify

    def prepare(self, task: Task) -> Prepared | None:
        """Read the picture, upright."""
        from gccodec.image.metadata import KINDS
        from gccodec.image.reader import read_picture

        if isinstance(task, CopyTask):
            return None
        begun_s = time.perf_counter()
        file = store_of(task.source.root).open(task.source.name)
        try:
            sha256 = "" if isinstance(task, MeasureTask) else digest(file)
            kept = frozenset(kind for kind in KINDS if kind in self._options.metadata)
            picture = read_picture(file, self._options.max_pixels, self._options.alpha, kept)
        except BaseException:
            file.close()
            raise
        return Prepared(file, picture, sha256, begun_s)

    def work(self, task: Task, prepared: Prepared | None) -> Coded | list[int] | None:
        """Code it."""
        if prepared is None:
            return None
        if isinstance(task, MeasureTask):
            with prepared.file:
                return [len(self._encoded(prepared.picture, q, None).data) for q in task.qualities]
        assert isinstance(task, EncodeTask)
        try:
            encoded = self._encoded(prepared.picture, *self._goal(task, prepared.picture))
        except BaseException:
            prepared.file.close()
            raise
        return Coded(encoded, prepared)

    def _goal(self, task: EncodeTask, picture: Picture) -> tuple[int | None, int | None]:
        """A quality, or a ceiling in bytes."""
        from gccodec.codec.goal import bytes_of_bpp

        if task.quality is not None or task.size_bytes is not None:
            return task.quality, task.size_bytes
        if self._options.bpp is not None:
            return None, bytes_of_bpp(self._options.bpp, *picture.image.size)
        return self._options.quality, self._options.size_bytes

    def _encoded(self, picture: Picture, quality: int | None, size_bytes: int | None) -> Encoded:
        return self._codec.encode(
            picture,
            quality=quality,
            size_bytes=size_bytes,
            # a ceiling on all files together is one on all of their bytes
            count_metadata=self._options.count_metadata or self._options.total_bytes is not None,
            effort=self._options.effort,
        )

    def store(self, task: Task, done: Coded | list[int] | None) -> Record | list[int]:
        """Write it, with the modification time of the picture, and say what was done."""
        if isinstance(done, list):
            return done
        if isinstance(task, CopyTask):
            return copied(task, self._out)
        assert isinstance(task, EncodeTask)
        assert done is not None
        encoded, (file, picture, sha256, begun_s) = done
        file.close()
        if store_of(task.source.root).status(task.source.name) != task.source.status:
            raise FileError("the picture has changed since the run began")
        data, exact = encoded.data, encoded.coding == "lossless"
        written = hashlib.sha256(data).hexdigest()
        self._out.write_whole(task.target, task.overwrite, lambda out: out.write(data))
        if self._verify:
            self._check(task.target, written)
        self._out.set_mtime(task.target, task.source.mtime_ns)
        width, height = picture.image.size
        return Record(
            task.source.name,
            "ok",
            *task.source.status,
            sha256=sha256,
            target=task.target,
            target_bytes=len(data),
            target_sha256=written,
            weights="" if exact else self._codec.bitstream.id.hex(),
            quality=None if exact else encoded.quality / 10,
            coding=encoded.coding,
            verified=self._verify,
            seconds=round(time.perf_counter() - begun_s, 3),
            pixels=width * height,
            notes=(*picture.notes, *encoded.notes),
            partial=picture.partial,
        )

    def _check(self, target: str, sha256: str) -> None:
        """Read it back. CorruptError for other bytes; what cannot be decoded does not stay."""
        from gccodec.codec.verification import verify_symbols
        from gccodec.container.file import parse

        with self._out.open(target) as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise CorruptError(
                f"{target}: other bytes are read than were written; is the disk damaged?"
            )
        try:
            verify_symbols(parse(data), self._codec.latents, self._codec.bitstream)
        except CorruptError:
            self._out.remove(target)
            raise


def start_encoding(
    machine: Machine, options: EncodeOptions, out_dir: str, verify: bool
) -> Encoding:
    """In a process of its own."""
    return Encoding(load_codec(machine), options, out_dir, verify)


def encoding_start(
    machine: Machine, options: EncodeOptions, out_dir: str, verify: bool
) -> Callable[[], Encoding]:
    """For `Pool`: picklable."""
    return functools.partial(start_encoding, machine, options, out_dir, verify)
