"""The standard streams: what is given on them, what libraries write to them."""

import os
import threading

import pytest

from gccodec.cli import main as program
from gccodec.cli.standard import heard, libraries_unheard, own_streams
from tests.cli.program import run


def called(monkeypatch, action, **options):
    monkeypatch.setattr(program.cli, "main", lambda **_: action())
    return run(**options)


def c_writes(text):
    os.write(1, text)
    os.write(2, text)


def test_lines_of_c_libraries_are_lost_only_while_they_are_to_be(monkeypatch):
    def action():
        c_writes(b"1")
        with libraries_unheard():
            c_writes(b"2")
            program.click.echo("ours", err=True)
            program.click.echo("ours")
            with libraries_unheard():
                c_writes(b"3")
            for _ in heard(c_writes(b"4") for _ in range(2)):
                c_writes(b"5")
        c_writes(b"6")

    result = called(monkeypatch, action)
    assert (result.stdout, result.stderr) == (b"1ours\n446", b"1ours\n446")
    shown = called(monkeypatch, action, env=os.environ | {"GCCODEC_DEBUG": "1"})
    assert shown.stderr == b"12ours\n345456"


def test_they_are_heard_again_after_an_error(monkeypatch):
    def action():
        try:
            with libraries_unheard():
                raise ValueError
        except ValueError:
            c_writes(b"again")

    assert called(monkeypatch, action).stderr == b"again"


def test_without_own_streams_nothing_is_silenced(capfd):
    with libraries_unheard():
        c_writes(b"heard")
    assert capfd.readouterr() == ("heard", "heard")


def test_no_descriptor_stays_open():
    before = os.listdir("/proc/self/fd")
    with own_streams(), libraries_unheard():
        list(heard([1, 2]))
    assert os.listdir("/proc/self/fd") == before


def test_text_that_a_stream_cannot_hold_is_escaped(monkeypatch):
    def action():
        for err in (False, True):
            program.click.echo("\ud800", err=err)

    result = called(monkeypatch, action)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"\\ud800\n", b"\\ud800\n")


@pytest.mark.parametrize(
    ("error", "line"), [(28, "No space left"), (32, "the pipe was closed"), (9, "is closed")]
)
def test_errors_of_stdout_name_it(monkeypatch, error, line):
    def action():
        raw = program.sys.stdout.buffer.raw
        reading, writing = os.pipe()
        os.close(reading)
        with open("/dev/full", "wb") as full, open("/dev/null", "rb") as closed:
            os.dup2({28: full.fileno(), 32: writing, 9: closed.fileno()}[error], raw.fileno())
        os.close(writing)
        program.click.echo("text")

    result = called(monkeypatch, action)
    assert result.returncode == 7
    assert result.stderr.startswith(f"gccodec: error: stdout: {line}".encode())
    assert result.stderr.count(b"\n") == 1


def test_a_pipe_that_does_not_block_gets_everything(monkeypatch):
    got = []

    def action():
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        os.dup2(writing, program.sys.stdout.buffer.raw.fileno())
        os.close(writing)

        def read():
            with open(reading, "rb") as file:
                got.append(len(file.read()))

        thread = threading.Timer(0.1, read)
        thread.start()
        program.sys.stdout.buffer.write(bytes(1 << 20))
        program.sys.stdout.buffer.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, program.sys.stdout.buffer.raw.fileno())
        os.close(nowhere)
        thread.join()

    assert called(monkeypatch, action).returncode == 0
    assert got == [1 << 20]


def test_messages_that_nobody_can_read_stop_nothing(monkeypatch):
    def action():
        with open("/dev/full", "wb") as full:
            os.dup2(full.fileno(), program.sys.stderr.buffer.raw.fileno())
        program.click.echo("text", err=True)
        program.click.echo("done")

    result = called(monkeypatch, action)
    assert (result.returncode, result.stdout) == (0, b"done\n")
