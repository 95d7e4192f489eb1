"""What a run will do, known before the first picture is opened: sources, targets, what stands
against it."""

from __future__ import annotations

import os
import string
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gccodec.errors import UsageError
from gccodec.storage.entry import Entry, Fault
from gccodec.storage.store import is_remote

TEMPLATE_FIELDS = ("dir", "name", "stem", "suffix")
DEFAULT_TEMPLATE = "{dir}/{name}.gcz"
MAX_NAME_BYTES = 255
"""Of one part of a path, on every common file system."""


class Job(NamedTuple):
    """One picture: where it is, and its target relative to the output folder."""

    source: Entry
    target: str


class ObstacleError(UsageError):
    """A plan that cannot be carried out; `obstacles` says why, a sentence each."""

    def __init__(self, obstacles: list[str]) -> None:
        first = obstacles[0] if len(obstacles) == 1 else f"{len(obstacles)} obstacles"
        super().__init__(f"{first}; nothing was done")
        self.obstacles = obstacles


class Plan(NamedTuple):
    """jobs in the order of their sources; others: files that are no photographs; faults: what was
    not reached.

    obstacles: sentences that forbid the run as a whole.
    """

    jobs: list[Job]
    others: list[Entry]
    faults: list[Fault]
    obstacles: list[str]


class Template:
    """Names of targets from names of sources: {dir}, {name}, {stem} and {suffix} (without its
    dot)."""

    def __init__(self, text: str) -> None:
        """UsageError for unknown fields, fields with a conversion or a format, names that end in a
        folder, and a template without {name} or {stem}."""
        try:
            parts = [part for part in string.Formatter().parse(text) if part[1] is not None]
        except ValueError as error:
            raise UsageError(f"--name {text}: {error}") from None
        fields = {field for _, field, _, _ in parts}
        plain = all(
            field in TEMPLATE_FIELDS and not form and not how for _, field, form, how in parts
        )
        if not plain or not {"name", "stem"} & fields or text.endswith(("/", "/.")):
            raise UsageError(
                f"--name {text}: known are {{dir}}, {{name}}, {{stem}} and {{suffix}};"
                " {name} or {stem} must be there"
            )
        self._text = text

    def target(self, name: str) -> str:
        """Of a source's name, as a walk through the archive will find it: {dir} may be empty."""
        if self._text == DEFAULT_TEMPLATE:  # a million names take seconds otherwise
            return name + ".gcz"
        folder, base = os.path.split(name)
        stem, suffix = os.path.splitext(base)
        filled = self._text.format(dir=folder, name=base, stem=stem, suffix=suffix[1:])
        return os.path.normpath(filled.lstrip("/"))


def make_plan(
    found: Iterable[Entry | Fault],
    target_of: Callable[[str], str],
    out_dir: str,
    is_photograph: Callable[[str], bool],
    folds_case: bool = False,
) -> Plan:
    """Sort what was found, and look for what would go wrong.

    folds_case: the output folder's file system takes `A` and `a` for one name.
    """
    plan = Plan([], [], [], [])
    taken: dict[str, int] = {}
    for item in found:
        if isinstance(item, Fault):
            plan.faults.append(item)
            continue
        if not is_photograph(item.name):
            plan.others.append(item)
            continue
        target = target_of(item.name)
        key = target.casefold() if folds_case else target
        if (first := taken.setdefault(key, len(plan.jobs))) < len(plan.jobs):
            other = plan.jobs[first].source.path
            if plan.jobs[first].source == item:  # listed twice
                continue
            plan.obstacles.append(f"{item.path} and {other} would both become {target}")
            continue
        if obstacle := _name_obstacle(target):
            plan.obstacles.append(f"{item.path}: {obstacle}")
            continue
        plan.jobs.append(Job(item, target))
    plan.obstacles.extend(_folder_obstacles(plan.jobs))
    if not is_remote(out_dir):
        plan.obstacles.extend(_alias_obstacles(plan.jobs, out_dir))
    plan.obstacles.extend(_overwritten_inputs(plan.jobs, out_dir))
    return plan


def _folder_obstacles(jobs: list[Job]) -> list[str]:
    """Sentences on targets that others need for a folder."""
    folders = {os.path.dirname(job.target) for job in jobs}
    for folder in list(folders):
        while folder := os.path.dirname(folder):
            folders.add(folder)
    return [
        f"{job.source.path}: its target {job.target} is a folder of others"
        for job in jobs
        if job.target in folders
    ]


def _alias_obstacles(jobs: list[Job], out_dir: str) -> list[str]:
    """Sentences on targets that links in the output folder make one file."""
    real = _real_folders(jobs, out_dir)
    if len(set(real.values())) == len(real):
        return []
    obstacles, taken = [], dict[str, Job]()
    for job in jobs:
        folder, base = os.path.split(job.target)
        if (first := taken.setdefault(os.path.join(real[folder], base), job)) is not job:
            obstacles.append(
                f"{job.target} and {first.target} would be one file: a link is in {out_dir}"
            )
    return obstacles


def _real_folders(jobs: list[Job], out_dir: str) -> dict[str, str]:
    """Where the folders of targets are, links resolved."""
    folders = {os.path.dirname(job.target) for job in jobs}
    return {folder: os.path.realpath(os.path.join(out_dir, folder)) for folder in folders}


def _name_obstacle(target: str) -> str | None:
    parts = target.split("/")
    if ".." in parts:
        return f"its target {target} would leave the output folder"
    longest = max(parts, key=lambda part: len(os.fsencode(part)))
    if len(os.fsencode(longest)) > MAX_NAME_BYTES:
        return f"the name of its target is longer than {MAX_NAME_BYTES} bytes"
    return None


def _overwritten_inputs(jobs: list[Job], out_dir: str) -> list[str]:
    """Sentences on targets that are inputs of the same run."""
    if is_remote(out_dir) or any(is_remote(root) for root in {job.source.root for job in jobs}):
        return [
            f"{job.source.path}: its target is itself"
            for job in jobs
            if (job.source.root.rstrip("/"), job.source.name) == (out_dir.rstrip("/"), job.target)
        ]
    targets, sources = (
        _real_folders(jobs, out_dir),
        {os.path.dirname(job.source.path) for job in jobs},
    )
    if not {os.path.realpath(folder) for folder in sources} & set(targets.values()):
        return []
    inputs = {os.path.realpath(job.source.path) for job in jobs}
    return [
        f"{job.source.path}: its target {job.target} is an input, too"
        for job in jobs
        if os.path.join(targets[os.path.dirname(job.target)], os.path.basename(job.target))
        in inputs
    ]


def output_obstacle(out_dir: str, folders: Iterable[str]) -> str | None:
    """Why an output folder below an input folder is refused; None where it is not. In place is
    allowed."""

    def real(folder: str) -> str:
        return folder.rstrip("/") if is_remote(folder) else os.path.realpath(folder)

    root = real(out_dir)
    for folder in folders:
        above = real(folder)
        if root != above and (root + "/").startswith(above.rstrip("/") + "/"):
            return (
                f"--out-dir {out_dir} lies inside {folder}: the next run would take its files for"
                " inputs; choose a folder beside it, or the folder itself"
            )
    return None


def folds_case(folder: str) -> bool:
    """Whether the file system of an existing folder takes `A` and `a` for one name."""
    swapped = os.path.join(os.path.dirname(folder), os.path.basename(folder).swapcase())
    try:
        return swapped != folder and os.path.samefile(swapped, folder)
    except OSError:
        return False
