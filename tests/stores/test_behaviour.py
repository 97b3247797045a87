"""What was found by following the log: rows of customers, who is due, and the place that was reached."""

from __future__ import annotations

from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from experiments.domain.purchases import Followed, Purchases

DAY = timedelta(days=1)


@pytest.fixture
def row(now):
    def build(unit_id="u1", **changes):
        one = Purchases(
            unit_id=unit_id,
            first_at=now - 9 * DAY,
            last_at=now,
            previous_at=now - 2 * DAY,
            frequency=3,
            unvalued=1,
            monetary_cents=-(2**62),
            due_at=now + DAY,
        )
        return replace(one, **changes)

    return build


def test_rows_come_back_equal_and_are_replaced(do, row, now):
    berlin = timezone(timedelta(hours=2))
    first = row("Zoë/…", first_at=datetime(2026, 1, 5, 10, 0, 0, 7, tzinfo=berlin), previous_at=None)
    do(lambda work: work.behaviour.put([first, row("u2")]))
    found = do(lambda work: work.behaviour.some(["u2", "u3", "Zoë/…"]))
    assert found == {"Zoë/…": first, "u2": row("u2")}
    assert found["Zoë/…"].first_at == datetime(2026, 1, 5, 8, 0, 0, 7, tzinfo=UTC)
    do(lambda work: work.behaviour.put([row("u2", frequency=4)]))
    do(lambda work: work.behaviour.remove(["Zoë/…", "nobody"]))
    assert do(lambda work: work.behaviour.some(["u2", "Zoë/…"])) == {"u2": row("u2", frequency=4)}


def test_more_rows_than_one_statement_names(do, row):
    do(lambda work: work.behaviour.put([row(f"u{number}", frequency=number + 1) for number in range(1_201)]))
    found = do(lambda work: work.behaviour.some([f"u{number}" for number in range(0, 2_402, 2)]))
    assert {unit_id: one.frequency for unit_id, one in found.items()} == {
        f"u{number}": number + 1 for number in range(0, 1_201, 2)
    }


def test_what_is_not_committed_never_was(open_unit_of_work, do, row):
    with open_unit_of_work() as work:
        work.behaviour.put([row()])
        work.behaviour.advance(replace(work.behaviour.take(), event_id=7))
    assert do(lambda work: work.behaviour.some(["u1"])) == {}
    assert do(lambda work: work.behaviour.followed()) == Followed()


def test_who_is_due(do, row, now):
    later = [
        row("a", due_at=now + DAY),
        row("b", due_at=now),
        row("c", due_at=now - DAY),
        row("d", due_at=now - 2 * DAY),
    ]
    do(lambda work: work.behaviour.put(later))

    def due(at, most=9):
        return [one.unit_id for one in do(lambda work: work.behaviour.due(at, most=most))]

    assert due(now) == ["d", "c", "b"]
    assert due(now, most=2) == ["d", "c"]
    assert due(now - timedelta(microseconds=1)) == ["d", "c"]
    do(lambda work: work.behaviour.make_all_due(now - 3 * DAY))
    assert sorted(due(now - 3 * DAY)) == ["a", "b", "c", "d"]


def test_who_is_due_can_be_put_off(do, row, now):
    do(lambda work: work.behaviour.put([row("Zoë", due_at=now), row("b", due_at=now), row("c", due_at=now)]))
    do(lambda work: work.behaviour.postpone({"Zoë": now + DAY, "b": now + timedelta(microseconds=1)}))
    do(lambda work: work.behaviour.postpone({}))
    assert do(lambda work: work.behaviour.some(["Zoë", "b", "c"])) == {
        "Zoë": row("Zoë", due_at=now + DAY),
        "b": row("b", due_at=now + timedelta(microseconds=1)),
        "c": row("c", due_at=now),
    }


def test_counting_from_the_start_keeps_who_it_was(do, row, now):
    do(lambda work: work.behaviour.put([row("u1"), row("u2", previous_at=None)]))
    assert do(lambda work: work.behaviour.count(most=9)) == 2
    assert do(lambda work: work.behaviour.count(most=1)) == 1
    do(lambda work: work.behaviour.restart(now))
    nothing = row("u1", frequency=0, unvalued=0, monetary_cents=0, previous_at=None, due_at=now)
    assert do(lambda work: work.behaviour.some(["u1", "u2"])) == {"u1": nothing, "u2": replace(nothing, unit_id="u2")}
    assert do(lambda work: work.behaviour.count(most=9)) == 0
    assert [one for batch in do(lambda work: list(work.behaviour.numbers())) for one in batch] == []


def test_numbers_are_of_customers(do, row, now):
    do(lambda work: work.behaviour.put([row("u1", monetary_cents=5), row("u2", frequency=0), row("u3", frequency=1)]))
    found = [one for batch in do(lambda work: list(work.behaviour.numbers())) for one in batch]
    assert sorted(found, key=lambda one: -one[1]) == [(now, 3, 5), (now, 1, -(2**62))]
    states = [one for batch in do(lambda work: list(work.behaviour.states())) for one in batch]
    first_at, previous_at = now - 9 * DAY, now - 2 * DAY
    assert sorted(states, key=lambda one: -one[3]) == [
        (first_at, now, previous_at, 3, 1, 5),
        (first_at, now, previous_at, 1, 1, -(2**62)),
    ]


def test_the_place_that_was_reached(do, now):
    assert do(lambda work: work.behaviour.followed()) == Followed()
    cuts = {"recency_days": (1, 2), "frequency": (3, 4), "monetary_cents": (-5, 2**62)}
    may_say = {"orders": (), "rfm_group": ("new", "lost")}
    reached = Followed(names=("a", "b"), event_id=2**62, may_say=may_say, cuts=cuts, cuts_at=now, cuts_customers=9)
    do(lambda work: work.behaviour.advance(reached))
    assert do(lambda work: work.behaviour.take()) == reached
    forecast = {"purchases": {"r": 0.243, "alpha": 4.414}, "amounts": {"undefined": "zero_variance"}}
    do(lambda work: work.behaviour.advance(replace(reached, forecast=forecast)))
    assert do(lambda work: work.behaviour.followed()) == replace(reached, forecast=forecast)
    do(lambda work: work.behaviour.advance(replace(reached, cuts=None, cuts_at=None)))
    assert do(lambda work: work.behaviour.followed()) == replace(reached, cuts=None, cuts_at=None)


def test_named_events_in_order_of_id(do, event, now):
    purchases = [event(f"e{number}", f"u{number}", value=None if number % 2 else 1.5) for number in range(4)]
    do(lambda work: work.log.append_events([*purchases, event("other", name="visit")], received_at=now))
    found = do(lambda work: work.log.named(["purchase"], above=0, upto=99, most=9))
    assert {(unit_id, value, at) for _, unit_id, value, at in found} == {
        (f"u{number}", None if number % 2 else 1.5, now) for number in range(4)
    }
    ids = [row[0] for row in found]
    assert ids == sorted(ids)
    assert do(lambda work: work.log.named(["purchase"], above=ids[0], upto=ids[2], most=9)) == found[1:3]
    assert do(lambda work: work.log.named(["purchase"], above=0, upto=99, most=2)) == found[:2]
    assert len(do(lambda work: work.log.named(["purchase", "visit"], above=0, upto=99, most=9))) == 5
    assert list(do(lambda work: work.log.named([], above=0, upto=99, most=9))) == []


def test_values_in_the_order_of_the_fields_are_a_row(row):
    assert Purchases.of(astuple(row())) == row()
