"""Folders behind URLs: those of memory and of zip files, which need no server."""

import json
import time
import zipfile

import pytest

from gccodec.batch.archive import encode_archive
from gccodec.batch.engine import ThisProcess
from gccodec.batch.manifest import Manifest, Record, read_manifest
from gccodec.batch.options import EncodeOptions, Machine
from gccodec.batch.plan import Template, make_plan
from gccodec.batch.settings import Settings
from gccodec.batch.source import entries
from gccodec.batch.verification import verify_archive
from gccodec.errors import FileError, NothingToDoError, UsageError
from gccodec.image.suffix import is_picture_name
from gccodec.storage import remote_log, retry
from gccodec.storage.entry import Entry
from gccodec.storage.remote import RemoteStore
from gccodec.storage.store import is_remote, shown
from tests.batch.conftest import picture

pytest.importorskip("fsspec")


@pytest.fixture
def store(monkeypatch, request):
    monkeypatch.setattr(remote_log, "SETTLING_S", 0)
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0)
    return RemoteStore(f"memory://{request.node.name}")


def put(store, name, data=b"data", force=False):
    store.write_whole(name, force, lambda file: file.write(data))


def test_files_appear_are_listed_read_and_removed(store):
    put(store, "2020/a.jpg")
    put(store, "b.jpg", b"other")
    found = list(store.walk())
    assert [(entry.name, entry.size_bytes) for entry in found] == [("2020/a.jpg", 4), ("b.jpg", 5)]
    assert all(isinstance(entry, Entry) and entry.mtime_ns > 0 for entry in found)
    assert store.status("b.jpg") == found[1].status
    with store.open("2020/a.jpg") as file:
        assert file.read() == b"data"
    with pytest.raises(FileError, match="exists already"):
        put(store, "b.jpg")
    put(store, "b.jpg", b"new", force=True)
    store.remove("b.jpg")
    assert store.status("b.jpg") is None
    with pytest.raises(FileError):
        store.open("b.jpg")


def test_lines_are_kept_in_their_order_and_one_writes_at_a_time(store):
    with Manifest(store, "m.jsonl") as manifest:
        manifest.start_run({"a": 1})
        manifest.add(Record("a.jpg", "ok"))
        assert store.log_is_held("m.jsonl")
        with pytest.raises(FileError, match="another run"):
            Manifest(store, "m.jsonl")
    assert not store.log_is_held("m.jsonl")
    with Manifest(store, "m.jsonl") as manifest:
        manifest.add(Record("b.jpg", "failed"))
    past = read_manifest(store, "m.jsonl")
    assert list(past.records) == ["a.jpg", "b.jpg"]
    assert past.run == {"a": 1}
    assert store.has_log("m.jsonl")
    assert not store.has_log("other.jsonl")


def test_a_lock_that_nobody_renews_ends(store):
    lock = {"token": "x", "until_s": time.time() - 1}
    put(store, "m.jsonl.lock", json.dumps(lock).encode())
    Manifest(store, "m.jsonl").close()
    put(store, "m.jsonl.lock", json.dumps(lock | {"until_s": time.time() + 60}).encode())
    with pytest.raises(FileError, match="another run"):
        Manifest(store, "m.jsonl")


def test_a_lock_that_two_take_at_once_has_one_holder(store, monkeypatch):
    def overtaken(seconds):
        put(store, "m.jsonl.lock", b'{"token": "other", "until_s": 1e12}', force=True)

    monkeypatch.setattr(remote_log.time, "sleep", overtaken)
    with pytest.raises(FileError, match="another run"):
        Manifest(store, "m.jsonl")


def test_what_fails_for_a_while_is_tried_again():
    waits, answers = [], iter([OSError("busy"), TimeoutError(), ConnectionError(), 5])

    def action():
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    assert retry.with_retries(action, waits.append) == 5
    assert len(waits) == 3
    assert 0.5 <= waits[0] < waits[1] < waits[2] <= 3
    tries = []

    def never():
        tries.append(1)
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        retry.with_retries(never, waits.append)
    assert len(tries) == 1

    def always():
        tries.append(1)
        raise OSError("busy")

    with pytest.raises(OSError, match="busy"):
        retry.with_retries(always, waits.append)
    assert len(tries) == 1 + retry.TRIES


def test_passwords_are_never_shown(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0)
    url = "sftp://anna:s3cret@localhost:1/photos"
    assert shown(url) == "sftp://anna:***@localhost:1/photos"
    assert shown("zip://::sftp://anna:s3cret@host/a.zip") == "zip://::sftp://anna:***@host/a.zip"
    pytest.importorskip("paramiko")
    with pytest.raises(FileError) as caught:
        RemoteStore(url)
    assert "s3cret" not in str(caught.value)


def test_urls_that_nobody_knows_are_usage_errors():
    with pytest.raises(UsageError, match="nonsense"):
        RemoteStore("nonsense://x/y")
    assert is_remote("s3://bucket")
    assert is_remote("zip://::a.zip")
    assert not is_remote("C:/photos")
    assert not is_remote("/photos/a")


def test_a_zip_file_can_be_an_input_and_no_output(tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as file:
        file.writestr("2020/a.jpg", b"abc")
    store = RemoteStore(f"zip://::{tmp_path}/photos.zip")
    (entry,) = store.walk()
    assert (entry.name, entry.size_bytes) == ("2020/a.jpg", 3)
    assert store.status("2020/a.jpg") == entry.status
    with store.open("2020/a.jpg") as file:
        assert file.read() == b"abc"
    assert "can be read, not written" in store.obstacle()
    with pytest.raises(FileError, match="can be read, not written"):
        put(store, "b")


def test_an_archive_from_memory_to_memory(store, tiny, monkeypatch):
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tiny))
    for i in range(3):
        store.write_whole(f"in/{i}.png", False, lambda file, i=i: picture(i).save(file, "PNG"))
    photos, archive = store.root + "/in", store.root + "/out"

    def encode(**settings):
        plan = make_plan(
            entries([photos]), Template("{dir}/{name}.gcz").target, archive, is_picture_name
        )
        settings = Settings(archive, **settings)
        return encode_archive(
            plan, EncodeOptions(quality=300, effort=0), settings, Machine(), ThisProcess
        )

    assert encode(verify=True).counts == {"ok": 3}
    with pytest.raises(FileError, match="--resume"):
        encode()
    with pytest.raises(NothingToDoError):
        encode(resume=True)
    report, unlisted = verify_archive(archive, None, True, ThisProcess)
    assert (report.counts, unlisted) == ({"ok": 3}, 0)
    assert encode(resume=True, verify=True, delete_sources=True).counts == {}
    assert list(RemoteStore(photos).walk()) == []
