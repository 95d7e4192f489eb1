"""Whole archives by the command."""

import json
import os
import signal
import subprocess
import time

import pytest
from PIL import Image

from gccodec.batch.manifest import read_manifest
from gccodec.storage.local import LocalStore
from tests.batch.conftest import picture
from tests.cli.program import PROGRAM, SHELL_PROGRAM, run, shell

HERE = ["-j", "0", "--effort", "0"]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "2020").mkdir(parents=True)
    picture(1).save(folder / "a.jpg")
    picture(2).save(folder / "2020" / "b c.png")
    (folder / "note.txt").write_text("note")
    return folder


@pytest.fixture
def batch(tiny, tmp_path):
    def command(*arguments, **options):
        return run("batch", *arguments, weights=tiny, cwd=tmp_path, **options)

    return command


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_there_and_back(photos, batch, tmp_path):
    done = batch(
        "encode", "photos", "--out-dir", "archive", *HERE, "--verify", "--report", "report.json"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")  # nothing to say in cron
    assert tree(tmp_path / "archive") == ["2020/b c.png.gcz", "a.jpg.gcz", "manifest.jsonl"]
    report = json.loads((tmp_path / "report.json").read_bytes())
    assert report["counts"] == {"ok": 2, "skipped": 1}
    assert {entry["target"] for entry in report["largest"]} == {"2020/b c.png.gcz", "a.jpg.gcz"}
    assert (
        batch("encode", "photos", "--out-dir", "archive", *HERE, "--resume", "--verify").returncode
        == 3
    )
    status = batch("status", "archive")
    assert status.returncode == 0
    assert b"2 ok, 1 skipped" in status.stdout
    status = json.loads(batch("status", "archive", "--json").stdout)
    assert (status["counts"]["ok"], status["at_work"], status["left"]) == (2, False, 0)
    assert batch("verify", "archive", "--symbols", "-j", "0").returncode == 0
    done = batch("decode", "archive", "--out-dir", "back", "-j", "0", "-v")
    assert done.returncode == 0
    assert b"2 ok" in done.stderr
    assert tree(tmp_path / "back") == ["2020/b c.png", "a.jpg", "manifest-decode.jsonl"]
    with Image.open(tmp_path / "back" / "a.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (64, 48))


def test_failures_come_last_in_a_table(photos, batch):
    (photos / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    (photos / "worse.png").write_bytes(b"no picture")
    done = batch("encode", "photos", "--out-dir", "archive", *HERE)
    assert done.returncode == 1
    lines = done.stderr.decode().splitlines()
    assert lines[0] == "2 failed, 2 ok, 1 skipped"
    assert lines[2] == "failed: 2 damaged, or no picture"
    assert [line.split()[0] for line in lines[3:]] == ["bad.jpg", "worse.png"]
    assert b"bad.jpg" in batch("status", "archive").stdout


def test_a_dry_run_tells_the_plan_and_does_nothing(photos, batch, tmp_path):
    done = batch("encode", "photos", "--out-dir", "archive", "--bpp", "0.1", "--dry-run")
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("2 pictures, ")
    assert lines[1:] == [
        "  photos/2020/b c.png -> 2020/b c.png.gcz",
        "  photos/a.jpg -> a.jpg.gcz",
        "1 other files, note.txt first",
    ]
    assert not (tmp_path / "archive").exists()


def test_lists_from_stdin(photos, batch, tmp_path):
    names = b"photos/a.jpg\0photos/2020/b c.png\0"
    done = batch("encode", "--files-from", "-", "-0", "--out-dir", "archive", *HERE, input=names)
    assert done.returncode == 0
    assert tree(tmp_path / "archive") == [
        "manifest.jsonl",
        "photos/2020/b c.png.gcz",
        "photos/a.jpg.gcz",
    ]
    (tmp_path / "list").write_text("photos/a.jpg\nphotos/gone.jpg\n")
    done = batch("encode", "--files-from", "list", "--root", "photos", "--out-dir", "other", *HERE)
    assert done.returncode == 1
    assert b"photos/gone.jpg  No such file or directory" in done.stderr
    assert tree(tmp_path / "other") == ["a.jpg.gcz", "manifest.jsonl"]
    assert (
        batch("encode", "--files-from", "-", "--out-dir", "none", *HERE, input=b"").returncode == 3
    )


def test_obstacles_are_listed_and_nothing_is_done(photos, batch, tmp_path):
    for name in ("a.png", "2020/a.png", "2020/b c.jpg"):
        picture(3).save(photos / name)
    done = batch("encode", "photos", "--out-dir", "archive", "--name", "{stem}.gcz", *HERE)
    assert done.returncode == 2
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 4
    assert lines[-1] == "gccodec: error: 3 obstacles; nothing was done"
    assert all("would both become" in line for line in lines[:-1])
    done = batch("encode", "photos", "--out-dir", "photos/archive", *HERE)
    assert done.returncode == 2
    assert b"lies inside photos" in done.stderr
    assert not (tmp_path / "archive").exists()
    assert not (photos / "archive").exists()


def test_in_place(photos, batch, tmp_path):
    assert batch("encode", "photos", "--out-dir", "photos", *HERE).returncode == 0
    assert "a.jpg.gcz" in tree(photos)
    assert batch("encode", "photos", "--out-dir", "photos", *HERE, "--resume").returncode == 3
    (photos / "a.jpg").unlink()
    done = batch("decode", "photos", "--out-dir", "photos", "-j", "0")
    assert done.returncode == 2  # the other one is still there
    assert b"exists" in done.stderr
    (photos / "2020" / "b c.png").unlink()
    assert batch("decode", "photos", "--out-dir", "photos", "-j", "0").returncode == 0
    assert {"a.jpg", "2020/b c.png"} <= set(tree(photos))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name folders or files, or give --files-from"),
        (["photos", "--files-from", "x"], "exclude each other"),
        (["photos", "-0"], "-0 is for --files-from"),
        (["photos", "--bpp", "1", "--total", "1MB"], "exclude each other"),
        (["photos", "--bpp", "99"], "at most 24"),
        (["photos", "--total", "1MB", "--shard", "1/2"], "exclude each other"),
        (["photos", "--shard", "3/2"], "give I/N"),
        (["photos", "--delete-source"], "needs --verify"),
        (["photos", "--redo"], "--redo needs --resume"),
        (["photos", "--resume", "-f"], "exclude each other"),
        (["photos", "--name", "x"], "must be there"),
        (["photos", "--address", "x"], "for --engine ray"),
        (["photos", "--gpus", "1"], "for --engine ray"),
        (["photos", "--device", "tpu"], "known are auto, cpu"),
        (["photos", "--metadata", "gps"], "is unknown"),
        (["photos", "--out-dir", ""], "output folder is empty"),
    ],
)
def test_contradictions_are_usage_errors(photos, batch, tmp_path, arguments, message):
    done = batch("encode", "--out-dir", "archive", *arguments)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "archive").exists()


