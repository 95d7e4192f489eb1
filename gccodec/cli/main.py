"""The `gccodec` program: commands are imported when they are used, errors become one line and an exit code."""

from __future__ import annotations

import importlib
import signal
import sys

import click

from gccodec import __version__
from gccodec.errors import FileError, GccodecError, LimitError

COMMANDS = ("encode", "decode", "info", "verify", "labels", "bench", "train", "export")
EXIT_INTERRUPTED = 130


class LazyGroup(click.Group):
    """Imports `gccodec.cli.<command>` on demand, so that --help and info never load torch."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"gccodec.cli.{cmd_name}")
        command: click.Command = module.command
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gccodec")
def cli() -> None:
    """Compress photographs below 0.1 bit per pixel with a generative model.

    \b
    gccodec encode photo.png -o photo.gcz --bpp 0.05
    gccodec decode photo.gcz -o photo.png

    Exit codes: 0 done, 1 some files failed, 2 usage, 3 nothing to do, 4 corrupt input, 5 missing or wrong
    weights, 6 limit exceeded, 7 input/output, 130 interrupted.
    """


def _fail(error: GccodecError) -> int:
    click.echo(f"gccodec: error: {' '.join(str(error).split())}", err=True)
    return error.exit_code


def main() -> None:
    """Run and exit."""
    # a polite kill cleans up like Ctrl-C: no temporary file stays, training saves its state
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = cli.main(standalone_mode=False)
    except GccodecError as error:
        code = _fail(error)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.ClickException as error:
        click.echo(f"gccodec: error: {error.format_message()}", err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("gccodec: interrupted", err=True)
        code = EXIT_INTERRUPTED
    except MemoryError:
        code = _fail(LimitError("out of memory; try a smaller picture"))
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        code = _fail(FileError(f"{name}{error.strerror or error}"))
    sys.exit(code if isinstance(code, int) else 0)
