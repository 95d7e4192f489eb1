"""Options that several commands share, as decorators, and the values they carry."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from gccodec.cli.address_space import check_address_space, threads_within
from gccodec.cli.message import printable
from gccodec.errors import UsageError, WeightsError
from gccodec.image.metadata import KINDS, Kind

if TYPE_CHECKING:
    import torch

    SizeType = click.ParamType[int]
else:
    SizeType = click.ParamType  # generic in recent releases of click alone

Function = Callable[..., Any]
UNITS = {
    "": 1,
    "B": 1,
    "KB": 1000,
    "MB": 1_000_000,
    "KIB": 1024,
    "MIB": 1 << 20,
    "GB": 10**9,
    "GIB": 1 << 30,
}
MAX_SIZE_BYTES = 1 << 60
MAX_THREADS = 1024
"""With a hundred thousand torch ends in a segmentation fault."""


class Messages(NamedTuple):
    """stderr at three volumes."""

    quiet: bool
    verbose: bool

    def note(self, text: str) -> None:
        """Something the user should know; silent with -q."""
        if not self.quiet:
            click.echo(f"gccodec: {printable(text)}", err=True)

    def detail(self, text: str) -> None:
        """Only with -v."""
        if self.verbose:
            click.echo(f"gccodec: {printable(text)}", err=True)


class ByteSize(SizeType):
    """3000, 3KB, 2.5kB, 4KiB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", str(value).strip())
        if match is None or match[2].upper() not in UNITS:
            self.fail(f"{value!r} is not a size such as 3000, 3KB or 4KiB", param, ctx)
        size = float(match[1]) * UNITS[match[2].upper()]
        if size > MAX_SIZE_BYTES:
            self.fail(f"{value!r} is above {MAX_SIZE_BYTES} bytes", param, ctx)
        return int(size)


def _finite(number: float, value: Any, refuse: Callable[[str], NoReturn]) -> float:
    """nan compares with neither end of a range, and infinity is in one without an end."""
    if not math.isfinite(number):
        refuse(f"{value!r} is not a finite number")
    return number


class Number(click.FloatRange):
    """A range of finite numbers; one that has no ends is `AnyNumber`."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        return _finite(number, value, lambda text: self.fail(text, param, ctx))


class AnyNumber(click.types.FloatParamType):
    """A finite number. As a range without ends its help would say `[x<=None]`."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        return _finite(number, value, lambda text: self.fail(text, param, ctx))


def volume(function: Function) -> Function:
    """-q and -v, given to the command as `messages`."""

    def command(*args: Any, quiet: bool, verbose: bool, **kwargs: Any) -> Any:
        return function(*args, messages=Messages(quiet, verbose), **kwargs)

    command.__doc__, command.__name__ = function.__doc__, function.__name__
    command.__dict__.update(function.__dict__)
    command = click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")(command)
    return click.option("-q", "--quiet", is_flag=True, help="Errors only.")(command)


def machine(function: Function) -> Function:
    """--device, --threads, --weights."""
    for option in (
        click.option(
            "--weights",
            type=click.Path(path_type=Path),
            help="Folder of weights.  [default: installed]",
        ),
        click.option(
            "--threads",
            type=click.IntRange(1, MAX_THREADS),
            help="CPU threads.  [default: all cores]",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            help="auto (CUDA when it is there), cpu, cuda or cuda:N.",
        ),
    ):
        function = option(function)
    return function


def memory(function: Function) -> Function:
    """--mem-limit."""
    text = "Stay within so much memory: 800MB, 2GiB.  [default: none]"
    return click.option("--mem-limit", type=ByteSize(), help=text)(function)


def effort(function: Function) -> Function:
    """--effort."""
    text = "Refine what is coded: 0 not at all, 9 longest.  [default: 2; above 2 megapixels 0]"
    return click.option("--effort", type=click.IntRange(0, 9), help=text)(function)


def scale(function: Function) -> Function:
    """--scale."""
    text = "Smaller, sides rounded up; from 1/4 on in a fraction of the time.  [default: 1]"
    return click.option("--scale", metavar="1/2|1/4|1/8|1/16", help=text)(function)


def progress_mode(function: Function) -> Function:
    """--progress."""
    return click.option(
        "--progress",
        type=click.Choice(["auto", "json", "none"]),
        default="auto",
        show_default=True,
        help="On stderr: a line on a terminal, JSON lines, or nothing.",
    )(function)


def output(function: Function) -> Function:
    """-o and -f."""
    function = click.option("-f", "--force", is_flag=True, help="Overwrite the output.")(function)
    return click.option(
        "-o", "--output", default="-", show_default="stdout", help="Output file, - is stdout."
    )(function)


def metadata_kinds(text: str) -> frozenset[Kind]:
    """The kinds named by --metadata."""
    if text in ("all", "none"):
        return frozenset(KINDS) if text == "all" else frozenset()
    names = [name.strip().lower() for name in text.split(",")]
    if unknown := [name for name in names if name not in KINDS]:
        raise UsageError(
            f"--metadata {text}: {unknown[0]!r} is unknown; all, none, or a list of "
            f"{','.join(KINDS)}"
        )
    return frozenset(kind for kind in KINDS if kind in names)


def check_machine(device: str, weights: Path | None) -> None:
    """Refuse, before torch is loaded, a --device that no machine has and --weights that are not
    there."""
    if re.fullmatch("auto|cpu(:0)?|cuda(:[0-9]{1,3})?", device) is None:
        raise UsageError(f"--device {device}: known are auto, cpu, cuda and cuda:N")
    check_weights(weights)
    check_address_space()


def check_weights(folder: Path | None) -> None:
    """Refuse --weights that are not there."""
    if folder is not None and not folder.is_dir():
        raise WeightsError(f"{folder}: is not a folder of weights")


def usable_cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usual_threads() -> int:
    """For numpy's products where --threads says nothing: as of torch, every core unless
    OMP_NUM_THREADS limits them."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return min(usable_cores(), max(1, int(told))) if told.isdecimal() else usable_cores()


def choose_device(name: str, threads: int | None, messages: Messages) -> torch.device:
    """The torch device of --device; falls back to the CPU with `auto`. Sets the thread count."""
    check_machine(name, None)

    import torch

    from gccodec.model.allocator import share_freed_memory

    share_freed_memory()
    if (threads := threads_within(threads, torch.get_num_threads())) is not None:
        torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (
        not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()
    ):
        raise UsageError(f"--device {name}: no such CUDA device here; use --device cpu")
    messages.detail(f"device {device}, {torch.get_num_threads()} threads")
    return device
