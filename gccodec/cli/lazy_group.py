"""Groups of commands that are imported when they are used."""

from __future__ import annotations

import importlib

import click


class LazyGroup(click.Group):
    """Imports `<package>.<command>` on demand, so that --help and info never load torch."""

    package: str
    names: tuple[str, ...]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.names:
            return None
        command: click.Command = importlib.import_module(f"{self.package}.{cmd_name}").command
        return command
