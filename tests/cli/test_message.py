"""Names and texts of others on one line, whatever is in them."""

import base64
import json
import os

import pytest

from gccodec.cli.message import json_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("photo 1.png", "photo 1.png"),
        ("漢字 é\u202f🙂.png", "漢字 é\u202f🙂.png"),
        (os.fsdecode(b"bad\xff.gcz"), "bad\\xff.gcz"),
        ("two\nlines\r\t.png", "two\\nlines\\r\\t.png"),
        ("\x1b[31mred\x9b0m\x00", "\\x1b[31mred\\x9b0m\\x00"),
        ("\u202egnp.exe\u2028\u2066", "\\u202egnp.exe\\u2028\\u2066"),
        ("\ud83d", "\\ud83d"),
        ("", ""),
    ],
)
def test_what_a_terminal_obeys_and_what_is_no_text_is_escaped(text, shown):
    assert printable(text) == shown
    assert len(printable(text).splitlines()) <= 1
    printable(text).encode()


def test_json_holds_names_that_are_not_utf_8_for_every_parser():
    line = json_line({"input": os.fsdecode(b"bad\xff.gcz"), "output": "漢\n", "bytes": 3})
    assert line.isascii()
    assert "\\ud" not in line.lower()  # a lone surrogate is refused by some parsers
    values = json.loads(line)
    assert values["input"] == "bad\ufffd.gcz"
    assert base64.b64decode(values.pop("input_base64")) == b"bad\xff.gcz"
    assert values == {"input": "bad\ufffd.gcz", "output": "漢\n", "bytes": 3}
