"""A click group that imports a command only when it is called, and tells a refusal in one line."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from experiments.cli.hint import hint
from experiments.domain.errors import DomainError, Unavailable


class Entry(NamedTuple):
    """Where a command lives (`module:name`), and what `--help` says of it."""

    target: str
    help: str


class CommandGroup(click.Group):
    """Commands by entry, in order of entry."""

    def __init__(self, *, entries: Mapping[str, Entry], **options: Any) -> None:
        super().__init__(**options)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands."""
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self._entries:
            return None
        module, _, name = self._entries[cmd_name].target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self._entries.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a refusal becomes one line on stderr and exit code 1."""
        try:
            return super().invoke(ctx)
        except DomainError as refusal:
            raise Refused(refusal) from None


class Refused(click.ClickException):
    """A refusal as people read it: code first, so that scripts can tell them apart."""

    exit_code = 1

    def __init__(self, refusal: DomainError) -> None:
        place = f" ({refusal.path})" if refusal.path else ""
        super().__init__(f"{refusal.code}: {refusal.message}{place}{_cause(refusal)}{hint(refusal)}")

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"winnow: {self.message}", err=True)


def _cause(refusal: DomainError) -> str:
    """Whoever runs commands may know where the database is, and who asks it."""
    if not isinstance(refusal, Unavailable) or not refusal.cause:
        return ""
    return f" WINNOW_DATABASE_URL says which one it is; the driver says: {refusal.cause}"
