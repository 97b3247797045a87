"""A metric without a single event is said to have none, and no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from analysis.aggregate import aggregate
from analysis.moments import MomentTable
from analysis.report import build
from tests.stats.aggregating import one_arm
from tests.stats.builders import at, events, exposures, metric, plan


def _silent(rows: list[Any], *metrics: Any, **changes: Any) -> list[tuple[str, str]]:
    """Of 50 units in each arm, exposed at the start: metrics said to have no event, and what is said."""
    question = plan(*metrics, min_units=50, **changes)
    seen = [(f"u{i}", "ab"[i % 2], "all", 1, at(0)) for i in range(100)]
    findings = build(question, aggregate(exposures(seen), events(rows), question)).findings
    return [(one.metric or "", one.message) for one in findings if one.code == "no_events"]


SPEND = {"kind": "mean", "event_name": "order"}


@pytest.mark.parametrize(
    ("value", "seconds", "changes"),
    [
        pytest.param(0.0, 5, {}, id="zeros"),
        pytest.param(float("nan"), 5, {}, id="NaN"),
        pytest.param(None, 5, {}, id="null"),
        pytest.param(0.0, 500, {"window_seconds": 60}, id="after the windows"),
        pytest.param(7.0, 5, {"winsor_quantile": 0.9}, id="cut off at 0"),
        pytest.param(1.0, 5, {"kind": "quantile", "quantile": 0.5, "event_name": "visit"}, id="rows"),
        pytest.param(0.0, 5, {"kind": "quantile", "quantile": 0.5}, id="rows of 0"),
    ],
)
def test_a_metric_that_has_an_event_is_not_said_to_have_none(value: float, seconds: int, changes: Any) -> None:
    one = metric(**{**SPEND, **changes})
    rows = [("u1", one.event_name, value, at(seconds)), ("u2", one.event_name, value, at(seconds))]
    assert _silent(rows, one, watermark_at=at(1_000)) == []


def test_who_bought_and_sent_it_back_had_events() -> None:
    rows = [("u1", "order", 5.0, at(1)), ("u1", "order", -5.0, at(2))]
    assert _silent(rows, metric(**SPEND)) == []


def test_while_all_windows_are_open_nothing_is_missed() -> None:
    """Not where there are events already, nor where there are none yet."""
    one = metric(window_seconds=3_600)
    assert _silent([("u1", "visit", None, at(5))], one, watermark_at=at(60)) == []
    assert _silent([], one, watermark_at=at(60)) == []


def test_events_of_nobody_or_of_before_or_of_another_name_are_none_of_the_metric() -> None:
    metrics = metric(window_seconds=60), metric(**SPEND, key="spend", role="secondary")
    rows = [("elsewhere", "visit", None, at(5)), ("u1", "visit", None, at(-5)), ("u1", "Order", 3.0, at(5))]
    found = _silent(rows, *metrics, watermark_at=at(1_000))
    question = (
        "came from any of the 100 units after their exposure: is its name right, are ids the same in both tables, and "
        "are exposures in time?"
    )
    assert found == [
        ("visits", f"No event visit of visits {question}"),
        ("spend", f"No event order of spend {question}"),
    ]


def test_how_many_events_a_metric_of_zeros_has_is_kept_and_adds_up() -> None:
    one = metric(**SPEND)
    found = one_arm(one, ["u"], [("u", "order", 0.0, at(1)), ("u", "order", 0.0, at(2))])
    assert found.events == {"visits": 2}
    assert MomentTable.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert (found + one_arm(one, ["v"], [("v", "order", None, at(1))])).events == {"visits": 3}
    assert one_arm(one, ["u"], [("u", "order", 1.0, at(1))]).events == {}
