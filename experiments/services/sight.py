"""What a key may see: the catalog without the experiments that have none of its tags."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from experiments.services.catalog import EMPTY, Catalog, CatalogHolder

MAX_KEPT = 1_000
"""Cuts kept for one catalog; there are as many as keys have different tags."""


def cut(catalog: Catalog, tags: frozenset[str]) -> Catalog:
    """Return the catalog with only the experiments that have one of the tags; no tags: all of it."""
    if not tags:
        return catalog
    live = {key: entry for key, entry in catalog.live.items() if not tags.isdisjoint(entry.experiment.definition.tags)}
    running = tuple(entry for entry in catalog.running if entry.experiment.key in live)
    return replace(catalog, live=MappingProxyType(live), running=running)


class Sight:
    """Cuts each catalog once per set of tags."""

    def __init__(self, holder: CatalogHolder) -> None:
        self._holder = holder
        self._kept: tuple[Catalog, dict[frozenset[str], Catalog]] = (EMPTY, {})

    def catalog(self, tags: frozenset[str]) -> Catalog:
        """Return what a key with these tags sees now. Raises Unavailable before the catalog was read."""
        whole = self._holder.loaded()
        if not tags:
            return whole
        of, cuts = self._kept
        if of is not whole or len(cuts) >= MAX_KEPT:
            cuts = {}
            self._kept = (whole, cuts)
        if tags not in cuts:
            cuts[tags] = cut(whole, tags)
        return cuts[tags]
