"""gccodec batch verify"""

from __future__ import annotations

import click

from gccodec.batch.verification import verify_archive
from gccodec.cli.batch.options import Engines, engines
from gccodec.cli.batch.progress import BatchProgress
from gccodec.cli.batch.report import check_report, tell
from gccodec.cli.options import Messages, progress_mode, volume
from gccodec.cli.progress import ProgressMode
from gccodec.storage.store import shown


@click.command("verify")
@click.argument("folder", metavar="ARCHIVE")
@click.option(
    "--symbols", is_flag=True, help="Also decode latents (needs the weights), or exact pictures."
)
@click.option("--manifest", metavar="FILE", help="Where the manifest is.  [default: in ARCHIVE]")
@click.option("--report", metavar="FILE", help="Write a JSON report; replaced if it is there.")
@engines
@progress_mode
@volume
def command(
    folder: str,
    symbols: bool,
    manifest: str | None,
    report: str | None,
    engines: Engines,
    progress: ProgressMode,
    messages: Messages,
) -> None:
    """Check that every file of ARCHIVE (a folder or URL) is there and holds what its manifest says.

    \b
    gccodec batch verify archive/
    gccodec batch verify archive/ --symbols

    Files that no manifest lists are checked by themselves.
    """
    engines.check()
    check_report(report)
    with BatchProgress(progress, messages) as told:
        result, unlisted = verify_archive(folder, manifest, symbols, engines.start, told.observer)
    if unlisted:
        messages.note(f"{shown(folder)}: {unlisted} files are in no manifest")
    tell(result, report, messages, told.on_terminal)
