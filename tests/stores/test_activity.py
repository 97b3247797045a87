"""What was counted by day: rows of units, who is due, and the place that was reached."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.domain.activity import UnitActivity
from experiments.domain.followed import Place

DAY = timedelta(days=1)


@pytest.fixture
def row(now):
    def build(unit_id="u1", **changes):
        one = UnitActivity(unit_id=unit_id, by_day={20_458: 3, 20_431: 2**40}, due_at=now + DAY)
        return replace(one, **changes)

    return build


def test_rows_come_back_equal_and_are_replaced(do, row, now):
    first = row("Zoë/…\\", by_day={-1: 1, 0: 2})
    do(lambda work: work.activity.put([first, row("u2"), row("u3")]))
    assert do(lambda work: work.activity.some(["u2", "u4", "Zoë/…\\"])) == {"Zoë/…\\": first, "u2": row("u2")}
    do(lambda work: work.activity.put([row("u2", by_day={})]))
    do(lambda work: work.activity.remove(["Zoë/…\\", "nobody"]))
    assert do(lambda work: work.activity.some(["u2", "Zoë/…\\"])) == {"u2": row("u2", by_day={})}
    do(lambda work: work.activity.postpone({"u2": now}))
    assert do(lambda work: work.activity.due(now, most=9)) == (row("u2", by_day={}, due_at=now),)


def test_more_rows_than_one_statement_names(do, row):
    do(lambda work: work.activity.put([row(f"u{number}", by_day={7: number + 1}) for number in range(601)]))
    found = do(lambda work: work.activity.some([f"u{number}" for number in range(0, 1_202, 2)]))
    assert {unit_id: one.by_day[7] for unit_id, one in found.items()} == {
        f"u{number}": number + 1 for number in range(0, 601, 2)
    }


def test_what_is_not_committed_never_was(open_unit_of_work, do, row):
    with open_unit_of_work() as work:
        work.activity.put([row()])
        work.activity.advance(replace(work.activity.take(), event_id=7))
    assert do(lambda work: work.activity.some(["u1"])) == {}
    assert do(lambda work: work.activity.followed()) == Place()


def test_who_is_due(do, row, now):
    ago = {"a": -DAY, "b": 0 * DAY, "c": DAY, "d": 2 * DAY}
    do(lambda work: work.activity.put([row(unit_id, due_at=now - by) for unit_id, by in ago.items()]))

    def due(at, most=9):
        return [one.unit_id for one in do(lambda work: work.activity.due(at, most=most))]

    assert due(now) == ["d", "c", "b"]
    assert due(now, most=2) == ["d", "c"]
    assert due(now - timedelta(microseconds=1)) == ["d", "c"]
    do(lambda work: work.activity.make_all_due(now - 3 * DAY))
    assert sorted(due(now - 3 * DAY)) == ["a", "b", "c", "d"]


def test_counting_from_the_start_keeps_who_it_was(do, row, now):
    do(lambda work: work.activity.put([row("u1"), row("u2")]))
    do(lambda work: work.activity.restart(now))
    nothing = row("u1", by_day={}, due_at=now)
    assert do(lambda work: work.activity.some(["u1", "u2"])) == {"u1": nothing, "u2": replace(nothing, unit_id="u2")}


def test_the_place_that_was_reached(do):
    may_say = {"level": ("light", "heavy"), "days": (), "scores": (1, 2.5)}
    reached = Place(names=("a", "b"), event_id=2**62, identity_revision=2**61, may_say=may_say)
    do(lambda work: work.activity.advance(reached))
    assert do(lambda work: work.activity.take()) == reached
    assert do(lambda work: work.activity.followed()) == reached
