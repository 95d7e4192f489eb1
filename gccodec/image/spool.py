"""Sources that cannot seek: pipes, sockets, /dev/stdin. They are copied first, as pictures are read
more than once."""

from __future__ import annotations

import io
import tempfile
from typing import IO

from gccodec.errors import LimitError
from gccodec.image.opening import detect
from gccodec.image.signature import HEAD_BYTES

HELD_BYTES = 1 << 26
"""A longer copy lies on the disk."""
MAX_SPOOLED_BYTES = 1 << 32
READ_BYTES = 1 << 18


def can_seek(source: IO[bytes]) -> bool:
    """Whether it really does: some say so and do not, some do not say."""
    try:
        source.seek(source.tell())
    except (OSError, AttributeError, ValueError):
        return False
    return True


def spooled(source: IO[bytes]) -> IO[bytes]:
    """A copy of all that is left, to be closed; of something that is no picture, an endless device
    say, none is made.

    PictureError for that, LimitError above MAX_SPOOLED_BYTES, OSError when it cannot be read.
    """
    head = b""
    while len(head) < HEAD_BYTES and (piece := _read(source, HEAD_BYTES - len(head))):
        head += piece
    detect(io.BytesIO(head))
    copy = tempfile.SpooledTemporaryFile(HELD_BYTES)  # noqa: SIM115  # the caller's
    try:
        copy.write(head)
        size = len(head)
        while piece := _read(source, READ_BYTES):
            size += len(piece)
            if size > MAX_SPOOLED_BYTES:
                raise LimitError(
                    f"the input cannot seek and has more than {MAX_SPOOLED_BYTES} bytes; save "
                    f"it first"
                )
            copy.write(piece)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return copy


def _read(source: IO[bytes], count: int) -> bytes:
    piece = source.read(count)
    if piece is None:  # of a raw file that does not block
        raise BlockingIOError(0, "the input is not ready and must not be waited for")
    return piece
