"""Archives on servers: S3 and sftp, each a real one that the test has started."""

import json
import signal
import subprocess
import time

import pytest

from gccodec.storage.store import store_of
from tests.batch.conftest import picture
from tests.cli.program import PROGRAM, run

pytestmark = pytest.mark.cluster
HERE = ["-j", "2", "--effort", "0"]


def batch(*arguments):
    done = run("batch", *arguments)
    assert b"secret" not in done.stderr + done.stdout
    return done


def there_and_back(photos, url, tmp_path):
    """Up, coded on the server, checked, resumed, and back."""
    store = store_of(url)
    originals = sorted(str(p.relative_to(photos)) for p in photos.rglob("*.jpg"))
    for name in originals:
        data = (photos / name).read_bytes()
        store.write_whole(f"in/{name}", False, lambda file, data=data: file.write(data))
    done = batch("encode", f"{url}/in", "--out-dir", f"{url}/out", "--verify", *HERE)
    assert done.returncode == 1, done.stderr
    assert b"bad.jpg" in done.stderr
    assert b"1 failed, 16 ok" in done.stderr
    done = batch("encode", f"{url}/in", "--out-dir", f"{url}/out", *HERE)
    assert done.returncode == 7
    assert b"--resume goes on with it" in done.stderr
    assert (
        batch(
            "encode", f"{url}/in", "--out-dir", f"{url}/out", *HERE, "--verify", "--resume"
        ).returncode
        == 1
    )
    status = json.loads(batch("status", f"{url}/out", "--json").stdout)
    assert status["counts"] == {"ok": 16, "failed": 1}
    assert batch("verify", f"{url}/out", "--symbols").returncode == 0
    assert (
        batch("decode", f"{url}/out", "--out-dir", str(tmp_path / "back"), "-j", "2").returncode
        == 0
    )
    back = sorted(str(p.relative_to(tmp_path / "back")) for p in (tmp_path / "back").rglob("*.jpg"))
    assert back == [name for name in originals if name != "bad.jpg"]
    names = [entry.name for entry in store_of(f"{url}/out").walk()]
    assert sorted(n for n in names if n.endswith(".gcz")) == [
        f"{n}.gcz" for n in originals if n != "bad.jpg"
    ]
    assert not [n for n in names if n.endswith((".part", ".lock"))]
    for name in names:
        if name.endswith(".jsonl"):
            with store_of(f"{url}/out").open(name) as file:
                assert b"secret" not in file.read()


def test_s3(photos, s3, tmp_path):
    there_and_back(photos, s3, tmp_path)


def test_sftp(photos, sftp, tmp_path):
    there_and_back(photos, sftp.url, tmp_path)


def test_two_runs_on_one_archive_of_a_server(photos, s3, tmp_path):
    for i in range(400):  # the first is at work for a while
        picture(i, (160, 120)).save(photos / f"more-{i}.png")
    command = [*PROGRAM, "batch", "encode", str(photos), "--out-dir", f"{s3}/out", *HERE]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as first:
        while not store_of(f"{s3}/out").log_is_held("manifest.jsonl"):
            assert first.poll() is None
            time.sleep(0.05)
        second = run("batch", "encode", photos, "--out-dir", f"{s3}/out", *HERE, "--resume")
        first.send_signal(signal.SIGINT)
        assert first.communicate(timeout=120)[1] == b"gccodec: interrupted\n"
    assert second.returncode == 7
    assert b"another run is at work on this archive" in second.stderr
    assert not store_of(f"{s3}/out").log_is_held("manifest.jsonl")


def test_a_folder_that_the_server_refuses(photos, s3):
    done = run("batch", "encode", photos, "--out-dir", "s3://no-such-bucket/out", *HERE)
    assert done.returncode == 7
    assert len(done.stderr.splitlines()) == 1
    assert b"no-such-bucket" in done.stderr
