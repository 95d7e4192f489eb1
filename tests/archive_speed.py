"""How fast archives are coded, as figures: `python -m tests.archive_speed` writes
tests/results/archive_speed.tsv.

768x512 photographs at effort 0, with one and with two workers, beside a loop of single commands,
and cwebp and avifenc under xargs where they are installed; memory of a worker; planning of a
million names. Ten minutes, on an otherwise idle machine.
"""

from __future__ import annotations

import datetime
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.archive_faults import workers_of
from tests.paths import CHELSEA, COFFEE

PICTURES, SINGLE = 48, 6
SIDE_MEGAPIXELS = 768 * 512 / 1e6
NAMES = 1_000_000
RESULTS = Path(__file__).parent / "results" / "archive_speed.tsv"
HEAD = """\
# Speed and memory of `gccodec batch encode`. Made by: python -m tests.archive_speed
# {date}, gccodec {commit}, {cpu}, {cores} cores
# {pictures} photographs of 768x512 px, effort 0, program starts included
measure	value	unit
"""


def make_photos(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Enlarged crops of the shipped photographs, each another."""
    folder.mkdir(parents=True)
    sources = [Image.open(path).convert("RGB") for path in (COFFEE, CHELSEA)]
    for i in range(count):
        image = sources[i % 2]
        box = (i, i, image.width - 60 + i, image.height - 40 + i // 2)
        image.resize(size, Image.Resampling.LANCZOS, box).save(folder / f"{i:03}.jpg", quality=92)


def seconds(action: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    action()
    return time.perf_counter() - begun_s


def run(*arguments: object) -> None:
    subprocess.run(list(map(str, arguments)), check=True, capture_output=True)


def batch(photos: Path, archive: Path, *options: object) -> None:
    run(
        sys.executable,
        "-m",
        "gccodec",
        "batch",
        "encode",
        photos,
        "--out-dir",
        archive,
        "--effort",
        0,
        *options,
    )


def xargs(photos: Path, line: str, jobs: int) -> None:
    names = subprocess.run(
        ["find", str(photos), "-name", "*.jpg"], capture_output=True, check=True
    ).stdout
    subprocess.run(
        ["xargs", "-P", str(jobs), "-I{}", "sh", "-c", line],
        input=names,
        check=True,
        capture_output=True,
    )


def speeds(work: Path) -> list[tuple[str, float, str]]:
    """Megapixels a second, at a fixed quality and to a ceiling."""
    photos, few = work / "photos", work / "few"
    make_photos(photos, PICTURES, (768, 512))
    make_photos(few, SINGLE, (768, 512))
    rows = []
    for goal in (["--quality", "30"], ["--bpp", "0.06"]):
        told = " ".join(goal)

        def single(goal: list[str] = goal) -> None:
            for path in sorted(few.iterdir()):
                out = work / f"{path.stem}.gcz"
                run(
                    sys.executable,
                    "-m",
                    "gccodec",
                    "encode",
                    path,
                    "-o",
                    out,
                    "-f",
                    "--effort",
                    0,
                    *goal,
                )

        alone = SINGLE * SIDE_MEGAPIXELS / seconds(single)
        rows.append((f"single commands, one after another, {told}", alone, "MP/s"))
        for jobs in (1, 2):
            archive = work / f"archive-{jobs}-{goal[0]}"
            took = seconds(lambda a=archive, j=jobs, g=goal: batch(photos, a, "-j", j, *g))
            speed = PICTURES * SIDE_MEGAPIXELS / took
            rows.append((f"batch -j {jobs}, {told}", speed, "MP/s"))
            rows.append(
                (f"batch -j {jobs}, {told}, beside single commands", speed / alone, "times")
            )
        archive = work / f"archive-threads-{goal[0]}"
        took = seconds(lambda a=archive, g=goal: batch(photos, a, "-j", 1, "--threads", 2, *g))
        rows.append((f"batch -j 1 --threads 2, {told}", PICTURES * SIDE_MEGAPIXELS / took, "MP/s"))
    for program, line in (
        ("cwebp", "cwebp -quiet -size 4000 {} -o {}.webp"),
        ("avifenc", "avifenc -s 6 -j 1 --min 55 --max 63 {} {}.avif"),
    ):
        if shutil.which(program):
            took = seconds(lambda text=line: xargs(photos, text, 2))
            rows.append((f"xargs -P 2 {line}", PICTURES * SIDE_MEGAPIXELS / took, "MP/s"))
    return rows


def worker_memory(work: Path) -> list[tuple[str, float, str]]:
    """Largest resident memory of a worker, for pictures up to 2 and of 12 megapixels."""
    rows = []
    for name, size, count in (
        ("2 megapixels", (1632, 1224), 6),
        ("12 megapixels", (4000, 3000), 3),
    ):
        photos = work / name.replace(" ", "-")
        make_photos(photos, count, size)
        arguments = [
            "batch",
            "encode",
            photos,
            "--out-dir",
            f"{photos}-out",
            "--effort",
            0,
            "--bpp",
            "0.06",
            "-j",
            1,
        ]
        process = subprocess.Popen([sys.executable, "-m", "gccodec", *map(str, arguments)])
        peak = 0
        while process.poll() is None:
            for worker in workers_of(process):
                try:
                    with open(f"/proc/{worker}/status") as file:
                        peak = max(
                            peak, *(int(t.split()[1]) for t in file if t.startswith("VmHWM"))
                        )
                except (OSError, TypeError):
                    continue
            time.sleep(0.05)
        rows.append((f"memory of a worker, {name}", peak / 1000, "MB"))
    return rows


PLANNING = """
import sys
from gccodec.batch.plan import Template, make_plan
from gccodec.image.suffix import is_picture_name
from gccodec.batch.source import entries
plan = make_plan(entries([sys.argv[1]]), Template("{dir}/{name}.gcz").target, "/nowhere", is_picture_name)
assert len(plan.jobs) == int(sys.argv[2])
"""


def planning(work: Path) -> list[tuple[str, float, str]]:
    """A million empty files, planned."""
    folder = work / "names"
    for i in range(NAMES):
        if i % 1000 == 0:
            part = folder / f"{i // 1000:04}"
            part.mkdir(parents=True)
        os.close(os.open(part / f"IMG_{i:07}.jpg", os.O_CREAT))
    took = seconds(lambda: run(sys.executable, "-c", PLANNING, folder, NAMES))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    return [("planning of 1,000,000 names", took, "s"), ("memory of that", peak, "MB")]


def cpu() -> str:
    with open("/proc/cpuinfo") as file:
        return next(
            (line.partition(": ")[2].strip() for line in file if line.startswith("model name")),
            "unknown",
        )


def main() -> None:
    """All figures, printed as they come."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip()
    work = Path(tempfile.mkdtemp(prefix="gccodec-speed-"))
    rows = []
    for part in (planning, speeds, worker_memory):
        for measure, value, unit in part(work):
            rows.append(f"{measure}\t{value:.3g}\t{unit}\n")
            print(rows[-1], end="", flush=True)
    head = HEAD.format(
        date=datetime.date.today().isoformat(),
        commit=commit,
        cpu=cpu(),
        cores=os.cpu_count(),
        pictures=PICTURES,
    )
    RESULTS.write_text(head + "".join(rows))
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
