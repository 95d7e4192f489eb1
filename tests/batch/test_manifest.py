"""The manifest says what was done, whatever happened while it was written."""

import os

import pytest

from gccodec.batch.manifest import Manifest, Record, parse_line, read_manifest
from gccodec.errors import CorruptError, FileError
from gccodec.storage.local import LocalStore

DONE = Record("2020/a.jpg", "ok", 10, 20, "aa", "2020/a.jpg.gcz", 5, "bb", "8a3d142b", "cc", 25.0)
BAD = Record("b.jpg", "failed", error="the picture is damaged", exit_code=4, tries=3)
ODD = Record(os.fsdecode(b"\xff.jpg"), "skipped")


NAME = "manifest.jsonl"


@pytest.fixture
def store(tmp_path):
    store = LocalStore(str(tmp_path))
    with Manifest(store, NAME) as manifest:
        manifest.start_run({"version": "0.1.0"})
        for record in (DONE, BAD, ODD):
            manifest.add(record)
    return store


def test_records_come_back_as_they_were(store):
    past = read_manifest(store, NAME)
    assert list(past.records.values()) == [DONE, BAD, ODD]
    assert past.run == {"version": "0.1.0"}
    assert past.begun == set()


def test_the_last_line_of_a_name_counts(store):
    with Manifest(store, NAME) as manifest:
        manifest.add(Record("b.jpg", "ok"))
    assert read_manifest(store, NAME).records["b.jpg"] == Record("b.jpg", "ok")


def test_a_manifest_cut_at_any_byte_goes_on(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a second's work otherwise
    path = store.root + "/" + NAME
    with open(path, "rb") as file:
        whole = file.read()
    for length in range(len(whole)):
        with open(path, "wb") as file:
            file.write(whole[:length])
        with Manifest(store, NAME) as manifest:
            manifest.add(Record("new.jpg", "ok"))
        lines = whole[:length].count(b"\n")
        records = read_manifest(store, NAME).records
        assert list(records) == ["2020/a.jpg", "b.jpg", ODD.name][: max(0, lines - 1)] + ["new.jpg"]


def test_a_damaged_line_in_the_middle_is_named(store):
    log = store.open_log(NAME)
    log.append(b"{]\n")
    log.close()
    with pytest.raises(CorruptError, match="line 5"):
        read_manifest(store, NAME)


def test_a_second_run_is_refused(store):
    with Manifest(store, NAME), pytest.raises(FileError, match="another run"):
        Manifest(store, NAME)
    Manifest(store, NAME).close()


def test_targets_that_were_begun_are_known_until_their_record_comes(store):
    with Manifest(store, NAME) as manifest:
        manifest.begin(["b.jpg.gcz", "c.jpg.gcz"])
        manifest.add(Record("b.jpg", "ok", target="b.jpg.gcz"))
    assert read_manifest(store, NAME).begun == {"c.jpg.gcz"}


def test_who_reads_while_a_run_is_at_work_sees_that(store):
    assert not store.log_is_held(NAME)
    with Manifest(store, NAME):
        assert store.log_is_held(NAME)
        assert len(read_manifest(store, NAME).records) == 3


@pytest.mark.parametrize(
    "line",
    [
        b'{"name": "a", "status": "done"}',
        b'{"name": 1, "status": "ok"}',
        b'{"name": "a", "status": "ok", "target_bytes": "5"}',
        b'{"name": "a", "status": "ok", "notes": "x"}',
        b'{"name": "a", "status": ["ok"]}',
        b"[]",
        b'{"name": "a"}',
    ],
)
def test_lines_that_no_run_has_written_are_named(line):
    with pytest.raises(CorruptError, match="line 7"):
        parse_line(line, 7)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"name": "a", "status": "ok", "mtime_ns": 1' + b"0" * 30 + b"}",
        b'{"run": {"files": "many"}}',
        b'{"run": {"options": 5}}',
    ],
)
def test_lines_that_no_version_wrote_are_damage(line):
    with pytest.raises(CorruptError, match="line 1 "):
        parse_line(line, 1)


def test_what_was_made_stays_known_for_ours_through_failures(store):
    with Manifest(store, NAME) as manifest:
        manifest.add(Record("b.jpg", "ok", target="b.gcz"))
        manifest.begin(["b.gcz"])
        manifest.add(Record("b.jpg", "failed", target="b.gcz"))
    past = read_manifest(store, NAME)
    assert past.is_ours("b.jpg", "b.gcz")
    assert not past.is_ours("b.png", "b.gcz")


def test_deleted_originals_are_known_until_they_are_coded_again(store):
    with Manifest(store, NAME) as manifest:
        manifest.delete(["b.jpg", ODD.name])
        manifest.add(Record("b.jpg", "ok"))
    assert read_manifest(store, NAME).deleted == {ODD.name}


def test_a_manifest_that_another_run_has_just_removed_is_not_written_to(store, monkeypatch):
    def removed_meanwhile(descriptor):
        os.unlink(os.path.join(store.root, NAME))
        return True

    monkeypatch.setattr("gccodec.storage.local.try_lock", removed_meanwhile)
    with pytest.raises(FileError, match="another run"):
        Manifest(store, NAME)
