"""A real Ray cluster of two nodes on loopback, one of which is killed while it works."""

import json
import os
import signal
import subprocess
import time

import pytest

from gccodec.batch.manifest import read_manifest
from gccodec.storage.local import LocalStore
from tests.batch.conftest import picture
from tests.cli.program import PROGRAM, run
from tests.cluster.conftest import free_port, start_node, wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture
def nodes(monkeypatch, tmp_path):
    """Address and process groups of two nodes that ask for a token; the second can be spared."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a-token-of-at-least-thirty-two-characters")
    environment = dict(os.environ)
    port = free_port()
    address = f"127.0.0.1:{port}"
    head = start_node(["--head", "--port", str(port), "--include-dashboard", "false"], environment)
    wait_for(port, head)
    second = start_node(["--address", address], environment)
    yield address, (head, second)
    for node in (second, head):
        end(node, signal.SIGTERM)


def end(node, number):
    """All processes of a node."""
    try:
        os.killpg(node.pid, number)
        node.wait(5)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        os.killpg(node.pid, signal.SIGKILL)
        node.wait(20)


def records(archive):
    return read_manifest(LocalStore(str(archive)), "manifest.jsonl").records


def facts(record):
    """What does not depend on who did the work, and when."""
    return (
        record.name,
        record.status,
        record.target,
        record.target_sha256,
        record.sha256,
        record.error,
        record.options,
    )


def test_one_of_two_nodes_dies_and_nothing_is_lost_or_done_twice(photos, nodes, tmp_path):
    address, (_, second) = nodes
    for i in range(150):
        picture(i, (320, 240)).save(photos / f"more-{i}.png")
    options = ["--quality", "30", "--effort", "0"]
    command = [
        *PROGRAM,
        "batch",
        "encode",
        str(photos),
        "--out-dir",
        str(tmp_path / "cluster"),
        *options,
    ]
    command += [
        "--engine",
        "ray",
        "--address",
        address,
        "-j",
        "2",
        "--report",
        str(tmp_path / "report.json"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    archive = tmp_path / "cluster"
    begun_s = time.monotonic()
    while len(list(archive.rglob("*.gcz")) if archive.exists() else []) < 30:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - begun_s < 200
        time.sleep(0.02)
    end(second, signal.SIGKILL)
    assert len(list(archive.rglob("*.gcz"))) < 166, "the node has to die while there is work"
    stderr = process.communicate(timeout=300)[1]
    assert process.returncode == 1, stderr  # bad.jpg alone
    assert json.loads((tmp_path / "report.json").read_bytes())["counts"] == {"ok": 166, "failed": 1}
    done = run("batch", "encode", photos, "--out-dir", tmp_path / "here", *options, "-j", "1")
    assert done.returncode == 1
    here, there = records(tmp_path / "here"), records(archive)
    assert {facts(record) for record in there.values()} == {
        facts(record) for record in here.values()
    }
    lines = (archive / "manifest.jsonl").read_text().splitlines()
    names = [json.loads(line)["name"] for line in lines if '"name"' in line]
    assert len(names) == len(set(names)) == 167
    assert not [path for path in archive.rglob("*") if path.name.endswith(".part")]


def test_no_cluster_is_one_line(photos, tmp_path):
    options = ["--engine", "ray", "--address", f"127.0.0.1:{free_port()}"]
    done = run("batch", "encode", photos, "--out-dir", tmp_path / "a", *options)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert b"no Ray cluster is reached" in done.stderr
