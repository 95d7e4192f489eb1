"""Names and texts of others as they can be shown: on one line, without power over a terminal,
always encodable."""

from __future__ import annotations

import base64
import json
import os
import unicodedata
from collections.abc import Mapping
from typing import Any

NOT_SHOWN = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories: control characters (ESC, newlines), surrogates, separators of lines and
paragraphs."""
TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Change the order in which the rest of a line is shown."""
UNDECODED = range(0xDC80, 0xDD00)
"""Stand for the bytes 0x80..0xFF of a name that is not UTF-8 (surrogateescape)."""


def printable(text: str) -> str:
    r"""The text on one line: what a terminal would obey, and bytes that are no text, as `\n`,
    `\x1b`, `\xff`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if ord(character) in UNDECODED:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character in TURNING or unicodedata.category(character) in NOT_SHOWN:
        return character.encode("unicode_escape").decode("ascii")
    return character


def json_line(values: Mapping[str, Any]) -> str:
    """A JSON object on one line, in ASCII, that every parser takes.

    Bytes of a name that are not UTF-8 become U+FFFD; the name itself then follows in base64 as
    `<key>_base64`.
    """
    shown: dict[str, Any] = {}
    for key, value in values.items():
        shown[key] = value
        if isinstance(value, str) and not _is_unicode(value):
            data = os.fsencode(value)
            shown[key] = data.decode("utf-8", "replace")
            if shown[key].encode() != data:
                shown[f"{key}_base64"] = base64.b64encode(data).decode("ascii")
    return json.dumps(shown)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
