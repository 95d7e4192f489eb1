"""gccodec batch: whole archives"""

from __future__ import annotations

import click

from gccodec.cli.lazy_group import LazyGroup


class Batch(LazyGroup):
    package, names = "gccodec.cli.batch", ("encode", "decode", "verify", "status")


@click.command("batch", cls=Batch)
def command() -> None:
    """Whole archives: thousands of photographs, with a manifest of what was done.

    \b
    gccodec batch encode photos/ --out-dir archive/ --bpp 0.06
    gccodec batch status archive/
    gccodec batch verify archive/
    gccodec batch decode archive/ --out-dir restored/

    Exit codes: 0 all done, 1 some files failed (a table of them comes last), 3 nothing to do.
    """
