"""How a run ends: its report for people and for programs, and the exit code."""

from __future__ import annotations

import json
import os

import click

from gccodec.batch.plan import Plan
from gccodec.batch.preparation import is_manifest_name
from gccodec.batch.report import Report
from gccodec.batch.settings import Settings
from gccodec.cli.message import printable
from gccodec.cli.options import Messages
from gccodec.cli.stream import check_output, write_output
from gccodec.errors import UsageError
from gccodec.storage.store import is_remote

EXIT_SOME_FAILED = 1


def check_report(path: str | None) -> None:
    """Refuse before any work what cannot be written after it."""
    if path is not None:
        check_output(path, True)


def check_apart(path: str | None, plan: Plan, settings: Settings) -> None:
    """UsageError for a report that would be written over a file of the plan, or over a manifest."""
    if path is None or is_remote(path):
        return
    real = os.path.realpath(path)
    base = os.path.basename(real)
    files = [entry.path for entry in (*(job.source for job in plan.jobs), *plan.others)]
    files += [os.path.join(settings.out_dir, job.target) for job in plan.jobs]
    files += [settings.manifest] if settings.manifest is not None else []
    for file in files:
        if os.path.basename(file) == base and os.path.realpath(file) == real:
            raise UsageError(f"--report {path}: is a file of this run; choose another name")
    if is_manifest_name(base) and os.path.dirname(real) == os.path.realpath(settings.out_dir):
        raise UsageError(f"--report {path}: is the manifest's name; choose another")


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
