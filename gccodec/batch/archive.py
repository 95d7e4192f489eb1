"""Whole archives without the command: code pictures into one, decode it, check it."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gccodec import __version__
from gccodec.batch.decoding import decoding_start
from gccodec.batch.encoding import encoding_start
from gccodec.batch.engine import Engine, Failure, Worker
from gccodec.batch.estimate import decode_estimate, encode_estimate, picture_pixels_of
from gccodec.batch.machine import weights_ids
from gccodec.batch.manifest import Record
from gccodec.batch.options import DecodeOptions, EncodeOptions, Machine
from gccodec.batch.plan import Job, Plan
from gccodec.batch.preparation import (
    Preparation,
    check_obstacles,
    check_space,
    is_manifest_name,
    manifest_place,
    overwrite_rule,
    preparation,
    same_folder,
    skipped,
)
from gccodec.batch.report import Report, Tally
from gccodec.batch.restoration import is_coded_name
from gccodec.batch.resume import Wanted
from gccodec.batch.run import Deletion, Run, Task, announced
from gccodec.batch.settings import Settings
from gccodec.batch.task import CopyTask, DecodeTask, EncodeTask
from gccodec.batch.total import LAST, Fit, Pace, fitted, sample_curve, shuffled, weights_of
from gccodec.errors import NothingToDoError, UsageError

ENCODE_MANIFEST, DECODE_MANIFEST = "manifest.jsonl", "manifest-decode.jsonl"

StartEngine = Callable[[Callable[[], Worker]], Engine]
"""Makes an engine of what starts a worker; see `gccodec.batch.engine`."""


class Observer(NamedTuple):
    """planned: told how many files and bytes are to be done, and how many are done; seen: each
    record."""

    planned: Callable[[int, int, int], None] = lambda files, size_bytes, done: None
    seen: Callable[[Record], None] = lambda record: None


def part_of(plan: Plan, settings: Settings, archives: Iterable[str]) -> Plan:
    """Of a shard. An archive's own files, where it is an input, too, are none that somebody put
    there."""
    own = [
        root
        for root in {entry.root for entry in plan.others}
        if any(same_folder(root, a) for a in archives)
    ]
    others = [entry for entry in plan.others if not (entry.root in own and is_own_name(entry.name))]
    if settings.shard is None:
        return plan._replace(others=others)
    holds = settings.shard.holds
    return plan._replace(
        jobs=[job for job in plan.jobs if holds(job.source.name)],
        others=[entry for entry in others if holds(entry.name)],
    )


def is_own_name(name: str) -> bool:
    """Of manifests in the outermost folder of an archive, and of coded pictures."""
    return is_manifest_name(name) or is_coded_name(name)


def is_empty(plan: Plan) -> bool:
    return not (plan.jobs or plan.others or plan.faults)


def encode_archive(
    plan: Plan,
    options: EncodeOptions,
    settings: Settings,
    machine: Machine,
    start_engine: StartEngine,
    observer: Observer = Observer(),  # noqa: B008  # immutable
) -> Report:
    """Code the pictures of a plan into an archive.

    Raises ObstacleError, FileError and UsageError before any
    picture is coded, NothingToDoError where all is done. Pictures that fail are in the report.
    """
    settings.check()
    if options.total_bytes is not None and settings.shard is not None:
        raise UsageError(
            "--total and --shard exclude each other: a shard knows nothing of the others"
        )
    place = manifest_place(settings, ENCODE_MANIFEST)
    whole, plan = plan, part_of(plan, settings, [settings.out_dir])
    if is_empty(plan):
        if is_empty(whole):
            raise NothingToDoError("no files were found")
        return Tally().report(0.0)  # a part of a small archive
    check_obstacles(plan, settings, encode_estimate(plan.jobs, options, 1).size_bytes)
    wanted = Wanted(options.digest, weights_ids(machine), settings.verify)
    start = encoding_start(machine, options, settings.out_dir, settings.verify)
    with preparation(plan, settings, place, wanted) as ready:
        if settings.resume:
            left = encode_estimate(ready.rest.jobs, options, 1).size_bytes if ready.rest.jobs else 0
            left -= kept_bytes(ready) if left and options.total_bytes is not None else 0
            check_space(settings, left, ready.others.jobs)
        overwrite = overwrite_rule(ready.rest, settings.force)

        def plain() -> Iterator[EncodeTask]:
            for job in announced(ready.rest.jobs, ready.manifest):
                yield EncodeTask(job.source, job.target, overwrite(job))

        def rounds(run: Run, engine: Engine) -> Iterator[Iterable[EncodeTask]]:
            if options.total_bytes is None:
                yield plain()
            else:
                yield from _rounds_under_total(ready, options.total_bytes, engine, overwrite, run)

        return _carry_out(plan, ready, settings, options, start_engine, start, rounds, observer)


def kept_bytes(ready: Preparation) -> int:
    """Of the files that stay as they are, those whose originals are gone among them."""
    done = [record for rest in (ready.rest, ready.others) for record in rest.done]
    known = {record.target for record in done}
    known |= {job.target for rest in (ready.rest, ready.others) for job in rest.jobs}
    gone = (
        r
        for r in ready.past.records.values()
        if r.status in ("ok", "copied") and r.target not in known
    )
    return sum(
        r.target_bytes
        for r in (*done, *(r for r in gone if ready.out.status(r.target) is not None))
    )


def _rounds_under_total(
    ready: Preparation,
    total_bytes: int,
    engine: Engine,
    overwrite: Callable[[Job], bool],
    run: Run,
) -> Iterator[Iterable[EncodeTask]]:
    """Tasks whose files come to at most the ceiling, with what is there already."""
    budget = float(
        total_bytes - kept_bytes(ready) - sum(job.source.size_bytes for job in ready.others.jobs)
    )
    jobs = shuffled(ready.rest.jobs)
    main, last = jobs[:-LAST], jobs[-LAST:]
    near = None
    if main:
        weights = weights_of(jobs, picture_pixels_of)
        curve, prior = sample_curve(engine, last, weights)
        least = curve.size(0) * sum(weights.values())
        if least > budget:
            raise UsageError(
                f"--total {total_bytes}: at the lowest quality these pictures take about "
                f"{least:,.0f}"
            )
        pace = Pace(curve, weights, budget, prior)

        def main_tasks() -> Iterator[EncodeTask]:
            for job in announced(main, ready.manifest):
                yield EncodeTask(
                    job.source, job.target, overwrite(job), pace.next_quality(job.source.name)
                )

        with run.watched(pace.seen):
            yield main_tasks()
        near, budget = pace.quality, pace.budget_bytes
    try:
        fit = fitted(engine, last, budget, near)
    except UsageError as error:
        if not main:
            raise
        fit = Fit({}, {job.source.name: Failure(str(error), error.exit_code) for job in last})
    for job in last:
        if (failure := fit.failures.get(job.source.name)) is not None:
            run.add(run.failed(job.source, job.target, failure))
    yield (
        EncodeTask(job.source, job.target, overwrite(job), fit.qualities[job.source.name])
        for job in announced(
            [job for job in last if job.source.name in fit.qualities], ready.manifest
        )
    )


def decode_archive(
    plan: Plan,
    options: DecodeOptions,
    settings: Settings,
    machine: Machine,
    start_engine: StartEngine,
    observer: Observer = Observer(),  # noqa: B008  # immutable
    mtimes_ns: dict[str, int] | None = None,
) -> Report:
    """Decode the files of a plan into pictures; errors as of `encode_archive`.

    mtimes_ns: of the originals by the names of their files, where the files have lost them.
    """
    settings.check()
    place = manifest_place(settings, DECODE_MANIFEST)
    whole, plan = (
        plan,
        part_of(plan, settings, [settings.out_dir, *{job.source.root for job in plan.jobs}]),
    )
    if is_empty(plan):
        if is_empty(whole):
            raise NothingToDoError("no files were found")
        return Tally().report(0.0)  # a part of a small archive
    check_obstacles(plan, settings, decode_estimate(plan.jobs, options, 1).size_bytes)
    start = decoding_start(machine, options, settings.out_dir)
    times = mtimes_ns or {}
    wanted = Wanted(options.digest, edits_stay=True)
    with preparation(plan, settings, place, wanted) as ready:
        if settings.resume:
            check_space(
                settings, decode_estimate(ready.rest.jobs, options, 1).size_bytes, ready.others.jobs
            )
        overwrite = overwrite_rule(ready.rest, settings.force)

        def rounds(run: Run, engine: Engine) -> Iterator[Iterable[DecodeTask]]:
            yield (
                DecodeTask(job.source, job.target, overwrite(job), times.get(job.source.name, 0))
                for job in announced(ready.rest.jobs, ready.manifest)
            )

        return _carry_out(plan, ready, settings, options, start_engine, start, rounds, observer)


def _carry_out(
    plan: Plan,
    ready: Preparation,
    settings: Settings,
    options: EncodeOptions | DecodeOptions,
    start_engine: StartEngine,
    start: Callable[[], Worker],
    rounds: Callable[[Run, Engine], Iterator[Iterable[Task]]],
    observer: Observer,
) -> Report:
    """Start the workers and do what is left; NothingToDoError where nothing is."""
    begun_s = time.monotonic()
    rest, others = ready.rest, ready.others
    finished = {record.name: record for record in rest.done if settings.delete_sources}
    doomed = [
        (job.source, finished[job.source.name]) for job in plan.jobs if job.source.name in finished
    ]
    todo = [*rest.jobs, *others.jobs]
    if not todo and not doomed and not plan.faults:
        if not plan.jobs:
            raise NothingToDoError(
                f"nothing to do: none of {len(plan.others)} files is one for this command"
            )
        raise NothingToDoError(f"nothing to do: all {len(plan.jobs)} files are done and verified")
    ready.manifest.start_run(
        {
            "gccodec": __version__,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "options": options.facts,
            "files": len(plan.jobs),
            "todo": len(todo),
        }
    )
    observer.planned(len(todo), sum(job.source.size_bytes for job in todo), len(rest.done))
    tally = Tally()

    def seen(record: Record) -> None:
        tally.add(record)
        observer.seen(record)

    for fault in plan.faults:
        tally.add_fault(fault)
    # where names may be one file's (case, links) and files are overwritten, the last one tells
    delete: Deletion = (
        ("at the end" if settings.force else "soon") if settings.delete_sources else "never"
    )
    run = Run(ready.manifest, ready.out, options.digest, seen, delete)
    if settings.others == "skip":
        for record in skipped(plan.others, ready.past):
            run.add(record)
    if todo:
        with contextlib.closing(start_engine(start)) as engine:
            overwrite = overwrite_rule(others, settings.force)
            copies = announced(others.jobs, ready.manifest)
            run.carry_out(
                engine, (CopyTask(job.source, job.target, overwrite(job)) for job in copies)
            )
            for tasks in rounds(run, engine):
                run.carry_out(engine, tasks)
    run.delete_finished(doomed)
    for fault in run.faults:
        tally.add_fault(fault)
    return tally.report(time.monotonic() - begun_s)
