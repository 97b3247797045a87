"""The whole registry, as it is stored now."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.domain.profile import Registry
from experiments.services.paging import Stored
from experiments.services.ports import Library, T, UnitOfWork

_AT_ONCE = 1_000


def read_registry(work: UnitOfWork) -> Registry:
    """Return all attributes and the precedence of all sources."""
    return Registry(
        attributes={one.key: one for one in every(work.attributes)},
        precedence={one.key: one.precedence for one in every(work.sources)},
    )


def every(library: Library[T]) -> Iterator[T]:
    """Yield all values of a library in order of key."""
    yield from (stored.value for stored in every_stored(library))


def every_stored(library: Library[T]) -> Iterator[Stored[T]]:
    """Yield them with their revisions."""
    after: str | None = None
    while True:
        page = library.page(after=after, limit=_AT_ONCE)
        yield from page.items
        if page.next_after is None:
            return
        after = page.next_after