def test_other_errors_have_their_codes(photos, batch, tmp_path):
    assert batch("encode", "none", "--out-dir", "archive").returncode == 7
    assert batch("status", "photos").returncode == 7
    assert batch("verify", "photos").returncode == 3
    assert batch("encode", "photos", "--out-dir", "archive", "--weights", "none").returncode == 5
    done = batch("encode", "photos", "--out-dir", "archive", *HERE, "--report", "none/report.json")
    assert done.returncode == 7
    assert not (tmp_path / "archive").exists()
    (tmp_path / "file").write_text("")
    assert batch("encode", "photos", "--out-dir", "file/archive", *HERE).returncode == 7
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "manifest.jsonl").write_text("{]\n")
    assert batch("encode", "photos", "--out-dir", "archive", *HERE, "--resume").returncode == 4


def test_progress_as_json(photos, batch):
    done = batch("encode", "photos", "--out-dir", "archive", *HERE, "--progress", "json")
    last = json.loads(done.stderr.splitlines()[-1])
    assert (last["total"], last["done"], last["failed"]) == (2, 2, 0)


def test_find_and_a_pipe(photos, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tiny))
    line = "find photos -name '*.*g' -print0 | "
    line += f"{SHELL_PROGRAM} batch encode --files-from - -0 --root photos --out-dir archive -j 2 --effort 0"
    done = shell(line, tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert tree(tmp_path / "archive") == ["2020/b c.png.gcz", "a.jpg.gcz", "manifest.jsonl"]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def is_worker(pid):
    """And not what Python keeps beside its processes to count semaphores."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return b"spawn_main" in file.read()


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_killed_goes_on(photos, tiny, tmp_path, monkeypatch, kind):
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tiny))
    for i in range(30):
        picture(i).save(photos / f"{i}.png")
    archive = tmp_path / "archive"
    command = [
        *PROGRAM,
        "batch",
        "encode",
        "photos",
        "--out-dir",
        "archive",
        "-j",
        "2",
        "--effort",
        "0",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    while process.poll() is None and len(tree(archive) if archive.exists() else []) < 6:
        time.sleep(0.01)
    assert process.poll() is None
    workers = children(process.pid)
    process.send_signal(kind)
    stderr = process.communicate(timeout=30)[1]
    if kind != signal.SIGKILL:
        assert (process.returncode, stderr) == (130, b"gccodec: interrupted\n")
    for _ in range(1000):
        if not any(os.path.exists(f"/proc/{worker}") for worker in workers):
            break
        time.sleep(0.02)
    done = run("batch", "encode", "photos", "--out-dir", "archive", *HERE, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    expected = {name + ".gcz" for name in tree(photos) if name != "note.txt"}
    assert set(tree(archive)) == expected | {"manifest.jsonl"}
    records = read_manifest(LocalStore(str(archive)), "manifest.jsonl").records
    assert {record.target for record in records.values() if record.status == "ok"} == expected


def test_a_worker_that_is_killed_takes_nothing_with_it(photos, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tiny))
    for i in range(30):
        picture(i).save(photos / f"{i}.png")
    command = [
        *PROGRAM,
        "batch",
        "encode",
        "photos",
        "--out-dir",
        "archive",
        "-j",
        "2",
        "--effort",
        "0",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    archive = tmp_path / "archive"
    while len(tree(archive) if archive.exists() else []) < 6:
        time.sleep(0.01)
    os.kill(next(pid for pid in children(process.pid) if is_worker(pid)), signal.SIGKILL)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0
    assert len([name for name in tree(archive) if name.endswith(".gcz")]) == 32


def test_a_report_takes_no_place_of_a_file_of_the_run(photos, batch, tmp_path):
    before = (photos / "a.jpg").read_bytes()
    assert batch("encode", "photos", "--out-dir", "archive", *HERE).returncode == 0
    for path in ("photos/a.jpg", "photos/note.txt", "archive/a.jpg.gcz", "archive/manifest.jsonl"):
        done = batch(
            "encode", "photos", "--out-dir", "archive", *HERE, "--resume", "--report", path
        )
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    done = batch(
        "decode", "archive", "--out-dir", "back", "-j", "0", "--report", "archive/a.jpg.gcz"
    )
    assert done.returncode == 2
    assert (photos / "a.jpg").read_bytes() == before
    assert batch("verify", "archive", "-j", "0").returncode == 0


def test_names_that_are_no_text_are_told(photos, batch):
    os.rename(photos / "note.txt", os.fsencode(photos) + b"/\xff\n")
    done = batch("encode", "photos", "--out-dir", "archive", "--dry-run")
    assert done.stdout.splitlines()[-1] == rb"1 other files, \xff\n first"


def test_a_ceiling_that_was_met_before_is_said_nothing_of(photos, batch):
    total = ("--total", "1MB")
    done = batch("encode", "photos", "--out-dir", "archive", *HERE, *total)
    assert b"the best quality" in done.stderr
    picture(9).save(photos / "new.png")
    assert (
        batch("encode", "photos", "--out-dir", "archive", *HERE, *total, "--resume").stderr == b""
    )
