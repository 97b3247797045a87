"""Whole lists, from services that give them out page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from experiments.services.paging import Page

T = TypeVar("T")
_AT_ONCE = 200


def whole(read: Callable[..., Page[T]], **wanted: object) -> Iterator[T]:
    """Yield everything in the order of the pages; `wanted` narrows the list."""
    after: str | None = None
    while True:
        page = read(after=after, limit=_AT_ONCE, **wanted)
        yield from page.items
        if page.next_after is None:
            return
        after = page.next_after
