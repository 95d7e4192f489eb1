"""Numbers and sizes that are none, and what is refused before torch is loaded."""

import subprocess
import sys

import pytest

from tests.cli.program import run
from tests.paths import GOLDEN


@pytest.mark.parametrize(
    "words",
    [
        *(
            ["encode", option, value]
            for option in ("--quality", "--bpp")
            for value in ("nan", "-nan", "inf", "1e999")
        ),
        ["encode", "--keep", "box:0,0,5,5", "--rest-quality", "nan"],
        ["encode", "--quality", "-1"],
        *(
            ["encode", "--size", value]
            for value in ("1e99", "nanKB", "inf", "-5", "٣", "9" * 400, "9999999999GB", "")
        ),
        ["encode", "--mem-limit", "9" * 5000],
        ["encode", "--max-pixels", "9" * 5000],
        ["encode", "--threads", "100000"],
        ["encode", "--device", "tpu"],
        *(["decode", "--realism", value] for value in ("nan", "inf", "-0.1", "1.01")),
        *(["decode", "--output-quality", value] for value in ("0", "101", "nan", "9.5")),
        ["decode", "--crop", "0,0,nan,3"],
        ["bench", "--bpp", "nan"],
        ["bench", "--realism", "nan"],
    ],
)
def test_what_is_no_number_is_refused_with_one_line(words, small, tmp_path):
    files = {"encode": [small], "decode": [GOLDEN / "coffee.gcz"], "bench": []}[words[0]]
    output = [] if words[0] == "bench" else ["-o", tmp_path / "a.png"]
    result = run(words[0], *files, *output, *words[1:])
    assert result.returncode == 2, result.stderr
    assert result.stderr.count(b"\n") == 1
    assert not list(tmp_path.iterdir())


REFUSED = [
    (7, ["encode", "none.png"]),
    (4, ["encode", "{golden}"]),
    (6, ["encode", "{small}", "--max-pixels", "10"]),
    (2, ["encode", "{small}", "--device", "tpu"]),
    (5, ["encode", "{small}", "--weights", "none.safetensors"]),
    (7, ["encode", "{small}", "--keep-mask", "none.png"]),
    (4, ["encode", "{small}", "--keep-mask", "{golden}"]),
    (2, ["encode", "{small}", "--keep", "class:unicorn", "--labels", "{small}"]),
    (2, ["encode", "{small}", "--keep", "none", "--labels", "{small}", "--labels-from", "lego"]),
    (2, ["encode", "{small}", "--keep", "box:0,0,1000,1000"]),
    (7, ["decode", "none.gcz"]),
    (4, ["decode", "{small}"]),
    (2, ["decode", "{golden}", "-o", "a.xyz"]),
    (2, ["decode", "{golden}", "-o", "a.gcz"]),
    (2, ["decode", "{golden}", "--format", "unknown"]),
    (2, ["decode", "{golden}", "--output-quality", "50"]),
    (2, ["decode", "{golden}", "--crop", "0,0,9000,9000"]),
    (2, ["decode", "{golden}", "-o", "a.png", "--map", "map.jpg"]),
    (5, ["decode", "{golden}", "--weights", "none.safetensors"]),
    (7, ["labels", "none.png"]),
    (4, ["labels", "{golden}"]),
    (2, ["labels", "{small}", "-o", "labels.jpg"]),
]


def test_what_can_be_refused_is_before_torch_is_loaded(small, tmp_path):
    """In one process, whose modules tell."""
    names = {"golden": GOLDEN / "coffee.gcz", "small": small}
    calls = [(code, [word.format(**names) for word in words]) for code, words in REFUSED]
    program = (
        "import sys\n"
        "from gccodec.cli.main import main\n"
        f"for code, words in {calls!r}:\n"
        "    sys.argv = ['gccodec', *words]\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as end:\n"
        "        print(end.code == code and 'torch' not in sys.modules, *words)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    lines = result.stdout.splitlines()
    assert len(lines) == len(REFUSED), result.stderr
    assert [line for line in lines if not line.startswith("True")] == [], result.stderr
    assert result.stderr.count("\n") == len(REFUSED)
    assert not list(tmp_path.iterdir())
