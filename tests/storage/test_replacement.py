"""Regular files appear whole or not at all, and a file that is replaced keeps its mode."""

import os
import stat

import pytest

from gccodec.errors import FileError
from gccodec.storage import replacement
from gccodec.storage.replacement import ACCESS_LIST, check_replaceable, write_whole


def write(file):
    file.write(b"new")


def put(path, force=True, action=write):
    write_whole(str(path), str(path), force, action)


def test_a_new_file_has_the_mode_that_the_umask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        put(tmp_path / "a", force=False)
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755, 0o200])
def test_the_mode_of_a_replaced_file_stays(tmp_path, mode):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(mode)
    put(path)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_nobody_can_read_a_private_file_while_it_is_replaced(tmp_path):
    path, modes = tmp_path / "a", []
    path.write_bytes(b"old")
    path.chmod(0o600)

    def look(file):
        modes.append(stat.S_IMODE(os.fstat(file.fileno()).st_mode))

    put(path, action=look)
    assert modes == [0o600]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)
def test_the_owner_of_a_replaced_file_stays(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    put(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_a_group_that_cannot_stay_gets_no_more_than_everybody(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o664)
    monkeypatch.setattr(os, "fchown", refuse)
    put(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_access_list_of_a_replaced_file_stays(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    # version 2; owner rw, user 1234 r, group none, mask r, others none
    entries = [(1, 6, -1), (2, 4, 1234), (4, 0, -1), (16, 4, -1), (32, 0, -1)]
    data = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little")
        + rights.to_bytes(2, "little")
        + (who & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, rights, who in entries
    )
    try:
        os.setxattr(path, ACCESS_LIST, data)
    except (OSError, AttributeError):
        pytest.skip("this file system has no access lists")
    put(path)
    assert os.getxattr(path, ACCESS_LIST) == data


def test_a_read_only_file_is_refused_even_with_force(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(FileError, match="read-only"):
        put(path)
    assert path.read_bytes() == b"old"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert os.listdir(tmp_path) == ["a"]


def test_without_force_nothing_is_overwritten_even_when_it_appears_meanwhile(tmp_path):
    path = tmp_path / "a"

    def race(file):
        path.write_bytes(b"theirs")
        file.write(b"ours")

    with pytest.raises(FileError, match="-f overwrites"):
        put(path, force=False, action=race)
    with pytest.raises(FileError, match="-f overwrites"):
        put(path, force=False)
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["a"]


def test_other_hard_links_keep_what_the_file_held(tmp_path):
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"old")
    os.link(path, other)
    put(path)
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"old")


def test_a_file_system_without_hard_links_is_served_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    put(tmp_path / "a", force=False)
    assert (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(FileError, match="-f overwrites"):
        put(tmp_path / "a", force=False)
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, MemoryError, OSError(28, "No space left on device")]
)
def test_what_stops_the_writing_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"half")
        raise error

    with pytest.raises((KeyboardInterrupt, MemoryError, FileError)):
        put(path, action=fail)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["x" * 241, "x" * 255, "漢" * 85, "é" * 127])
def test_names_of_up_to_255_bytes_are_written(tmp_path, name):
    put(tmp_path / name, force=False)
    put(tmp_path / name)
    assert os.listdir(tmp_path) == [name]


def test_a_name_that_is_too_long_is_refused_before_any_work(tmp_path):
    with pytest.raises(FileError, match="name too long"):
        check_replaceable(str(tmp_path / ("x" * 256)), "x", False)


def test_temporary_names_are_short_enough_for_every_file_system():
    assert len(os.path.basename(replacement.temporary_name("/folder"))) <= 32
