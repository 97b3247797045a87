"""Arms with hardly an event: when they can be told apart, and that nothing is foretold before."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.inference.sequential import mixture_scale, multiplier
from analysis.plan import Cell
from analysis.report import build
from tests.stats.builders import conversions, metric, moments_of, plan, table


@pytest.mark.parametrize(
    ("control", "outcome"),
    [
        pytest.param(19, "too_early", id="19 events: 9.5 expected of each"),
        pytest.param(20, "winner", id="20 events: 10 expected of each, and z is 4.5"),
    ],
)
def test_a_treatment_that_does_away_with_errors_wins(control: int, outcome: str) -> None:
    arms = {"a": conversions(control, 2_500), "b": conversions(0, 2_500)}
    question = plan(metric(direction="decrease"), tuned_for_units=5_000)
    report = build(question, table({(1, "all", key): {"visits": arm} for key, arm in arms.items()}))
    assert report.overall.verdict.outcome == outcome


def test_what_is_expected_is_that_of_the_smaller_arm() -> None:
    """90 events in 10,000 units, 1,000 of them b's: 9 are expected of b."""
    arms = {"a": conversions(90, 9_000), "b": conversions(0, 1_000)}
    uneven = Cell(epoch=1, segment="all", weights={"a": 9, "b": 1})
    report = build(plan(cells=[uneven]), table({(1, "all", key): {"visits": arm} for key, arm in arms.items()}))
    assert [(one.code, one.variant) for one in report.overall.findings if one.code.startswith("few")] == [
        ("few_conversions", "b")
    ]


def test_nothing_is_foretold_of_events_that_do_not_come() -> None:
    """12 events against none, six expected of each: were it tested, p would be .0005 and the answer near."""
    arms = {"a": conversions(12, 2_500), "b": conversions(0, 2_500)}
    report = build(plan(), table({(1, "all", key): {"visits": arm} for key, arm in arms.items()}))
    assert report.recommendation is not None
    assert report.recommendation.sentence.endswith("Let it run: more units with such events are needed.")
    assert report.recommendation.waits_for == "units"


@pytest.mark.parametrize("share", [0.5, 0.1], ids=["1:1", "1:9"])
def test_expected_events_are_enough_at_every_look(share: float) -> None:
    """Events one by one, each the treatment's with its share of the units, in A/A: .05 + 4·√(.05·.95/2000)."""
    rng, events = np.random.default_rng(3), np.arange(1, 401)
    rate, rho = 0.01, mixture_scale(0.05, 5_000)
    own = np.cumsum(rng.random((2_000, len(events))) < share, axis=1)
    z = (own - events * share) / np.sqrt(events * share * (1 - share) * (1 - rate))
    enough = events * min(share, 1 - share) >= 10
    bound = np.array([multiplier(units, 0.05, rho) for units in events / rate])
    assert ((np.abs(z) > bound) & enough).any(axis=1).mean() <= 0.0695


def test_a_cut_off_that_leaves_nothing_is_told() -> None:
    """Where 4% pay, the .95 quantile is 0: everybody counts as 0, and more of them will not change that."""
    arms = {(1, "all", key): {"visits": moments_of([0.0] * 1_000)} for key in "ab"}
    question = plan(metric(kind="mean", name="Revenue", winsor_quantile=0.95))
    report = build(question, table(arms, caps={"visits": 0.0}))
    assert report.recommendation is not None
    assert report.recommendation.waits_for == "nothing"
    assert "the cut-off of Revenue, its 0.95 quantile, is 0 and leaves nothing of it." in report.recommendation.sentence
