"""What goes wrong around the program: nothing is lost, nothing half written, one line and the right
exit code."""

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import warnings

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
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], capture_output=True
    ).returncode:
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
        [*PROGRAM, "encode", str(big), "-o", str(out / "a.gcz"), "-v"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
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
        result = subprocess.run(
            [*PROGRAM, "encode", str(small)], stdout=full, stderr=subprocess.PIPE
        )
    assert result.returncode == 7
    assert b"No space left" in result.stderr
    assert b"Traceback" not in result.stderr


VANISHING = """
import os, sys
from gccodec.codec import codec
from gccodec.cli.main import main
from gccodec.image import reader
reader.STREAMED_PIXELS = 1
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
        image.resize((1024, 544)).save(big, compress_level=1)
    command = [
        sys.executable,
        "-c",
        VANISHING,
        "encode",
        str(big),
        "-o",
        str(out),
        "--quality",
        "0",
    ]
    result = subprocess.run(command, capture_output=True)
    assert result.returncode == 4, result.stderr
    assert b"Traceback" not in result.stderr
    assert os.listdir(out.parent) == []


OUT_OF_MEMORY = """
import os, sys
from gccodec.cli.main import main
from gccodec.model.convolution import Convolution
convolve, limit = Convolution.__call__, int(os.environ["LIMIT"])
def limited(self, x):
    if x.shape[0] * x.shape[1] > limit:
        print("too large", file=sys.stderr)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
    return convolve(self, x)
Convolution.__call__ = limited
main()
"""


@pytest.mark.parametrize(("limit", "code"), [(8_000, 0), (1, 6)])
def test_out_of_memory_is_met_with_smaller_strips_or_exit_6(small, tmp_path, limit, code):
    expected, out = tmp_path / "expected.gcz", tmp_path / "out" / "a.gcz"
    out.parent.mkdir()
    picture = tmp_path / "picture.png"
    with Image.open(COFFEE) as image:
        image.resize((256, 1200)).save(picture)
    assert (
        run("encode", picture, "-o", expected, "--quality", "20", "--effort", "0").returncode == 0
    )
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


@pytest.mark.parametrize(
    ("command", "code", "line"),
    [
        ("verify GOLDEN <&-", 0, b""),
        ("verify - <&-", 7, b"stdin: is closed"),
        ("verify /dev/stdin <&-", 7, b"/dev/stdin: is closed"),
        ("info GOLDEN >&-", 7, b"stdout: is closed"),
        ("--help >&-", 7, b"stdout: is closed"),
        ("info none <&- >&-", 7, b"none: No such file"),
        ("info GOLDEN >/dev/full", 7, b"stdout: No space left"),
        ("encode - -o a.gcz <&-", 7, b"stdin: is closed"),
        ("encode SMALL >&-", 7, b"stdout: is closed"),
        ("decode GOLDEN >&-", 7, b"stdout: is closed"),
        ("decode GOLDEN -o /dev/stdout >&-", 7, b"stdout: is closed"),
    ],
)
def test_closed_streams_are_an_error_only_where_they_are_needed(
    small, tmp_path, command, code, line
):
    command = command.replace("GOLDEN", str(GOLDEN / "coffee.gcz")).replace("SMALL", str(small))
    result = shell(f"{SHELL_PROGRAM} {command}", tmp_path)
    assert result.returncode == code, result.stderr
    assert line in result.stderr
    assert result.stderr.count(b"\n") == (code != 0)
    assert os.listdir(tmp_path) == []


def test_without_any_stream_the_work_is_done(small, tiny, tmp_path, monkeypatch):
    """As cron and daemons start programs; no file that is opened becomes a stream that others write
    to."""
    monkeypatch.setenv("GCCODEC_WEIGHTS", str(tiny))
    closed = "<&- >&- 2>&-"
    steps = [
        f"{SHELL_PROGRAM} encode {small} -o a.gcz --quality 30 -v {closed}",
        f"{SHELL_PROGRAM} decode a.gcz -o a.png -v --progress json {closed}",
        f"{SHELL_PROGRAM} verify a.gcz 2>&-",
        f"! {SHELL_PROGRAM} verify none {closed}",
    ]
    result = shell(" && ".join(steps), tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"a.gcz: ok\n", b"")
    assert sorted(os.listdir(tmp_path)) == ["a.gcz", "a.png"]
    with Image.open(tmp_path / "a.png") as image:
        image.load()


def test_names_that_are_not_utf_8_or_hold_control_characters_stop_nothing(tmp_path):
    names = [b"bad\xff.gcz", b"new\nline.gcz", b"red\x1b[31m.gcz", "漢.gcz".encode()]
    for name in names:
        shutil.copy(GOLDEN / "coffee.gcz", os.path.join(os.fsencode(tmp_path), name))
    for environment in (
        "PYTHONIOENCODING=utf-8:strict",
        "LC_ALL=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0",
        "LC_ALL=C",
    ):
        result = shell(f"{environment} {SHELL_PROGRAM} verify *.gcz none$'\\xfe' --json", tmp_path)
        assert result.returncode == 1
        lines = [json.loads(line) for line in result.stdout.decode("utf-8").splitlines()]
        assert [line["ok"] for line in lines] == [True] * len(names) + [False]
        assert [line["input"] for line in lines[:2]] == ["bad\ufffd.gcz", "new\nline.gcz"]
        assert lines[3]["input"] == "漢.gcz"
    result = shell(
        f"PYTHONIOENCODING=utf-8:strict {SHELL_PROGRAM} verify *.gcz none$'\\xfe'", tmp_path
    )
    assert result.stdout.decode().splitlines() == [
        "bad\\xff.gcz: ok",
        "new\\nline.gcz: ok",
        "red\\x1b[31m.gcz: ok",
        "漢.gcz: ok",
    ]
    assert result.stderr == b"gccodec: error: none\\xfe: No such file or directory\n"


def test_a_folder_that_is_gone_is_named(tmp_path):
    script = f"mkdir gone; cd gone; rmdir ../gone; {SHELL_PROGRAM} decode {GOLDEN / 'coffee.gcz'} -o {tmp_path}/a.png"
    result = shell(script, tmp_path)
    assert result.returncode == 7
    assert b"current folder does not exist" in result.stderr
    assert result.stderr.count(b"\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("limit_kb", [60_000, 300_000, 600_000, 900_000])
def test_too_little_address_space_is_a_limit(small, tmp_path, limit_kb):
    golden = GOLDEN / "coffee.gcz"
    for command in (f"encode {small} -o a.gcz", f"decode {golden} -o a.png"):
        result = shell(f"ulimit -v {limit_kb}; {SHELL_PROGRAM} {command}", tmp_path)
        assert result.returncode == 6, result.stderr
        assert result.stderr.count(b"\n") == 1
        assert result.stderr.startswith(b"gccodec: error: ")
    result = shell(f"ulimit -v {limit_kb}; {SHELL_PROGRAM} verify {golden}", tmp_path)
    assert result.returncode == 0, result.stderr
    assert os.listdir(tmp_path) == []


BLOCKED = """
import sys, time
from gccodec.cli.main import main
from gccodec.cli import verify
def write(*_):
    from gccodec.cli.stream import write_output
    def slowly(file):
        file.write(b"half")
        print("writing", file=sys.__stdout__, flush=True)
        time.sleep(float(sys.argv[2]))
    write_output("a", False, slowly)
verify.read_input = write
verify.parse = lambda *_: None
main()
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_every_polite_end_leaves_nothing(tmp_path, number):
    """A closed terminal sends its signal more than once."""
    command = [sys.executable, "-c", BLOCKED, "verify", "60"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # these tests may run under nohup, whose children would ignore it
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout.readline() == b"writing\n"
    assert len(os.listdir(tmp_path)) == 1
    process.send_signal(number)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, b"gccodec: interrupted\n")
    assert os.listdir(tmp_path) == []


def test_nohup_goes_on_when_the_terminal_is_closed(tmp_path):
    command = ["nohup", sys.executable, "-c", BLOCKED, "verify", "0.5"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert os.listdir(tmp_path) == ["a"]


def test_pictures_go_through_links_and_into_stdout_by_name(small, tiny, tmp_path):
    """Without -f, as nothing is overwritten."""
    (tmp_path / "fd").mkdir()
    (tmp_path / "fd" / "stdout").symlink_to("/proc/self/fd/1")
    (tmp_path / "link.png").symlink_to("real.png")
    assert (
        run("encode", small, "-o", tmp_path / "a.gcz", "--quality", 30, weights=tiny).returncode
        == 0
    )
    by_name = run(
        "decode", tmp_path / "a.gcz", "-o", tmp_path / "fd" / "stdout", "--json", weights=tiny
    )
    assert by_name.returncode == 0, by_name.stderr
    assert by_name.stdout[:4] == b"\x89PNG"
    assert json.loads(by_name.stderr)["width"] == 80
    assert (tmp_path / "fd" / "stdout").is_symlink()
    assert (
        run("decode", tmp_path / "a.gcz", "-o", tmp_path / "link.png", weights=tiny).returncode == 0
    )
    assert (tmp_path / "real.png").read_bytes() == by_name.stdout


def test_a_picture_is_read_from_stdin_by_name_and_written_at_a_quality(small, tiny, tmp_path):
    data = small.read_bytes()
    encoded = run("encode", "/dev/stdin", "--quality", 30, input=data, weights=tiny)
    assert encoded.returncode == 0, encoded.stderr
    assert encoded.stdout == run("encode", small, "--quality", 30, weights=tiny).stdout
    sizes = []
    for quality in (1, 100):
        options = ["--format", "jpg", "--output-quality", quality]
        sizes.append(len(run("decode", "-", *options, input=encoded.stdout, weights=tiny).stdout))
    assert sizes[0] < sizes[1] / 2
    gray = run("decode", "-", "-o", tmp_path / "a.pgm", input=encoded.stdout, weights=tiny)
    assert b"colours are lost" in gray.stderr
    assert (tmp_path / "a.pgm").read_bytes()[:2] == b"P5"


def test_lines_of_decoders_never_reach_the_user(small, tiny, tmp_path, monkeypatch):
    from gccodec.image import reader, writer

    def loud(action):
        def with_a_line(*arguments):
            os.write(2, b"TIFFReadDirectory: Warning\n")
            os.write(1, b"Svt[info]\n")
            warnings.warn("Corrupt EXIF data", UserWarning, stacklevel=1)
            return action(*arguments)

        return with_a_line

    monkeypatch.setattr(reader, "read_picture", loud(reader.read_picture))
    monkeypatch.setattr(writer, "write_strips", loud(writer.write_strips))
    encoded = run("encode", small, "--quality", 30, weights=tiny)
    decoded = run("decode", "-", input=encoded.stdout, weights=tiny)
    assert (encoded.returncode, encoded.stderr, decoded.returncode, decoded.stderr) == (
        0,
        b"",
        0,
        b"",
    )
    assert encoded.stdout[:3] == b"\xe7GC"
    assert decoded.stdout[:4] == b"\x89PNG"


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a\n.png").write_bytes(b"no picture")
    for name, shown in ((str(tmp_path / "a\n.png"), b"a\\n.png: "), ("-", b"error: stdin: ")):
        result = run("encode", name, input=b"no picture")
        assert result.returncode == 4
        assert shown in result.stderr
        assert result.stderr.count(b"\n") == 1
