"""Keyset pages: by key upwards, by row id downwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_key
from experiments.services.paging import Page
from experiments.storage.columns import LARGEST_INTEGER

T = TypeVar("T")
Row = TypeVar("Row")


def after_key(after: str | None) -> str | None:
    """Return the key to continue after; refuse what was never a key."""
    if after is None:
        return None
    try:
        check_key(after)
    except InvalidInput:
        raise _cursor_invalid() from None
    return after


def before_id(after: str | None) -> int:
    """Return the id that the newest-first page stays below; refuse what was never an id."""
    if after is None:
        return LARGEST_INTEGER
    if not (after.isascii() and after.isdigit() and len(after) < 20 and int(after) <= LARGEST_INTEGER):
        raise _cursor_invalid()
    return int(after)


def _cursor_invalid() -> InvalidInput:
    return InvalidInput("cursor_invalid", "This cursor was not given out by this list.", path="/cursor")


def cut(rows: Sequence[Row], limit: int, build: Callable[[Row], T], name: Callable[[Row], object]) -> Page[T]:
    """Return a page of `limit` from rows of which one more was asked for; `name` gives what the next one follows."""
    shown = rows[:limit]
    return Page(
        items=tuple(build(row) for row in shown),
        next_after=str(name(shown[-1])) if shown and len(rows) > limit else None,
    )
