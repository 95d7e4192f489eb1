"""What an archive run survives, as figures: `python -m tests.archive_faults` writes
tests/results/archive_faults.tsv.

2,000 photographs, one in a hundred damaged; three kill -9 of the whole run, five of workers,
resumed. A disk that is full, a folder that is read-only, two runs at once. Takes ten minutes; needs
Linux, and root for a small disk.
"""

from __future__ import annotations

import datetime
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from gccodec.batch.manifest import read_manifest
from gccodec.storage.local import LocalStore
from tests.paths import CHELSEA, COFFEE

PICTURES, DAMAGED, RUN_KILLS, WORKER_KILLS = 2000, 20, 3, 5
OPTIONS = ["--quality", "30", "--effort", "0", "-j", "2"]
RESULTS = Path(__file__).parent / "results" / "archive_faults.tsv"
HEAD = """\
# What `gccodec batch encode` survives. Made by: python -m tests.archive_faults
# {date}, gccodec {commit}, 2 workers, {pictures} crops of 240x180 px, {damaged} of them damaged
scenario	measure	value
"""


def make_photos(folder: Path) -> set[str]:
    """Crops of the shipped photographs; the names of those that are damaged."""
    rng = random.Random(0)
    sources = [Image.open(path).convert("RGB") for path in (COFFEE, CHELSEA)]
    damaged = set()
    for i in range(PICTURES):
        path = folder / f"{i % 20:02}" / f"{i:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = sources[i % 2]
        left, top = rng.randrange(image.width - 240), rng.randrange(image.height - 180)
        image.crop((left, top, left + 240, top + 180)).save(path, quality=90)
        if i % (PICTURES // DAMAGED) == 7:
            path.write_bytes(path.read_bytes()[:2000])
            damaged.add(str(path.relative_to(folder)))
    return damaged


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "gccodec", "batch", "encode", *map(str, arguments)]


def coded(archive: Path) -> int:
    return sum(1 for _ in archive.rglob("*.gcz"))


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        found = []
        for pid in map(int, file.read().split()):
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if b"spawn_main" in line.read():
                    found.append(pid)
        return found


def wait_until(archive: Path, count: int, process: subprocess.Popen[bytes]) -> bool:
    while coded(archive) < count:
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    return True


def killed_runs(photos: Path, damaged: set[str], work: Path) -> list[tuple[str, object]]:
    """Three kills of all processes, five of single workers, and the rest in peace."""
    archive, rng = work / "archive", random.Random(1)
    kills: list[str] = ["run"] * RUN_KILLS + ["worker"] * WORKER_KILLS
    rng.shuffle(kills)
    marks = [PICTURES * (k + 1) // (len(kills) + 2) for k in range(len(kills))]
    process, starts = None, 0
    for kind, mark in zip(kills, marks, strict=True):
        if process is None:
            arguments = command(
                photos, "--out-dir", archive, *OPTIONS, *(["--resume"] if starts else [])
            )
            process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, start_new_session=True)
            starts += 1
        assert wait_until(archive, mark, process), "the run has ended too early"
        if kind == "run":
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process = None
        else:
            os.kill(rng.choice(workers_of(process)), signal.SIGKILL)
    if process is None:
        arguments = command(photos, "--out-dir", archive, *OPTIONS, "--resume")
        process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
        starts += 1
    code = process.wait()
    past = read_manifest(LocalStore(str(archive)), "manifest.jsonl")
    ok = {name for name, record in past.records.items() if record.status == "ok"}
    failed = {name for name, record in past.records.items() if record.status == "failed"}
    originals = {str(path.relative_to(photos)) for path in photos.rglob("*.jpg")}
    files = {str(path.relative_to(archive)) for path in archive.rglob("*") if path.is_file()}
    expected = {name + ".gcz" for name in originals - damaged} | {"manifest.jsonl"}
    lines = [json.loads(line) for line in (archive / "manifest.jsonl").read_text().splitlines()]
    done = [line["name"] for line in lines if line.get("status") == "ok"]
    verified = subprocess.run(
        [*command()[:-1], "verify", str(archive), "--symbols"], capture_output=True
    )
    return [
        ("kills of the whole run", RUN_KILLS),
        ("kills of a worker", WORKER_KILLS),
        ("starts", starts),
        ("exit code of the last", code),
        ("good pictures in the archive", len(ok)),
        ("good pictures missing", len(originals - damaged - ok)),
        ("pictures coded twice", len(done) - len(set(done))),
        ("damaged pictures listed", len(failed & damaged)),
        ("damaged pictures not listed", len(damaged - failed)),
        ("files that do not belong there", len(files - expected)),
        ("stray temporary files", sum(name.endswith(".part") for name in files)),
        ("exit code of verify --symbols", verified.returncode),
    ]


