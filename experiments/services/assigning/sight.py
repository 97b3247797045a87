"""What a key may see: the catalog without the experiments that have none of its tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Generic, TypeVar

from experiments.services.assigning.catalog import EMPTY, Catalog, CatalogHolder

MAX_KEPT = 1_000
"""Cuts kept for one catalog; there are as many as keys have different tags."""

T = TypeVar("T")


def cut(catalog: Catalog, tags: frozenset[str]) -> Catalog:
    """Return the catalog with only the experiments that have one of the tags; no tags: all of it."""
    if not tags:
        return catalog
    live = {key: entry for key, entry in catalog.live.items() if not tags.isdisjoint(entry.experiment.definition.tags)}
    running = tuple(entry for entry in catalog.running if entry.experiment.key in live)
    return replace(catalog, live=MappingProxyType(live), running=running)


class Sight(Generic[T]):
    """Something made of what a key sees, once per catalog and set of tags."""

    def __init__(self, holder: CatalogHolder, make: Callable[[Catalog], T]) -> None:
        self._holder = holder
        self._make = make
        self._kept: tuple[Catalog, dict[frozenset[str], T]] = (EMPTY, {})

    def of(self, tags: frozenset[str]) -> T:
        """Return it for a key with these tags, as things are now. Raises Unavailable before the catalog was read."""
        whole = self._holder.loaded()
        made_of, made = self._kept
        if made_of is not whole or len(made) >= MAX_KEPT:
            made = {}
            self._kept = (whole, made)
        if tags not in made:
            made[tags] = self._make(cut(whole, tags))
        return made[tags]
