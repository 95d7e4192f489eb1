"""gccodec batch status"""

from __future__ import annotations

import json

import click

from gccodec.batch.report import make_report
from gccodec.batch.verification import read_manifests
from gccodec.cli.message import printable
from gccodec.errors import FileError
from gccodec.storage.store import shown, store_of


@click.command("status")
@click.argument("folder", metavar="ARCHIVE")
@click.option("--manifest", metavar="FILE", help="Where the manifest is.  [default: in ARCHIVE]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(folder: str, manifest: str | None, as_json: bool) -> None:
    """Say what the manifest of ARCHIVE (a folder or URL) says: what is done, what failed, what is
    left.

    \b
    gccodec batch status archive/

    The files themselves are not looked at; `gccodec batch verify` does that.
    """
    past, names = read_manifests(folder, manifest)
    if not names:
        raise FileError(f"{shown(manifest or folder)}: no manifest is there")
    report = make_report(
        past.records.values(), sum(record.seconds for record in past.records.values())
    )
    store = store_of(folder)
    at_work = manifest is None and any(store.log_is_held(name) for name in names)
    done = sum(report.counts.get(status, 0) for status in ("ok", "failed"))
    left = max(0, int(past.run.get("files", 0)) - done) if len(names) == 1 else None
    if as_json:
        values = report.as_json() | {
            "run": past.run,
            "at_work": at_work,
            "left": left,
            "manifests": names,
        }
        click.echo(json.dumps(values))
        return
    run = past.run
    click.echo(
        printable(
            f"last run: {run.get('started', 'unknown')}, {'at work now' if at_work else 'ended'}"
        )
    )
    click.echo(
        printable(f"options: {', '.join(f'{k} {v}' for k, v in run.get('options', {}).items())}")
    )
    if left:
        click.echo(f"{left} of {run['files']} files are left")
    for text in report.lines():
        click.echo(printable(text))
