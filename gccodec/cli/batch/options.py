"""Options that the batch commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import click

from gccodec.batch.engine import Engine, ThisProcess, Worker
from gccodec.batch.plan import ObstacleError
from gccodec.batch.source import entries, listed, split_list
from gccodec.cli.message import printable
from gccodec.cli.options import MAX_THREADS, Messages, Number, check_machine, usable_cores
from gccodec.cli.stream import read_input
from gccodec.errors import UsageError
from gccodec.storage.entry import Entry, Fault
from gccodec.storage.store import shown

Function = Callable[..., Any]
MAX_LIST_BYTES = 1 << 31
MAX_SHOWN_OBSTACLES = 20
IN_THIS_PROCESS = 0


class Inputs(NamedTuple):
    """Folders, files, globs and URLs, or a list of files."""

    arguments: tuple[str, ...]
    files_from: str | None
    nul: bool
    root: str | None

    def check(self) -> None:
        if self.files_from is None and not self.arguments:
            raise UsageError("name folders or files, or give --files-from")
        if self.files_from is not None and self.arguments:
            raise UsageError("--files-from and names of folders or files exclude each other")
        if self.nul and self.files_from is None:
            raise UsageError("-0 is for --files-from")

    def found(self) -> Iterator[Entry | Fault]:
        if self.files_from is None:
            return entries(self.arguments, self.root)
        data = read_input(self.files_from, MAX_LIST_BYTES)
        return listed(split_list(data, b"\0" if self.nul else b"\n"), self.root)


class Engines(NamedTuple):
    """Who works: processes here, or a Ray cluster."""

    name: str
    jobs: int | None
    threads: int
    tries: int
    address: str | None
    device: str
    gpus: float

    def check(self) -> None:
        check_machine(self.device, None)
        if self.address is not None and self.name != "ray":
            raise UsageError("--address is for --engine ray")
        if self.gpus and self.name != "ray":
            raise UsageError("--gpus is for --engine ray")

    @property
    def workers(self) -> int:
        """How many there are, as far as it is known before a cluster says."""
        return self.jobs if self.jobs is not None else max(1, usable_cores() // self.threads)

    def start(self, start: Callable[[], Worker]) -> Engine:
        if self.name == "ray":
            from gccodec.batch.cluster import Cluster, Slice

            return Cluster(
                start, self.address, self.jobs, Slice(self.threads, self.gpus), self.tries
            )
        if self.workers == IN_THIS_PROCESS:
            return ThisProcess(start)
        from gccodec.batch.pool import Pool
        from gccodec.cli.batch.worker import Quiet

        return Pool(Quiet(start), self.workers, self.tries)


def inputs(function: Function) -> Function:
    """INPUT..., --files-from, -0, --root, given to the command as `inputs`."""

    def command(
        *args: Any,
        inputs: tuple[str, ...],
        files_from: str | None,
        nul: bool,
        root: str | None,
        **rest: Any,
    ) -> Any:
        return function(*args, inputs=Inputs(inputs, files_from, nul, root), **rest)

    return _with_options(
        command,
        function,
        click.option(
            "--root",
            metavar="DIR",
            help="Names in the archive are relative to this.  [default: the input folder]",
        ),
        click.option(
            "-0",
            "--null",
            "nul",
            is_flag=True,
            help="Names of --files-from end in NUL, not in a newline.",
        ),
        click.option(
            "--files-from", metavar="FILE", help="A list of files, a line each; - is stdin."
        ),
        click.argument("inputs", metavar="[INPUT]...", nargs=-1),
    )


def engines(function: Function) -> Function:
    """-j, --threads, --tries, --device, --engine, --address, given to the command as `engines`."""

    def command(
        *args: Any,
        jobs: int | None,
        threads: int,
        tries: int,
        device: str,
        engine: str,
        address: str | None,
        gpus: float,
        **rest: Any,
    ) -> Any:
        return function(
            *args, engines=Engines(engine, jobs, threads, tries, address, device, gpus), **rest
        )

    return _with_options(
        command,
        function,
        click.option(
            "--gpus",
            type=Number(0),
            default=0.0,
            help="With --engine ray: of one worker, 0.25 for a quarter.",
        ),
        click.option(
            "--address",
            help="Of a Ray cluster, as ray.init takes it.  [default: this machine alone]",
        ),
        click.option(
            "--engine",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help="Processes of this machine, or a Ray cluster (extra ray).",
        ),
        click.option(
            "--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."
        ),
        click.option(
            "--tries",
            type=click.IntRange(1, 100),
            default=3,
            show_default=True,
            help="For a file whose worker dies.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(1, MAX_THREADS),
            default=1,
            show_default=True,
            help="Of one worker.",
        ),
        click.option(
            "-j",
            "--jobs",
            type=click.IntRange(0, 4096),
            help="Workers; 0 works in this process.  [default: one a core]",
        ),
    )


def archive_settings(function: Function) -> Function:
    """Options of a run, given to the command as `settings`, a `Settings` without encode's own."""
    from gccodec.batch.settings import Settings, Shard

    def command(
        *args: Any,
        out_dir: str,
        manifest: str | None,
        resume: bool,
        redo: bool,
        force: bool,
        others: str,
        shard: str | None,
        **rest: Any,
    ) -> Any:
        settings = Settings(
            out_dir,
            manifest,
            resume,
            redo,
            force,
            others,  # type: ignore[arg-type]
            shard=None if shard is None else Shard.parse(shard),
        )
        return function(*args, settings=settings, **rest)

    return _with_options(
        command,
        function,
        click.option(
            "--shard", metavar="I/N", help="Only part I of N; the parts together are the whole."
        ),
        click.option(
            "--others",
            type=click.Choice(["skip", "copy", "fail"]),
            default="skip",
            show_default=True,
            help="Other files: listed, copied, or a reason not to start.",
        ),
        click.option("-f", "--force", is_flag=True, help="Start anew; overwrite what is there."),
        click.option(
            "--redo", is_flag=True, help="With --resume: do again what was done with other options."
        ),
        click.option(
            "--resume", is_flag=True, help="Go on: skip what the manifest lists and still holds."
        ),
        click.option(
            "--manifest", metavar="FILE", help="Where the manifest is.  [default: in --out-dir]"
        ),
        click.option(
            "--out-dir", metavar="DIR", required=True, help="Folder or URL of the output."
        ),
    )


def reporting(function: Function) -> Function:
    """--dry-run, --report."""
    return _with_options(
        function,
        function,
        click.option(
            "--report", metavar="FILE", help="Write a JSON report; replaced if it is there."
        ),
        click.option("--dry-run", is_flag=True, help="Print the plan and an estimate; do nothing."),
    )


def _with_options(
    command: Function, function: Function, *decorators: Callable[[Function], Function]
) -> Function:
    """`command` in the place of `function`, with its options and these, the last listed first."""
    if command is not function:
        command.__doc__, command.__name__ = function.__doc__, function.__name__
        command.__dict__.update(function.__dict__)
    for decorator in decorators:
        command = decorator(command)
    return command


def tell_obstacles(error: ObstacleError, messages: Messages) -> None:
    """The first of them on lines of their own; the error itself is said by the program."""
    if len(error.obstacles) < 2:
        return
    for obstacle in error.obstacles[:MAX_SHOWN_OBSTACLES]:
        click.echo(f"gccodec: {printable(shown(obstacle))}", err=True)
    if len(error.obstacles) > MAX_SHOWN_OBSTACLES:
        click.echo(f"gccodec: and {len(error.obstacles) - MAX_SHOWN_OBSTACLES} more", err=True)
