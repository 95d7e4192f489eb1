"""gccodec nets"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gccodec.cli.message import printable
from gccodec.errors import FileError, GccodecError

if TYPE_CHECKING:
    from gccodec.metrics.nets.catalogue import Net


@click.command("nets")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("nets"),
    show_default=True,
    help="Folder of the networks; it is made where it does not exist.",
)
@click.option(
    "--from",
    "downloads",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder with what you have downloaded.  [default: --out]",
)
@click.option("-f", "--force", is_flag=True, help="Make again what is there.")
@click.pass_context
def command(ctx: click.Context, out: Path, downloads: tuple[Path, ...], force: bool) -> None:
    """Make the frozen networks of `bench` and `train` from public checkpoints.

    gccodec loads nothing from the net: download the checkpoints yourself, under the licences of
    their authors, into one folder. What is missing is listed with the address that has it. Of
    each network made the SHA-256 of its tensors is checked.

    \b
    gccodec nets --out nets/
    pip download --no-deps -d downloads/ lpips==0.1.4 stlpips-pytorch==0.0.2
    gccodec nets --out nets/ --from downloads/

    Ends with 0 when all networks are there, else with 1.
    """
    for folder in downloads:
        if not folder.is_dir():
            raise FileError(f"{folder}: not a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{out}: {error.strerror}") from error

    from gccodec.metrics.nets.catalogue import NETS

    complete = [_shown(net, out, downloads or (out,), force) for net in NETS]
    if not all(complete):
        ctx.exit(1)


def _shown(net: Net, out: Path, folders: tuple[Path, ...], force: bool) -> bool:
    """Say what becomes of a network, and of each file that it needs; True when it is there."""
    from gccodec.storage.replacement import write_whole

    path = net.file(out)
    try:
        if not force and net.is_in(out):
            click.echo(f"{net.name}: is there")
            return True
        found = net.found(folders)
        paths = [file for file in found if file is not None]
        if len(paths) == len(net.sources):
            data = net.made_of(paths)
            write_whole(str(path), str(path), force, lambda file: file.write(data))
            made_of = ", ".join(file.name for file in paths)
            click.echo(printable(f"{net.name}: made of {made_of} ({net.licence})"))
            return True
    except GccodecError as error:
        click.echo(printable(f"{net.name}: {error}"), err=True)
        return False
    click.echo(f"{net.name}: missing")
    for source, file in zip(net.sources, found, strict=True):
        have = f"found {file.name}" if file is not None else f"get it: {source.obtain}"
        click.echo(printable(f"  {source.patterns[0]} ({source.licence}); {have}"))
    return False