def full_disk(photos: Path, work: Path) -> list[tuple[str, object]]:
    """A disk of 4 MB: what fits is there, the rest is listed, and more room lets the run go on."""
    disk = work / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True
    ).returncode:
        return [("not measured", "needs root")]
    try:
        part = photos / "00"
        # the estimate would refuse to start, hence a file that takes the room meanwhile
        archive = disk / "archive"
        process = subprocess.Popen(
            command(part, "--out-dir", archive, *OPTIONS), stderr=subprocess.DEVNULL
        )
        wait_until(archive, 5, process)
        with open(disk / "ballast", "wb", 0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    break
        code = process.wait()
        strays = sum(1 for path in archive.rglob("*.part"))
        before = coded(archive)
        (disk / "ballast").unlink()
        resumed = subprocess.run(
            command(part, "--out-dir", archive, *OPTIONS, "--resume"), capture_output=True
        )
        return [
            ("exit code on the full disk", code),
            ("files before it was full", before),
            ("stray temporary files", strays),
            ("exit code with room again", resumed.returncode),
            ("files then", coded(archive)),
        ]
    finally:
        subprocess.run(["umount", disk], check=False)


def read_only_folder(photos: Path, work: Path) -> list[tuple[str, object]]:
    """One of two folders of the output cannot be written to."""
    source, archive = work / "two", work / "read-only"
    for name in ("00", "01"):
        shutil.copytree(photos / name, source / name)
        (archive / name).mkdir(parents=True)
    mounted = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(archive / "01")]
    if subprocess.run(mounted, capture_output=True).returncode:
        return [("not measured", "needs root")]
    try:
        done = subprocess.run(command(source, "--out-dir", archive, *OPTIONS), capture_output=True)
        before = coded(archive)
        records = read_manifest(LocalStore(str(archive)), "manifest.jsonl").records.values()
        told = [record.error or "" for record in records if record.status == "failed"]
    finally:
        subprocess.run(["umount", archive / "01"], check=False)
    resumed = subprocess.run(
        command(source, "--out-dir", archive, *OPTIONS, "--resume"), capture_output=True
    )
    return [
        ("pictures of both folders", sum(1 for _ in source.rglob("*.jpg"))),
        ("exit code", done.returncode),
        ("files in the other folder", before),
        ("failures that name the reason", sum("no permission to write" in error for error in told)),
        ("exit code when it may be written", resumed.returncode),
        ("files then", coded(archive)),
    ]


def two_at_once(photos: Path, work: Path) -> list[tuple[str, object]]:
    archive = work / "two-runs"
    first = subprocess.Popen(
        command(photos / "02", "--out-dir", archive, *OPTIONS), stderr=subprocess.DEVNULL
    )
    wait_until(archive, 3, first)
    second = subprocess.run(
        command(photos / "02", "--out-dir", archive, *OPTIONS, "--resume"), capture_output=True
    )
    return [
        ("exit code of the second", second.returncode),
        ("what it says", second.stderr.decode().strip().rpartition(": ")[2]),
        ("exit code of the first", first.wait()),
    ]


def main() -> None:
    """All scenarios, printed as they come; or those that are named."""
    wanted = sys.argv[1:]
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip()
    date = datetime.date.today().isoformat()
    work = Path(tempfile.mkdtemp(prefix="gccodec-faults-"))
    work.chmod(0o755)
    photos = work / "photos"
    damaged = make_photos(photos)
    rows = []
    for name, scenario in (
        ("killed", lambda: killed_runs(photos, damaged, work)),
        ("full disk", lambda: full_disk(photos, work)),
        ("read-only folder", lambda: read_only_folder(photos, work)),
        ("two runs at once", lambda: two_at_once(photos, work)),
    ):
        if wanted and name not in wanted:
            continue
        for measure, value in scenario():
            rows.append(f"{name}\t{measure}\t{value}\n")
            print(rows[-1], end="", flush=True)
    head = HEAD.format(date=date, commit=commit, pictures=PICTURES, damaged=DAMAGED)
    if not wanted:
        RESULTS.write_text(head + "".join(rows))
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
