"""Sources that cannot seek."""

import errno
import io

import numpy as np
import pytest
from PIL import Image

from gccodec.errors import LimitError, PictureError
from gccodec.image import reader, spool
from gccodec.image.reader import read_picture
from gccodec.image.spool import can_seek, spooled

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def png():
    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "PNG")
    return out.getvalue()


class Bare:
    """Gives a few bytes at a time, and has no other method."""

    def __init__(self, data, piece=100):
        self._data, self._piece = io.BytesIO(data), piece
        self.given = 0

    def read(self, size=-1):
        data = self._data.read(min(size, self._piece) if size >= 0 else self._piece)
        self.given += len(data)
        return data


class Boaster(io.BytesIO):
    """Says that it can seek."""

    def seek(self, *arguments):
        raise OSError(errno.ESPIPE, "Illegal seek")


class Endless:
    def __init__(self):
        self.given = 0

    def read(self, size=-1):
        self.given += size
        return bytes(size)


@pytest.mark.parametrize("kind", [Bare, Boaster])
@pytest.mark.parametrize("streamed", [False, True])
def test_they_are_copied_and_read(kind, streamed, monkeypatch):
    if streamed:
        monkeypatch.setattr(reader, "STREAMED_PIXELS", 1)
    picture = read_picture(kind(png()))
    assert picture.streamed == streamed
    assert np.array_equal(picture.pixels, PIXELS)


def test_a_longer_copy_lies_on_the_disk(monkeypatch):
    monkeypatch.setattr(spool, "HELD_BYTES", 1000)
    with spooled(Bare(png())) as copy:
        assert copy.read() == png()
    assert np.array_equal(read_picture(Bare(png())).pixels, PIXELS)


def test_of_what_is_no_picture_no_more_than_its_beginning_is_read():
    endless = Endless()
    with pytest.raises(PictureError, match="begins with 00 00"):
        read_picture(endless)
    assert endless.given < 1 << 16
    with pytest.raises(PictureError, match="empty"):
        read_picture(Bare(b""))


def test_the_copy_has_an_end(monkeypatch):
    monkeypatch.setattr(spool, "MAX_SPOOLED_BYTES", 2000)
    with pytest.raises(LimitError, match="more than 2000 bytes"):
        read_picture(Bare(png()))


def test_a_source_that_is_not_ready_or_fails_says_so():
    class NotReady(Bare):
        def read(self, size=-1):
            return super().read(size) or None

    class Failing(Bare):
        def read(self, size=-1):
            if self.given > 1000:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    with pytest.raises(BlockingIOError):
        read_picture(NotReady(png()))
    with pytest.raises(OSError, match="Input/output"):
        read_picture(Failing(png()))


def test_files_and_bytes_can_seek():
    assert can_seek(io.BytesIO(b"x"))
    assert not can_seek(Bare(b"x"))
    assert not can_seek(Boaster(b"x"))
