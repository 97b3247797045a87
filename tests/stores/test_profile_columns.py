"""What is said of many units at once ends as what is said of each by itself, whatever was known of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from experiments.bootstrap import Winnow, build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import Unavailable
from experiments.domain.profile import Registry
from experiments.domain.source import Source, SourceKind
from experiments.services.profiles.profiles import ChangeStatus, ProfileChange, SaidColumns
from experiments.services.profiles.registry_read import read_registry
from experiments.settings import Settings

DAY = timedelta(days=1)
TEXTS = ["Köln 🛒", 'a "b" \\ c\\n', "tab\tand\nline", None, "null", "\\N", "\\."]
ODD_IDS = ["a\\b", "\\.", "Zoë/…", "it's", 'qu"ote', " ", "\\N"]


@pytest.fixture
def shop(open_unit_of_work, clock) -> Winnow:
    made = build(Settings(), open_unit_of_work=open_unit_of_work, clock=clock)
    for place, key in enumerate(("crm", "own")):
        made.author.sources.create(Source(key=key, name=key, kind=SourceKind.OWN, precedence=place), actor="test")
    kinds = {"city": "text", "orders": "number", "vip": "boolean", "channels": "texts", "stale": "text"}
    for key, kind in kinds.items():
        fresh = 3 if key == "stale" else None
        made.author.attributes.create(
            Attribute(key=key, name=key, type=AttributeType(kind), fresh_days=fresh), actor="test"
        )
    return made


def registry(shop: Winnow) -> Registry:
    with shop.open_unit_of_work(read_only=True) as work:
        return read_registry(work)


def columns(shop: Winnow, rows: list[tuple[str, Mapping[str, Any]]], at: datetime, **changes: Any) -> SaidColumns:
    names = list(dict.fromkeys(name for _, said in rows for name in said))
    return SaidColumns(
        **{
            "source": "crm",
            "at": at,
            "unit_ids": [unit_id for unit_id, _ in rows],
            "columns": {name: (range(len(rows)), [said.get(name) for _, said in rows]) for name in names},
            "checked_by": registry(shop),
            **changes,
        }
    )


def stored(shop: Winnow, unit_ids: list[str]) -> dict[str, Any]:
    """All but the revision."""
    with shop.open_unit_of_work(read_only=True) as work:
        found = work.profiles.some(unit_ids)
    return {unit_id: (one.profile, one.attributes, one.updated_at) for unit_id, one in found.items()}


def rows_of(unit_ids: list[str]) -> list[tuple[str, dict[str, Any]]]:
    rows = []
    for place, unit_id in enumerate(unit_ids):
        said = {
            "city": TEXTS[place % len(TEXTS)],
            "orders": [0, -1.5, 2**62, 0.1 + 0.2][place % 4],
            "vip": place % 2 == 0,
        }
        said |= {"channels": ["a", 'b"'], "stale": "old"}
        rows.append((unit_id, {name: value for name, value in said.items() if value is not None}))
    return rows


def test_many_at_once_are_each_by_itself(shop: Winnow, now: datetime) -> None:
    at = now - 4 * DAY  # what stays fresh for three days is not any more
    rows = rows_of(["u1", "u2", *ODD_IDS])
    verdicts = shop.profiles.upsert_columns(columns(shop, rows, at))
    assert (verdicts.new, verdicts.same, verdicts.others) == (len(rows), 0, {})
    together = stored(shop, [unit_id for unit_id, _ in rows])
    assert together["u1"][1] == {"city": "Köln 🛒", "orders": 0, "vip": True, "channels": ["a", 'b"']}
    again = [(f"2{unit_id}", said) for unit_id, said in rows]
    shop.profiles.upsert_many(
        [ProfileChange(unit_id=unit_id, source="crm", attributes=said, at=at) for unit_id, said in again]
    )
    alone = stored(shop, [unit_id for unit_id, _ in again])
    assert {unit_id: (one.said, *rest) for unit_id, (one, *rest) in together.items()} == {
        unit_id[1:]: (one.said, *rest) for unit_id, (one, *rest) in alone.items()
    }


def test_what_is_known_is_the_same_and_stores_nothing(shop: Winnow, now: datetime) -> None:
    said = columns(shop, rows_of(["u1", "u2", *ODD_IDS]), now)
    shop.profiles.upsert_columns(said)
    with shop.open_unit_of_work(read_only=True) as work:
        before = work.profiles.revision()
    verdicts = shop.profiles.upsert_columns(said)
    assert (verdicts.new, verdicts.same, verdicts.others) == (0, 9, {})
    with shop.open_unit_of_work(read_only=True) as work:
        assert work.profiles.revision() == before


def test_who_is_known_is_judged_alone(shop: Winnow, now: datetime) -> None:
    shop.profiles.upsert_many(
        [
            ProfileChange(unit_id="later", source="crm", attributes={"city": "Ulm"}, at=now),
            ProfileChange(unit_id="above", source="own", attributes={"city": "Ulm"}, at=now),
            ProfileChange(unit_id="more", source="crm", attributes={"orders": 1}, at=now - DAY),
        ]
    )
    rows = [(name, {"city": "Bonn"}) for name in ("later", "new", "above", "twice", "more")]
    verdicts = shop.profiles.upsert_columns(columns(shop, [*rows, ("twice", {"city": "Aachen"})], now - DAY))
    assert (verdicts.new, verdicts.same) == (1, 0)
    assert {place: one.status for place, one in verdicts.others.items()} == {
        0: ChangeStatus.OUTDATED,
        2: ChangeStatus.ACCEPTED,
        3: ChangeStatus.ACCEPTED,
        4: ChangeStatus.ACCEPTED,
        5: ChangeStatus.OUTDATED,  # of one instant, the text that is the greater counts
    }
    found = {unit_id: one[1] for unit_id, one in stored(shop, [unit_id for unit_id, _ in rows]).items()}
    assert found == {
        "later": {"city": "Ulm"},
        "above": {"city": "Ulm"},
        "more": {"orders": 1, "city": "Bonn"},
        "twice": {"city": "Bonn"},
        "new": {"city": "Bonn"},
    }


def test_who_was_erased_since_stays_out(shop: Winnow, now: datetime, clock) -> None:
    rows = [("gone", {"city": "Bonn"}), ("here", {"city": "Bonn"})]
    shop.profiles.upsert_columns(columns(shop, rows, now))
    clock.advance(seconds=1)
    shop.eraser.erase("gone", actor="test")
    verdicts = shop.profiles.upsert_columns(columns(shop, rows, now))
    assert (verdicts.new, verdicts.same) == (0, 1)
    assert {place: one.status for place, one in verdicts.others.items()} == {0: ChangeStatus.OUTDATED}
    assert list(stored(shop, ["gone", "here"])) == ["here"]
    clock.advance(seconds=1)
    assert shop.profiles.upsert_columns(columns(shop, rows, clock.now)).new == 1


def test_values_that_were_checked_by_another_registry_are_checked_again(shop: Winnow, now: datetime) -> None:
    said = columns(shop, [("u1", {"city": "Bonn"}), ("u2", {"city": "Ulm"})], now)
    city = Attribute(key="city", name="city", type=AttributeType.TEXT, allowed=("Bonn",))
    shop.author.attributes.edit("city", city, expected_revision=1, actor="test")
    verdicts = shop.profiles.upsert_columns(said)
    assert verdicts.new == 0
    assert {place: (one.status, one.code) for place, one in verdicts.others.items()} == {
        0: (ChangeStatus.ACCEPTED, None),
        1: (ChangeStatus.REJECTED, "value_not_allowed"),
    }


def test_nobody_is_nobody(shop: Winnow, now: datetime) -> None:
    verdicts = shop.profiles.upsert_columns(columns(shop, [], now))
    assert (verdicts.new, verdicts.same, verdicts.others) == (0, 0, {})


def test_writers_of_the_same_new_units_lose_nothing(shop: Winnow, now: datetime, at_once) -> None:
    """Of three that import the same list at once one finds units new, and the others find them known."""
    rows = rows_of([f"u{number}" for number in range(40)])
    said = columns(shop, rows, now)

    def write(_place: int) -> tuple[int, int]:
        for _ in range(5):
            try:
                verdicts = shop.profiles.upsert_columns(said)
            except Unavailable:
                continue
            return verdicts.new, verdicts.same
        raise AssertionError("never let in")

    assert sorted(at_once(write, range(3))) == [(0, 40), (0, 40), (40, 0)]
