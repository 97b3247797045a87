"""A state that follows events gives the row that all events together give."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from functools import reduce
from operator import add
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentation.behaviour.cuts import Cuts
from segmentation.behaviour.histories import Histories
from segmentation.behaviour.history import History
from segmentation.behaviour.lifecycle import Lifecycle
from segmentation.behaviour.purchases import customers
from segmentation.behaviour.rfm import Rfm, rfm
from segmentation.behaviour.single import behaviour
from segmentation.refusal import Refused
from tests.customers.builders import Purchase, on, purchases

NOW = on("2026-03-10", "08:30:00")
CUTS = Cuts(recency_days=(1, 10, 60, 300), frequency=(1, 2, 3, 5), monetary_cents=(0, 100, 5_000, 100_000))
_FIELDS = [field.name for field in fields(History)]
STAGES = Lifecycle(new_days=20, active_days=30, cooling_days=120)

# Near midnight, far away, and just now; values on and beside halves of a cent.
_instants = st.one_of(
    st.integers(0, 400 * 86_400_000_000).map(lambda back: NOW - timedelta(microseconds=back)),
    st.integers(0, 400).map(lambda back: on("2026-03-10") - timedelta(days=back)),
    st.just(NOW),
)
_values = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-10_000, 10_000_000).map(lambda n: n / 100),
    st.integers(-999, 999).map(lambda n: n / 1_000),
)
_rows = st.lists(st.tuples(st.sampled_from("abcdefgh"), _instants, _values), min_size=1, max_size=60)


def state_of(rows: list[Purchase]) -> History:
    return reduce(add, (History.of(at, value) for _, at, value in rows if at is not None))


@settings(max_examples=15)
@given(_rows, st.randoms(use_true_random=False))
def test_following_events_is_the_same_as_computing_everybody_anew(rows: list[Purchase], random: Any) -> None:
    found = rfm(purchases(rows), NOW, cuts=CUTS, lifecycle=STAGES)
    assert isinstance(found, Rfm)
    shuffled = random.sample(rows, len(rows))
    for row in found.rows.to_pylist():
        state = state_of([one for one in shuffled if one[0] == row["unit_id"]])
        assert (state.first_at, state.last_at, state.previous_at) == (
            row["first_at"],
            row["last_at"],
            row["previous_at"],
        )
        assert state.unvalued == row["unvalued"]
        one = behaviour(state, NOW, CUTS, lifecycle=STAGES)
        assert (one.recency_days, one.frequency) == (row["recency_days"], row["frequency"])
        assert (one.monetary_cents, one.average_cents) == (row["monetary_cents"], row["average_cents"])
        assert (one.scores.r, one.scores.f, one.scores.m) == (row["r_score"], row["f_score"], row["m_score"])
        assert (one.rfm_group, one.stage) == (row["rfm_group"], row["stage"])


_states = st.lists(st.tuples(st.just("a"), _instants, _values), min_size=1, max_size=6).map(state_of)


@given(_states, _states, _states)
def test_states_merge_in_any_order(a: History, b: History, c: History) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)


def test_recency_goes_on_without_events() -> None:
    state = History.of(on("2026-03-01"), 10.0)
    assert [state.recency_days(on("2026-03-01") + timedelta(hours=hours)) for hours in (0, 23, 24, 49)] == [0, 0, 1, 2]
    days = ("2026-03-21", "2026-03-22", "2026-04-01", "2026-06-29", "2026-06-30")
    stages = [behaviour(state, on(day), CUTS, lifecycle=STAGES).stage for day in days]
    assert stages == ["new", "active", "cooling", "cooling", "lapsed"]


def test_an_instant_before_the_last_purchase_is_refused() -> None:
    state = History.of(on("2026-03-02"), 1.0)
    with pytest.raises(Refused) as refused:
        state.recency_days(on("2026-03-01"))
    assert refused.value.code == "instant_before_last_purchase"


@pytest.mark.parametrize(
    ("bought", "now", "stage"),
    [
        (("2025-01-01", "2025-05-02"), "2025-05-10", "won_back"),
        (("2025-01-01", "2025-05-01"), "2025-05-10", "active"),
        (("2025-01-01", "2025-05-02"), "2025-06-01", "won_back"),
        (("2025-01-01", "2025-05-02"), "2025-06-02", "cooling"),
        (("2025-01-01", "2025-05-02", "2025-05-03"), "2025-05-10", "active"),
        (("2025-01-01", "2025-05-02", "2025-05-02"), "2025-05-10", "won_back"),
        (("2025-01-01",), "2025-01-21", "new"),
        (("2025-01-01", "2025-01-15"), "2025-01-22", "active"),
    ],
    ids=[
        "after 121 days", "after 120 days", "still fresh", "not fresh any more", "came again", "twice on one day",
        "new to the end", "not new",
    ],
)  # fmt: skip
def test_stages(bought: tuple[str, ...], now: str, stage: str) -> None:
    state = state_of([("a", on(day), 1.0) for day in bought])
    assert behaviour(state, on(now), CUTS, lifecycle=STAGES).stage == stage


@pytest.mark.parametrize("days", [(31, 30, 120), (20, 120, 120), (-1, 30, 120)])
def test_rules_that_contradict_each_other_are_refused(days: tuple[int, int, int]) -> None:
    with pytest.raises(Refused) as refused:
        Lifecycle(new_days=days[0], active_days=days[1], cooling_days=days[2])
    assert refused.value.code == "stages_not_ascending"


def test_stages_need_days() -> None:
    with pytest.raises(Refused) as refused:
        STAGES.staged(customers(purchases([("a", NOW, 1.0)]), NOW), NOW)
    assert refused.value.code == "missing_columns"


@settings(max_examples=50)
@given(_rows)
def test_all_at_once_is_their_sum(rows: list[Purchase]) -> None:
    given_at = [(at, value) for _, at, value in rows if at is not None]
    assert History.of_all(given_at) == state_of(rows)


def columns_of(rows: list[Purchase]) -> Histories:
    unit_ids, instants, values = zip(*rows, strict=True)
    return Histories.of_purchases(unit_ids, instants, values)


@given(_rows, _rows)
def test_states_of_many_are_the_states_of_each(before: list[Purchase], rows: list[Purchase]) -> None:
    """As columns: of purchases alone, and added to what was known of some."""
    known = {unit_id: state_of([one for one in before if one[0] == unit_id]) for unit_id, _, _ in before}
    joined = Histories.of_states(list(known), list(known.values())) + columns_of(rows)
    for found, wanted in ((columns_of(rows), rows), (joined, [*before, *rows])):
        states = {unit_id: History(**dict(zip(_FIELDS, row, strict=True))) for unit_id, *row in found.rows()}
        assert states == {unit_id: state_of([one for one in wanted if one[0] == unit_id]) for unit_id, _, _ in wanted}


def test_sums_of_many_leave_64_bits_behind() -> None:
    state = History(first_at=NOW, last_at=NOW, monetary_cents=2**62)
    double = Histories.of_states(["a", "b"], [state, state]) + Histories.of_states(["b"], [state])
    assert [row[-1] for row in double.rows()] == [2**62, 2**63]


def test_nobody_has_no_history() -> None:
    nobody = Histories.of_purchases([], [], [])
    assert list((nobody + nobody).rows()) == []
    assert list((nobody + Histories.of_states(["a"], [History.of(NOW, 1.0)])).rows()) == [
        ("a", NOW, NOW, None, 1, 0, 100)
    ]
