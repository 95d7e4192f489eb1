"""What of a plan an earlier run has done already, and what still stands against the rest."""

from __future__ import annotations

from typing import NamedTuple

from gccodec.batch.copying import digest
from gccodec.batch.manifest import Past, Record
from gccodec.batch.plan import Job
from gccodec.errors import FileError
from gccodec.storage.store import Store, store_of


class Wanted(NamedTuple):
    """What a record must say to be as good as the run that is wanted.

    options: the digest; weights: ids in hexadecimal that mean the model, none where any will do;
    verified: the file was decoded after it was written; edits_stay: an output that is not what was
    written is somebody's work, not a damaged file to be made again.
    """

    options: str
    weights: frozenset[str] = frozenset()
    verified: bool = False
    edits_stay: bool = False


class Rest(NamedTuple):
    """done: records that hold; jobs: what is still to be done; ours: their targets that may be
    overwritten.

    changed: of these, names that were done with other options or weights; lost: names whose files
    hold other pictures, the originals of which were deleted: coding these would destroy those;
    edited: targets of jobs that hold something else than was written, where edits stay.
    """

    done: list[Record]
    jobs: list[Job]
    ours: set[str]
    changed: list[str]
    lost: list[str]
    edited: list[str]


def rest_of(jobs: list[Job], past: Past, out: Store, wanted: Wanted) -> Rest:
    """Compare a plan with the manifest, inputs and outputs.

    A file is done when its input has the size and time (or else the hash) of its record, its output
    the size and hash, and options and weights are the wanted ones.
    """
    rest = Rest([], [], set(), [], [], [])
    for job in jobs:
        record = past.records.get(job.source.name)
        if past.is_ours(job.source.name, job.target):
            rest.ours.add(job.target)
        if record is None or record.target != job.target:
            rest.jobs.append(job)
        elif (
            job.source.name in past.deleted
            and not _is_input(job, record)
            and out.status(job.target) is not None
        ):
            rest.lost.append(job.source.name)
        elif record.status not in ("ok", "copied") or not _holds(job, record, out):
            rest.jobs.append(job)
        elif record.status == "ok" and not _is_wanted(record, wanted):
            rest.jobs.append(job)
            rest.changed.append(job.source.name)
        elif record.status == "ok" and wanted.verified and not record.verified:
            rest.jobs.append(job)
        else:
            rest.done.append(record)
    if wanted.edits_stay:
        rest.edited.extend(
            job.target
            for job in rest.jobs
            if job.target not in past.begun and _is_edited(past.records.get(job.source.name), out)
        )
    return rest


def _is_wanted(record: Record, wanted: Wanted) -> bool:
    other_model = record.weights and wanted.weights and record.weights not in wanted.weights
    return record.options == wanted.options and not other_model


def _holds(job: Job, record: Record, out: Store) -> bool:
    """Whether input and output are those of the record."""
    status = out.status(job.target)
    if status is None or status.size_bytes != record.target_bytes or not _is_input(job, record):
        return False
    return _is_as_written(record, out)


def _is_as_written(record: Record, out: Store) -> bool:
    """Whether an output holds the bytes of its record; it need not be readable."""
    try:
        with out.open(record.target) as file:
            return digest(file) == record.target_sha256
    except FileError:
        return False


def _is_edited(record: Record | None, out: Store) -> bool:
    """Whether an output that a run has written holds something else now."""
    if record is None or record.status not in ("ok", "copied"):
        return False
    status = out.status(record.target)
    return status is not None and status.size_bytes > 0 and not _is_as_written(record, out)


def _is_input(job: Job, record: Record) -> bool:
    """Whether the input is what the record was made from."""
    source = job.source
    if source.size_bytes != record.size_bytes:
        return False
    if source.mtime_ns == record.mtime_ns:
        return True
    try:
        with store_of(source.root).open(source.name) as file:
            return digest(file) == record.sha256
    except FileError:
        return False


def existing(jobs: list[Job], ours: set[str], out: Store) -> list[str]:
    """Targets that are there and that no run of this archive has made."""
    return [
        job.target for job in jobs if job.target not in ours and out.status(job.target) is not None
    ]
