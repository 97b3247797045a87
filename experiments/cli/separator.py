"""What stands between the columns of CSV, as people type it."""

from __future__ import annotations

import click


def one_character(_context: click.Context, _parameter: click.Parameter, typed: str) -> str:
    """Return the character; a backslash and a t are a tab, which shells do not let through by itself."""
    character = "\t" if typed == r"\t" else typed
    if len(character) != 1 or character in '"\r\n':
        raise click.BadParameter("One character is wanted.")
    return character
