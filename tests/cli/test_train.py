"""gccodec train and export from the outside."""

import pytest

from tests.cli.program import run


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--data", "{0}/none", "--nets", "{0}", "--state", "{0}"], 7, b"not a folder"),
        (
            ["train", "--data", "{0}", "--nets", "{0}", "--state", "{0}", "--minutes", "0"],
            2,
            b"above 0",
        ),
        (
            ["train", "--data", "{0}", "--nets", "{0}", "--state", "{0}", "--cool"],
            2,
            b"--cool needs --minutes",
        ),
        (
            ["train", "--data", "{0}", "--nets", "{0}", "--state", "{0}/s", "--preset", "none"],
            2,
            b"known are base",
        ),
        (
            ["train", "--data", "{0}", "--nets", "{0}", "--state", "{0}/s"],
            4,
            b"no pictures with sides of at least 320",
        ),
        (["export", "{0}/none.safetensors"], 7, b"does not exist"),
    ],
)
def test_bad_arguments_get_one_line(arguments, code, message, tmp_path):
    result = run(*(a.format(tmp_path) for a in arguments))
    assert result.returncode == code
    assert message in result.stderr
    assert result.stderr.count(b"\n") == 1
