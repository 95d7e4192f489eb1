"""The manifest says what was done, whatever happened while it was written."""

import os

import pytest

from gccodec.batch.manifest import Manifest, Record, read_manifest
from gccodec.errors import CorruptError, FileError

DONE = Record("2020/a.jpg", "ok", 10, 20, "aa", "2020/a.jpg.gcz", 5, "bb", "8a3d142b", "cc", 25.0)
BAD = Record("b.jpg", "failed", error="the picture is damaged", exit_code=4, tries=3)
ODD = Record(os.fsdecode(b"\xff.jpg"), "skipped")


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "manifest.jsonl")
    with Manifest(path) as manifest:
        manifest.start_run({"version": "0.1.0"})
        for record in (DONE, BAD, ODD):
            manifest.add(record)
    return path


def test_records_come_back_as_they_were(path):
    records, run = read_manifest(path)
    assert list(records.values()) == [DONE, BAD, ODD]
    assert run == {"version": "0.1.0"}


def test_the_last_line_of_a_name_counts(path):
    with Manifest(path) as manifest:
        manifest.add(Record("b.jpg", "ok"))
    assert read_manifest(path)[0]["b.jpg"] == Record("b.jpg", "ok")


def test_a_manifest_cut_at_any_byte_goes_on(path):
    with open(path, "rb") as file:
        whole = file.read()
    for length in range(len(whole)):
        with open(path, "wb") as file:
            file.write(whole[:length])
        with Manifest(path) as manifest:
            manifest.add(Record("new.jpg", "ok"))
        lines = whole[:length].count(b"\n")
        records, _ = read_manifest(path)
        assert list(records) == ["2020/a.jpg", "b.jpg", ODD.name][: max(0, lines - 1)] + ["new.jpg"]


def test_a_damaged_line_in_the_middle_is_named(path):
    with open(path, "ab") as file:
        file.write(b"{]\n")
    with pytest.raises(CorruptError, match="line 5"):
        read_manifest(path)


def test_a_second_run_is_refused(path):
    with Manifest(path), pytest.raises(FileError, match="another run"):
        Manifest(path)
    Manifest(path).close()
