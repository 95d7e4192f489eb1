"""How a run ends: its report for people and for programs, and the exit code."""

from __future__ import annotations

import json

import click

from gccodec.batch.report import Report
from gccodec.cli.message import printable
from gccodec.cli.options import Messages
from gccodec.cli.stream import check_output, write_output

EXIT_SOME_FAILED = 1


def check_report(path: str | None) -> None:
    """Refuse before any work what cannot be written after it."""
    if path is not None:
        check_output(path, True)


def tell(report: Report, path: str | None, messages: Messages, on_terminal: bool) -> None:
    """On stderr where a person looks on or something failed; exits with 1 where something did."""
    if path is not None:
        data = json.dumps(report.as_json(), indent=2).encode() + b"\n"
        write_output(path, True, lambda file: file.write(data))
    if report.failures or (not messages.quiet and (on_terminal or messages.verbose)):
        for text in report.lines():
            click.echo(printable(text), err=True)
    if report.failures:
        raise click.exceptions.Exit(EXIT_SOME_FAILED)
