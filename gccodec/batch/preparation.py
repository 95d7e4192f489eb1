"""What stands between a plan and its first picture: obstacles, the manifest, what is done already."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gccodec.batch.manifest import Manifest, Past, Record, read_manifest
from gccodec.batch.plan import Job, ObstacleError, Plan
from gccodec.batch.progress import amount
from gccodec.batch.resume import Rest, Wanted, existing, rest_of
from gccodec.batch.settings import Settings
from gccodec.errors import FileError, UsageError
from gccodec.storage.entry import Entry
from gccodec.storage.store import Store, store_of

RESERVE = 1.02
"""Of the estimate: what must be free."""


class Place(NamedTuple):
    """A manifest's folder and name in it."""

    store: Store
    name: str


class Preparation(NamedTuple):
    """manifest: open; past: what it held; rest: of the pictures; others: to be copied or listed."""

    manifest: Manifest
    past: Past
    rest: Rest
    others: Rest
    out: Store


def manifest_place(settings: Settings, default: str) -> Place:
    """Where the manifest of a run is."""
    path = settings.manifest
    if path is None:
        path = f"{settings.out_dir.rstrip('/') or '/'}/{default}"
    folder, _, name = path.rpartition("/")
    if settings.shard is not None and settings.manifest is None:
        name = settings.shard.manifest_name(name)
    if not name:
        raise UsageError(f"--manifest {path}: names no file")
    return Place(store_of(folder or (os.sep if path.startswith("/") else os.curdir)), name)


def without_own_files(entries: Iterable[Entry], place: Place, names: Iterable[str] = ()) -> list[Entry]:
    """Files of an archive that are no part of it: its manifests."""
    own = {place.name, *names}
    return [
        entry
        for entry in entries
        if not (entry.name in own or (entry.name.startswith("manifest-") and entry.name.endswith(".jsonl")))
    ]


def check_obstacles(plan: Plan, settings: Settings, needed_bytes: float) -> None:
    """ObstacleError, FileError where nothing can be written or there is too little space."""
    if plan.obstacles:
        raise ObstacleError(plan.obstacles)
    if settings.others == "fail" and plan.others:
        raise ObstacleError([f"{entry.path}: is no picture" for entry in plan.others])
    out = store_of(settings.out_dir)
    if (obstacle := out.obstacle()) is not None:
        raise FileError(obstacle)
    free = out.free_bytes()
    if settings.others == "copy":
        needed_bytes += sum(entry.size_bytes for entry in plan.others)
    if free is not None and needed_bytes * RESERVE > free:
        raise FileError(f"{settings.out_dir}: about {amount(needed_bytes)} are needed, {amount(free)} are free")


@contextlib.contextmanager
def preparation(plan: Plan, settings: Settings, place: Place, wanted: Wanted) -> Iterator[Preparation]:
    """Lock the manifest and compare the plan with it.

    FileError where another run holds it, where there is one already and neither --resume nor -f was
    given, and for targets that are there and no file of this archive.
    """
    out = store_of(settings.out_dir)
    if place.store.has_log(place.name) and not settings.resume and not settings.force:
        if place.store.log_is_held(place.name):
            raise FileError(f"{place.name}: another run is at work on this archive")
        raise FileError(f"{settings.out_dir}: has a manifest already; --resume goes on with it, -f starts anew")
    with Manifest(place.store, place.name) as manifest:
        past = read_manifest(place.store, place.name) if settings.resume else Past({}, set(), {})
        rest = rest_of(plan.jobs, past, out, wanted)
        if rest.changed and not settings.redo:
            raise UsageError(
                f"{len(rest.changed)} files were made with other options or weights, {rest.changed[0]} first;"
                " --redo makes them again"
            )
        copies = [Job(entry, entry.name) for entry in plan.others] if settings.others == "copy" else []
        others = rest_of(copies, past, out, wanted)
        if not settings.force:
            taken = existing(rest.jobs, rest.ours, out) + existing(others.jobs, others.ours, out)
            if taken:
                raise ObstacleError([f"{name}: exists, -f overwrites it" for name in taken])
        out.remove_strays({job.target.rpartition("/")[0] for job in plan.jobs})
        yield Preparation(manifest, past, rest, others, out)
        out.remove_strays({job.target.rpartition("/")[0] for job in plan.jobs})


def skipped(entries: Iterable[Entry], past: Past) -> Iterator[Record]:
    """Records of files that are no pictures and stay where they are; those that are listed already are not again."""
    for entry in entries:
        if (old := past.records.get(entry.name)) is None or old.status != "skipped":
            yield Record(entry.name, "skipped", entry.size_bytes, entry.mtime_ns)


def overwrite_rule(rest: Rest, force: bool) -> Callable[[Job], bool]:
    """Whether what is at a job's target may go."""
    return lambda job: force or job.target in rest.ours
