"""A worker that decodes files into pictures."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gccodec.batch.copying import copied, digest
from gccodec.batch.machine import load_codec
from gccodec.batch.manifest import Record
from gccodec.batch.options import DecodeOptions, Machine
from gccodec.batch.task import CopyTask, DecodeTask
from gccodec.errors import WeightsError
from gccodec.storage.store import store_of

if TYPE_CHECKING:
    from PIL import Image

    from gccodec.codec.codec import Codec
    from gccodec.codec.decoding import Decoding
    from gccodec.codec.small_version import SmallVersions
    from gccodec.container.file import GczFile

HELD_PIXELS = 1 << 25
"""Larger pictures are computed as they are written."""


class Prepared(NamedTuple):
    """A file that is parsed."""

    data: bytes
    file: GczFile
    begun_s: float


class Computed(NamedTuple):
    """image: all of it, or None where its strips are still to be computed."""

    decoding: Decoding
    image: Image.Image | None
    prepared: Prepared


class DecodingWorker:
    """See `gccodec.batch.pool.Worker`."""

    def __init__(
        self,
        codecs: Callable[[bytes], Codec],
        small_versions: Callable[[Codec], SmallVersions | None],
        options: DecodeOptions,
        out_dir: str,
    ) -> None:
        """codecs: gives the model of an id; small_versions: the small network for a model, None
        where there is none."""
        self._codecs, self._small_versions, self._options = codecs, small_versions, options
        self._out = store_of(out_dir)

    def prepare(self, task: DecodeTask | CopyTask) -> Prepared | None:
        from gccodec.container.file import parse

        if isinstance(task, CopyTask):
            return None
        begun_s = time.perf_counter()
        with store_of(task.source.root).open(task.source.name) as file:
            data = file.read()
        return Prepared(data, parse(data, self._options.max_pixels), begun_s)

    def work(self, task: DecodeTask | CopyTask, prepared: Prepared | None) -> Computed | None:
        """Run the network."""
        from gccodec.image.writer import joined

        if prepared is None:
            return None
        decoding = self._decoded(prepared)
        held = decoding.size[0] * decoding.size[1] <= HELD_PIXELS
        return Computed(
            decoding, joined(decoding.strips, decoding.size) if held else None, prepared
        )

    def _decoded(self, prepared: Prepared) -> Decoding:
        from gccodec.codec.lossless import decode_lossless
        from gccodec.codec.reduction import reduced_decoding
        from gccodec.codec.small_version import suits
        from gccodec.semantics.region import Region

        (data, file, _), options = prepared, self._options
        if file.coding == "lossless":
            decoding = decode_lossless(file, Region(0, 0, file.width, file.height))
        else:
            codec, scale = self._codecs(file.model_id), options.scale
            small = (
                self._small_versions(codec) if scale is not None and suits(file, scale) else None
            )
            if scale is not None and small is not None:
                return small.decode(file, scale, options.realism)
            decoding = codec.decode_strips(data, options.max_pixels, options.realism)
        return decoding if options.scale is None else reduced_decoding(decoding, options.scale)

    def store(self, task: DecodeTask | CopyTask, done: Computed | None) -> Record:
        """Write the picture, with the modification time of the one that was coded."""
        from gccodec.codec.restoring import write_decoded
        from gccodec.image.metadata import KINDS
        from gccodec.image.suffix import suffix_of
        from gccodec.image.writer import picture_format

        if isinstance(task, CopyTask):
            return copied(task, self._out)
        assert done is not None
        decoding, image, (data, file, begun_s) = done
        form = picture_format(suffix_of(task.target))
        if self._options.output_quality is not None and "quality" in dict(form.options):
            form = form.at_quality(self._options.output_quality)
        kept = frozenset(kind for kind in KINDS if kind in self._options.metadata)
        strips: Iterator[Image.Image] = decoding.strips if image is None else iter([image])
        notes: list[str] = []
        self._out.write_whole(
            task.target,
            task.overwrite,
            lambda out: notes.extend(write_decoded(decoding, form, out, kept, strips)),
        )
        self._out.set_mtime(task.target, task.mtime_ns or task.source.mtime_ns)
        with self._out.open(task.target) as written:
            sha256, size_bytes = digest(written), written.seek(0, 2)
        exact = file.coding == "lossless"
        return Record(
            task.source.name,
            "ok",
            *task.source.status,
            sha256=hashlib.sha256(data).hexdigest(),
            target=task.target,
            target_bytes=size_bytes,
            target_sha256=sha256,
            weights="" if exact else file.model_id.hex(),
            quality=None if exact else file.quality / 10,
            coding=file.coding,
            seconds=round(time.perf_counter() - begun_s, 3),
            pixels=file.width * file.height,
            notes=tuple(notes),
        )


def start_decoding(machine: Machine, options: DecodeOptions, out_dir: str) -> DecodingWorker:
    """In a process of its own. Models beside the default one are loaded when a file asks for
    them."""
    first: list[Codec] = []
    try:
        first.append(load_codec(machine))
    except WeightsError:
        if machine.weights is not None:
            raise

    @functools.cache
    def codec_of(model_id: bytes) -> Codec:
        if first and first[0].bitstream.decodes(model_id):
            return first[0]
        from gccodec.codec.codec import Codec

        folder = Path(machine.weights) if machine.weights else None
        return Codec.load(folder, model_id, first[0].transforms.device if first else "cpu")

    @functools.cache
    def small_versions_of(codec: Codec) -> SmallVersions | None:
        from gccodec.codec.small_version import SmallVersions

        folder = Path(machine.weights) if machine.weights else None
        return SmallVersions.load_if_there(
            codec.bitstream.id, folder, machine.threads, codec.latents
        )

    return DecodingWorker(codec_of, small_versions_of, options, out_dir)


def decoding_start(
    machine: Machine, options: DecodeOptions, out_dir: str
) -> Callable[[], DecodingWorker]:
    """For `Pool`: picklable."""
    return functools.partial(start_decoding, machine, options, out_dir)
