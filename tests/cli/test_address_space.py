"""Limits on the address space are met before torch is loaded."""

import resource

import pytest

from gccodec.cli import address_space
from gccodec.cli.address_space import (
    BYTES_A_THREAD,
    PROGRAM_BYTES,
    check_address_space,
    threads_within,
)
from gccodec.errors import LimitError


@pytest.fixture
def limited(monkeypatch):
    def to(limit_bytes):
        monkeypatch.setattr(resource, "getrlimit", lambda _: (limit_bytes, resource.RLIM_INFINITY))

    return to


def test_too_little_is_refused(limited):
    limited(300_000 << 10)
    with pytest.raises(LimitError, match=r"limited to 300000 KB \(ulimit -v\)"):
        check_address_space()
    for enough in (PROGRAM_BYTES, resource.RLIM_INFINITY):
        limited(enough)
        check_address_space()


def test_there_are_no_more_threads_than_have_room(limited):
    limited(PROGRAM_BYTES + 5 * BYTES_A_THREAD)
    assert [threads_within(*pair) for pair in ((None, 2), (None, 64), (3, 64), (9, 2))] == [
        2,
        5,
        3,
        5,
    ]
    limited(PROGRAM_BYTES)
    assert threads_within(None, 64) == 1
    limited(resource.RLIM_INFINITY)
    assert [threads_within(None, 64), threads_within(9, 2)] == [None, 9]


def test_signs_of_memory_that_ran_out_are_known():
    assert address_space.is_out_of_memory(OSError(12, "Cannot allocate memory"))
    assert not address_space.is_out_of_memory(OSError(2, "No such file or directory"))
