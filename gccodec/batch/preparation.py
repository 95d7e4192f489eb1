"""What stands between a plan and its first picture: obstacles, the manifest, what is done
already."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gccodec.batch.manifest import Manifest, Past, Record, read_manifest
from gccodec.batch.plan import Job, ObstacleError, Plan
from gccodec.batch.progress import amount
from gccodec.batch.resume import Rest, Wanted, existing, rest_of
from gccodec.batch.settings import Settings
from gccodec.errors import FileError, UsageError
from gccodec.storage.entry import Entry
from gccodec.storage.store import Store, is_remote, store_of

OWN_NAMES = re.compile(r"manifest(-decode)?(-[0-9]+-of-[0-9]+)?\.jsonl(\.parts/.*|\.lock)?")
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


def is_manifest_name(name: str) -> bool:
    """Whether archives keep their own records under that name, in their outermost folder."""
    return OWN_NAMES.fullmatch(name) is not None


def same_folder(one: str, other: str) -> bool:
    """Whether two folders or URLs are the same."""
    if is_remote(one) or is_remote(other):
        return one.rstrip("/") == other.rstrip("/")
    return os.path.realpath(one) == os.path.realpath(other)


def others_to_copy(plan: Plan, settings: Settings) -> list[Job]:
    """Files that are no pictures, where they are to be copied and are not in their place
    already."""
    if settings.others != "copy":
        return []
    in_place = {
        root
        for root in {entry.root for entry in plan.others}
        if same_folder(root, settings.out_dir)
    }
    return [Job(entry, entry.name) for entry in plan.others if entry.root not in in_place]


def copy_obstacles(plan: Plan, settings: Settings) -> list[str]:
    """Why other files cannot be copied: names that the archive needs for itself."""
    targets = {job.target for job in plan.jobs}
    copies = others_to_copy(plan, settings)
    taken = [job for job in copies if job.target in targets]
    archived = _inside({job.source.root for job in copies}, settings.out_dir, copies)
    own = [job for job in copies if settings.manifest is None and is_manifest_name(job.target)]
    obstacles = [
        f"{job.source.path}: its copy and a coded picture would both be {job.target}"
        for job in taken
    ]
    obstacles += [
        f"{job.source.path}: its copy would be in the place of the manifest; see --manifest"
        for job in own
    ]
    obstacles += [
        f"{job.source.path}: a link leads into --out-dir, which would be copied into itself"
        for job in archived
    ]
    seen: set[str] = set()
    for job in copies:
        if job.target in seen:
            obstacles.append(
                f"{job.source.path}: another file would be copied to {job.target}, too"
            )
        seen.add(job.target)
    return obstacles


def _inside(roots: set[str], out_dir: str, jobs: list[Job]) -> list[Job]:
    """Those whose inputs links lead to from elsewhere into the output folder."""
    if is_remote(out_dir) or any(map(is_remote, roots)):
        return []
    above = os.path.realpath(out_dir) + os.sep
    folders = {
        folder: os.path.realpath(folder) + os.sep
        for folder in {os.path.dirname(j.source.path) for j in jobs}
    }
    return [job for job in jobs if folders[os.path.dirname(job.source.path)].startswith(above)]


def check_obstacles(plan: Plan, settings: Settings, needed_bytes: float) -> None:
    """ObstacleError, FileError where nothing can be written or there is too little space.

    What a run that is resumed still needs only its manifest tells: see `check_space`.
    """
    if obstacles := plan.obstacles + copy_obstacles(plan, settings):
        raise ObstacleError(obstacles)
    if settings.others == "fail" and plan.others:
        raise ObstacleError([f"{entry.path}: is no picture" for entry in plan.others])
    out = store_of(settings.out_dir)
    if (obstacle := out.obstacle()) is not None:
        raise FileError(obstacle)
    if not settings.resume:
        check_space(settings, needed_bytes, others_to_copy(plan, settings))


def check_space(settings: Settings, needed_bytes: float, copies: Iterable[Job]) -> None:
    """FileError where the output folder has too little for an estimate and the copies."""
    free = store_of(settings.out_dir).free_bytes()
    needed_bytes += sum(job.source.size_bytes for job in copies)
    if free is not None and needed_bytes * RESERVE > free:
        raise FileError(
            f"{settings.out_dir}: about {amount(needed_bytes)} are needed, {amount(free)} are free"
        )


@contextlib.contextmanager
def preparation(
    plan: Plan, settings: Settings, place: Place, wanted: Wanted
) -> Iterator[Preparation]:
    """Lock the manifest and compare the plan with it.

    FileError where another run holds it, where there is one already and neither --resume nor -f was
    given, and for targets that are there and no file of this archive.
    """
    out = store_of(settings.out_dir)
    if place.store.has_log(place.name) and not settings.resume and not settings.force:
        if place.store.log_is_held(place.name):
            raise FileError(f"{place.name}: another run is at work on this archive")
        raise FileError(
            f"{settings.out_dir}: has a manifest already; --resume goes on with it, -f starts anew"
        )
    with Manifest(place.store, place.name) as manifest:
        past = read_manifest(place.store, place.name) if settings.resume else Past.empty()
        rest = rest_of(plan.jobs, past, out, wanted)
        if rest.lost:
            raise ObstacleError(
                [
                    f"{name}: the archive holds another picture of this name, whose original "
                    f"was deleted;"
                    " rename this one, or choose another --out-dir"
                    for name in rest.lost
                ]
            )
        if rest.edited:
            raise ObstacleError(
                [
                    f"{name}: was changed since it was written; move it away to have it again"
                    for name in rest.edited
                ]
            )
        if rest.changed and not settings.redo:
            raise UsageError(
                f"{len(rest.changed)} files were made with other options or weights, "
                f"{rest.changed[0]} first;"
                " --redo makes them again"
            )
        others = rest_of(others_to_copy(plan, settings), past, out, wanted)
        if not settings.force:
            taken = existing(rest.jobs, rest.ours, out) + existing(others.jobs, others.ours, out)
            if taken:
                raise ObstacleError([f"{name}: exists, -f overwrites it" for name in taken])
        folders = {job.target.rpartition("/")[0] for job in (*plan.jobs, *others.jobs)}
        out.remove_strays(folders)
        yield Preparation(manifest, past, rest, others, out)
        out.remove_strays(folders)


def skipped(entries: Iterable[Entry], past: Past) -> Iterator[Record]:
    """Records of files that are no pictures and stay where they are; those that are listed already
    are not again."""
    for entry in entries:
        if (old := past.records.get(entry.name)) is None or old.status != "skipped":
            yield Record(entry.name, "skipped", entry.size_bytes, entry.mtime_ns)


def overwrite_rule(rest: Rest, force: bool) -> Callable[[Job], bool]:
    """Whether what is at a job's target may go."""
    return lambda job: force or job.target in rest.ours
