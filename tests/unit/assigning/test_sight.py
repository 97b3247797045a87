"""What keys see is made once per catalog and set of tags."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.errors import Unavailable
from experiments.services.assigning import sight
from experiments.services.assigning.catalog import Catalog, CatalogHolder
from experiments.services.assigning.sight import Sight
from experiments.services.authoring.wishes import ExperimentWish

NONE: frozenset[str] = frozenset()
SHOP, MAIL = frozenset({"shop"}), frozenset({"mail"})


@pytest.fixture
def holder(winnow: Winnow, wish: ExperimentWish) -> CatalogHolder:
    for key, tags in (("one", ("shop",)), ("two", ("mail", "shop")), ("three", ())):
        winnow.author.create(replace(wish, key=key, tags=tags), actor="ann")
        winnow.author.step(key, "start", actor="ann")
    return winnow.catalog


def keys(catalog: Catalog) -> tuple[list[str], list[str]]:
    return list(catalog.live), [entry.experiment.key for entry in catalog.running]


def test_it_is_cut_by_any_of_the_tags(holder: CatalogHolder) -> None:
    seen = Sight(holder, keys)
    assert seen.of(NONE) == (["one", "three", "two"],) * 2
    assert seen.of(SHOP) == (["one", "two"],) * 2
    assert seen.of(MAIL) == (["two"],) * 2
    assert seen.of(SHOP | MAIL) == (["one", "two"],) * 2
    assert seen.of(frozenset({"other"})) == ([], [])


def test_each_is_made_once_until_the_catalog_changes(holder: CatalogHolder, winnow: Winnow) -> None:
    made: list[tuple[list[str], list[str]]] = []
    seen = Sight(holder, lambda catalog: made.append(keys(catalog)))
    for _ in range(3):
        for tags in (NONE, SHOP, MAIL):
            seen.of(tags)
    assert len(made) == 3
    winnow.author.step("one", "pause", actor="ann")
    for _ in range(3):
        seen.of(SHOP)
    assert made[3:] == [(["one", "two"], ["two"])]


def test_however_many_keys_ask_only_so_many_are_kept(holder: CatalogHolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "MAX_KEPT", 2)
    made: list[Catalog] = []
    seen = Sight(holder, made.append)
    for tags in (NONE, SHOP, MAIL, NONE):
        seen.of(tags)
    assert len(made) == 4


def test_before_the_first_look_there_is_nothing_to_see(winnow: Winnow) -> None:
    with pytest.raises(Unavailable):
        Sight(CatalogHolder(winnow.open_unit_of_work), keys).of(SHOP)
