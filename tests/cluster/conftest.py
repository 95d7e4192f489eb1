"""Real servers on loopback: S3's interface over HTTP, sshd for sftp, a Ray cluster of two nodes."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from gccodec.storage.store import store_of
from tests.batch.conftest import picture

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(port, process):
    for _ in range(300):
        assert process.poll() is None, "the server has ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError("the server does not answer")


@contextlib.contextmanager
def running(command, port, **options):
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
    )
    try:
        wait_for(port, process)
        yield process
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "2020").mkdir(parents=True)
    for i in range(16):
        picture(i).save(folder / ("2020" if i % 2 else ".") / f"{i}.jpg")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


@pytest.fixture(autouse=True)
def _tiny_weights(tiny, monkeypatch):
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tiny))
    monkeypatch.setenv("PYTHONPATH", os.getcwd())


@pytest.fixture
def s3(monkeypatch):
    """A bucket `photos` on a server that speaks S3's interface."""
    port = free_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    with running([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        import s3fs

        store_of.cache_clear()  # of another test's server
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("photos")
        yield "s3://photos"


class Sftp(NamedTuple):
    url: str
    folder: Path


@pytest.fixture
def sftp(monkeypatch):
    """A folder behind a real sshd, whose user is nobody where root runs the tests."""
    if SSHD is None:
        pytest.skip("no sshd; Debian's package is openssh-server")
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    folder = Path(tempfile.mkdtemp(prefix="gccodec-sshd-"))
    port = free_port()
    (folder / "home" / ".ssh").mkdir(parents=True)
    (folder / "files").mkdir()
    for name in ("host_key", "home/.ssh/id_ed25519"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    shutil.copy(folder / "home" / ".ssh" / "id_ed25519.pub", folder / "authorized_keys")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile "
        f"none\nUsePAM yes\n"
        f"StrictModes no\nAuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\n"
        "Subsystem sftp internal-sftp\nForceCommand internal-sftp\n"
    )
    if os.getuid() == 0:
        for above, _, names in os.walk(folder):
            for path in (above, *(os.path.join(above, name) for name in names)):
                os.chown(path, user.pw_uid, user.pw_gid)
    monkeypatch.setenv("HOME", str(folder / "home"))
    options = (
        {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    )
    command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    with running(command, port, **options):
        yield Sftp(f"sftp://{user.pw_name}@127.0.0.1:{port}{folder}/files", folder / "files")
    shutil.rmtree(folder)


class RayCluster(NamedTuple):
    """address: for `--address`; nodes: the process groups of the two nodes; environment: of those
    who join."""

    address: str
    nodes: tuple[subprocess.Popen, ...]


def start_node(arguments, environment):
    """A node that lives as long as its process group."""
    command = [
        str(Path(sys.executable).parent / "ray"),
        "start",
        "--block",
        "--num-cpus",
        "1",
        "--node-ip-address",
    ]
    command += [
        "127.0.0.1",
        "--disable-usage-stats",
        "--object-store-memory",
        "80000000",
        *arguments,
    ]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
