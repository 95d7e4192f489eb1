"""Names of inputs and outputs: files, links, pipes, devices and descriptors."""

import contextlib
import os
import socket
import threading

import pytest

from gccodec.cli import standard
from gccodec.cli.stream import (
    check_output,
    check_side_output,
    destination,
    open_input,
    read_input,
    write_output,
)
from gccodec.errors import FileError, UsageError


def put(name, force=False, data=b"new"):
    check_output(str(name), force)
    write_output(str(name), force, lambda file: file.write(data))


@contextlib.contextmanager
def as_stdin(descriptor):
    """Descriptor 0 leads where another does."""
    before = os.dup(0)
    os.dup2(descriptor, 0)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def filled_pipe(data):
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


def test_output_is_written_through_links(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("middle")
    (tmp_path / "middle").symlink_to(folder / "real")
    (tmp_path / "way").symlink_to(folder)
    with pytest.raises(FileError, match="link: exists already"):
        put(tmp_path / "link")
    put(tmp_path / "link", force=True)
    assert (folder / "real").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()
    assert os.listdir(folder) == ["real"]
    put(tmp_path / "way" / "other")
    assert (folder / "other").read_bytes() == b"new"


def test_a_dangling_link_creates_what_it_names(tmp_path):
    (tmp_path / "link").symlink_to("new")
    put(tmp_path / "link")
    assert (tmp_path / "new").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "far").symlink_to("none/new")
    with pytest.raises(FileError, match="folder .*none does not exist"):
        put(tmp_path / "far")


def test_loops_folders_and_empty_names_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "file").touch()
    for name, message in (
        ("a", "symbolic links"),
        ("file/x", "Not a directory"),
        ("", "is a folder"),
    ):
        for force in (False, True):
            with pytest.raises(FileError, match=message):
                put(tmp_path / name, force)
    with pytest.raises(UsageError, match="empty"):
        put("")
    assert (tmp_path / "a").is_symlink()


def test_devices_are_written_into_without_force(tmp_path):
    (tmp_path / "null").symlink_to("/dev/null")
    put("/dev/null")
    put(tmp_path / "null")
    assert (tmp_path / "null").is_symlink()
    assert not os.path.isfile("/dev/null")
    with pytest.raises(FileError, match="/dev/full: No space left"):
        put("/dev/full")


def test_a_named_pipe_is_written_into(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    put(pipe)
    reader.join()
    assert got == [b"new"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("form", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_an_open_descriptor_is_written_into_where_it_stands(tmp_path, form):
    path = tmp_path / "file"
    with open(path, "wb", buffering=0) as file:
        file.write(b"before, ")
        name = form.format(file.fileno())
        if form == "link":
            name = tmp_path / "link"
            name.symlink_to(f"/proc/self/fd/{file.fileno()}")
        put(name)
        file.write(b", after")
    assert path.read_bytes() == b"before, new, after"


def test_descriptors_that_are_closed_or_for_reading_are_refused(tmp_path):
    with (
        open("/dev/null", "rb") as file,
        pytest.raises(FileError, match="closed, or open for reading only"),
    ):
        put(f"/dev/fd/{file.fileno()}")
    with pytest.raises(FileError, match="closed"):
        put("/dev/fd/999")
    with (
        open("/dev/null", "wb") as file,
        pytest.raises(FileError, match="closed, or open for writing only"),
    ):
        read_input(f"/dev/fd/{file.fileno()}")


def test_the_names_of_stdout_are_known(tmp_path):
    (tmp_path / "out").symlink_to("/dev/stdout")
    for name in (
        "-",
        "/dev/stdout",
        "/dev/fd/1",
        "/proc/self/fd/1",
        f"/proc/{os.getpid()}/fd/1",
        tmp_path / "out",
    ):
        assert destination(str(name)).is_stdout, name
    for name in ("/dev/fd/10", "1", "/dev/null", "fd/1", tmp_path / "1"):
        assert not destination(str(name)).is_stdout, name


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/proc/self/fd/0", "named pipe", "inherited"])
def test_pipes_are_copied_so_that_they_can_be_read_twice(tmp_path, name):
    data = os.urandom(60_000)
    with contextlib.ExitStack() as stack:
        if name == "named pipe":
            name = str(tmp_path / "pipe")
            os.mkfifo(name)
            writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(data))
            writer.start()
            stack.callback(writer.join)
        else:
            reading = filled_pipe(data)
            stack.callback(os.close, reading)
            if name == "inherited":
                name = f"/dev/fd/{reading}"
            else:
                stack.enter_context(as_stdin(reading))
        with open_input(name) as file:
            assert file.read() == data
            file.seek(0)
            assert file.read(10) == data[:10]


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_a_socket_is_an_input_like_a_pipe(name):
    ours, theirs = socket.socketpair()
    with ours, theirs, as_stdin(theirs.fileno()):
        ours.sendall(b"data")
        ours.shutdown(socket.SHUT_WR)
        assert read_input(name) == b"data"


def test_a_pipe_that_does_not_block_is_waited_for():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    late = threading.Timer(0.1, lambda: (os.write(writing, b"late"), os.close(writing)))
    late.start()
    with as_stdin(reading):
        assert read_input("-") == b"late"
    os.close(reading)


def test_inputs_that_cannot_be_read_are_named(tmp_path):
    for name, message in ((tmp_path, "is a folder"), (tmp_path / "none", "none: No such file")):
        with pytest.raises(FileError, match=message):
            read_input(str(name))
    (tmp_path / "large").write_bytes(bytes(11))
    assert len(read_input(str(tmp_path / "large"), 11)) == 11
    for name in (str(tmp_path / "large"), "/dev/zero"):
        with pytest.raises(FileError, match="larger than 10 bytes"):
            read_input(name, 10)


def test_the_second_output_is_a_png_file():
    check_side_output("--map", "map.PNG")
    check_side_output("--map", None)
    check_side_output("--map", "folder.jpg/map")
    with pytest.raises(UsageError, match=r"--map map.jpg: is written as PNG"):
        check_side_output("--map", "map.jpg")
    with pytest.raises(UsageError, match="--map needs a file"):
        check_side_output("--map", "-")


def test_private_descriptors_are_not_those_that_a_shell_hands_on():
    copy = standard._copy_above(1)
    os.close(copy)
    assert copy >= standard.MIN_PRIVATE
