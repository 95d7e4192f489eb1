"""kill -9 at random moments, run by `make test-slow`: an existing output is the old file or the
whole new one."""

import os
import random
import subprocess
import sys
import time

import pytest

from gccodec.container.file import parse
from tests.paths import COFFEE

pytestmark = pytest.mark.slow
KILLS = 200


def test_a_killed_encoder_leaves_the_old_file_or_the_new_one(tmp_path):
    out = tmp_path / "a.gcz"
    command = [
        sys.executable,
        "-m",
        "gccodec",
        "encode",
        str(COFFEE),
        "-o",
        str(out),
        "-f",
        "--quality",
        "20",
    ]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    start = time.monotonic()
    subprocess.run(command, env=environment, check=True)
    whole_s, new = time.monotonic() - start, out.read_bytes()
    old = new[:-1] + b"old"
    source, found = random.Random(3), {"old": 0, "new": 0}
    for _ in range(KILLS):
        out.write_bytes(old)
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        time.sleep(source.uniform(0.5, 1.05) * whole_s)
        process.kill()
        process.wait()
        data = out.read_bytes()
        assert data in (old, new)
        found["new" if data == new else "old"] += 1
    parse(new)
    leftovers = [name for name in os.listdir(tmp_path) if name != "a.gcz"]
    print(f"{KILLS} kills: {found}, {len(leftovers)} temporary files left")
    assert all(name.startswith(".gccodec-") and name.endswith(".part") for name in leftovers)
