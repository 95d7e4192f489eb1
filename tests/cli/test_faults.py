"""What goes wrong around the program: nothing is lost, nothing half written, one line and the right exit code."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests.cli.program import PROGRAM, SHELL_PROGRAM, run, shell
from tests.paths import COFFEE, GOLDEN


def test_a_closed_pipe_is_an_output_error_without_traceback(tmp_path):
    result = shell(f"{SHELL_PROGRAM} decode {GOLDEN / 'coffee.gcz'} --format bmp | true", tmp_path)
    assert result.returncode == 7
    assert b"Traceback" not in result.stderr
    assert b"pipe was closed" in result.stderr


def test_a_full_disk_leaves_nothing_behind(small, tmp_path):
    script = f"ulimit -f 1; trap '' XFSZ; {SHELL_PROGRAM} decode {GOLDEN / 'coffee.gcz'} -o out.png"
    result = shell(script, tmp_path)
    assert result.returncode == 7
    assert os.listdir(tmp_path) == []
    assert b"Traceback" not in result.stderr


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("this user cannot mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_file_system_that_is_full_keeps_what_it_held(small, small_disk):
    old = small_disk / "out.png"
    old.write_bytes(b"old")
    full = run("decode", GOLDEN / "coffee.gcz", "-o", old, "-f")
    with contextlib.suppress(OSError), open(small_disk / "filler", "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    no_room = run("encode", small, "-o", small_disk / "a.gcz", "--quality", "100")
    for result in (full, no_room):
        assert result.returncode == 7
        assert b"No space left" in result.stderr
        assert b"Traceback" not in result.stderr
    assert old.read_bytes() == b"old"
    assert sorted(os.listdir(small_disk)) == ["filler", "out.png"]


def test_a_read_only_folder_is_an_output_error(small, tmp_path):
    command = [*PROGRAM, "encode", str(small), "-o", str(tmp_path / "a.gcz")]
    if os.geteuid() == 0:  # root writes everywhere, unless it gives that up
        if shutil.which("setpriv") is None:
            pytest.skip("this user writes everywhere")
        command = ["setpriv", "--bounding-set=-dac_override", *command]
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    result = subprocess.run(command, capture_output=True)
    tmp_path.chmod(0o700)
    assert result.returncode == 7, result.stderr
    assert b"Traceback" not in result.stderr
    assert os.listdir(tmp_path) == []


def test_ctrl_c_exits_with_130_and_leaves_nothing(tmp_path):
    big = tmp_path / "in" / "big.png"
    big.parent.mkdir()
    with Image.open(COFFEE) as image:
        image.resize((3000, 2000)).save(big)
    out = tmp_path / "out"
    out.mkdir()
    process = subprocess.Popen(
        [*PROGRAM, "encode", str(big), "-o", str(out / "a.gcz"), "-v"], stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stderr.readline().startswith(b"gccodec: device")
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert os.listdir(out) == []


def test_a_full_device_behind_stdout_is_an_output_error(small):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([*PROGRAM, "encode", str(small)], stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 7
    assert b"No space left" in result.stderr
    assert b"Traceback" not in result.stderr


VANISHING = """
import os, sys
from gccodec.codec import codec
from gccodec.cli.main import main
encode = codec.Codec.encode
def vanishing(*arguments, **options):
    os.truncate(sys.argv[2], 100_000)
    return encode(*arguments, **options)
codec.Codec.encode = vanishing
main()
"""


def test_an_input_that_vanishes_while_it_is_read_is_an_error(tmp_path):
    """Large PNG files are read as they are encoded."""
    big, out = tmp_path / "big.png", tmp_path / "out" / "a.gcz"
    out.parent.mkdir()
    with Image.open(COFFEE) as image:
        image.resize((4096, 2176)).save(big, compress_level=1)
    command = [sys.executable, "-c", VANISHING, "encode", str(big), "-o", str(out), "--quality", "0"]
    result = subprocess.run(command, capture_output=True)
    assert result.returncode == 4, result.stderr
    assert b"Traceback" not in result.stderr
    assert os.listdir(out.parent) == []


OUT_OF_MEMORY = """
import os, sys
import torch.nn.functional as F
from gccodec.cli.main import main
conv2d, limit = F.conv2d, int(os.environ["LIMIT"])
def limited(x, *arguments, **options):
    if x.shape[-2] * x.shape[-1] > limit:
        print("too large", file=sys.stderr)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
    return conv2d(x, *arguments, **options)
F.conv2d = limited
import torch.nn.modules.conv
torch.nn.modules.conv.F.conv2d = limited
main()
"""


@pytest.mark.parametrize(("limit", "code"), [(8_000, 0), (1, 6)])
def test_out_of_memory_is_met_with_smaller_strips_or_exit_6(small, tmp_path, limit, code):
    expected, out = tmp_path / "expected.gcz", tmp_path / "out" / "a.gcz"
    out.parent.mkdir()
    picture = tmp_path / "picture.png"
    with Image.open(COFFEE) as image:
        image.resize((256, 1200)).save(picture)
    assert run("encode", picture, "-o", expected, "--quality", "20", "--effort", "0").returncode == 0
    environment = os.environ | {"LIMIT": str(limit)}

    def limited(*arguments):
        command = [sys.executable, "-c", OUT_OF_MEMORY, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, env=environment)

    for arguments in (
        ("encode", picture, "-o", out, "--quality", "20", "--effort", "0"),
        ("decode", expected, "-o", out, "--format", "png"),
    ):
        result = limited(*arguments)
        assert result.returncode == code, result.stderr
        assert b"too large" in result.stderr
        assert b"Traceback" not in result.stderr
        assert out.exists() == (code == 0)
        if code == 0 and arguments[0] == "encode":
            assert out.read_bytes() == expected.read_bytes()
        out.unlink(missing_ok=True)
    assert os.listdir(out.parent) == []
