"""Beliefs in the report: chances, segments that borrow from one another, and whom to show what."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from analysis.estimate import Belief
from analysis.plan import Cell, EffectPrior
from analysis.report import build
from tests.stats.builders import comparison, conversions, metric, plan, segment, table
from tests.stats.exact_means import mean_with, means


def test_nobody_is_shown_what_is_worse_or_not_on_offer_for_them() -> None:
    """b wins over all and in 19 segments; in the last it is worse than the control, and c forbids a verdict."""
    names = tuple(f"s{number:02d}" for number in range(20))
    rates = {"a": 0.10, "b": 0.108, "c": 0.10}
    arms = {}
    for name in names:
        n, of = (4_000, rates | {"b": 0.06}) if name == "s19" else (200_000, rates)
        for arm, rate in of.items():
            arms[1, name, arm] = {"visits": conversions(round(rate * n), n)}
    found = build(plan(variants=("a", "b", "c"), segments=names), table(arms))
    assert found.overall.verdict.variant == "b"
    assert found.recommendation is not None
    assert found.recommendation.advice == "per_segment"
    cells = [
        Cell(epoch=1, segment="adults", weights={"a": 1, "b": 1}),
        Cell(epoch=1, segment="kids", weights={"a": 1, "b": 0}),
    ]
    arms = {(1, "adults", arm): {"visits": conversions(x, 20_000)} for arm, x in (("a", 2_000), ("b", 2_600))}
    arms[1, "kids", "a"] = {"visits": conversions(500, 5_000)}
    found = build(plan(segments=("adults", "kids"), cells=cells), table(arms))
    assert found.recommendation is not None
    assert found.recommendation.advice == "per_segment"
    assert found.recommendation.winners == (("adults", "b"),)


def test_three_arms_with_a_prior_have_no_chances_of_a_flat_one() -> None:
    arms = {(1, "all", arm): {"visits": conversions(x, 2_000)} for arm, x in (("a", 200), ("b", 230), ("c", 215))}
    question = plan(variants=("a", "b", "c"), lift_prior=EffectPrior(mean=0.0, std_dev=0.001))
    found = segment(build(question, table(arms)))
    assert found.metrics[0].beliefs == ()
    belief = comparison(found).belief
    assert isinstance(belief, Belief)
    assert 0.5 < belief.chance_to_beat < 0.52


def test_chances_of_the_reference_posteriors() -> None:
    """Beta(121, 1881) and Beta(141, 1861): P .899842, losses 3.70776e-04 choosing b and .0103608 choosing a."""
    found = segment(
        build(
            plan(),
            table(
                {
                    (1, "all", "a"): {"visits": conversions(120, 2000)},
                    (1, "all", "b"): {"visits": conversions(140, 2000)},
                }
            ),
        )
    )
    belief = comparison(found).belief
    assert isinstance(belief, Belief)
    assert belief.chance_to_beat == pytest.approx(0.899842, abs=5e-7)
    assert belief.loss_if_treatment == pytest.approx(3.70776e-4, rel=2e-6)
    assert belief.loss_if_baseline == pytest.approx(0.0103608, rel=2e-6)
    arms = found.metrics[0].beliefs
    assert [arm.variant for arm in arms] == ["a", "b"]
    assert [arm.chance_to_be_best for arm in arms] == pytest.approx([1 - 0.899842, 0.899842], abs=5e-7)
    assert [arm.expected_loss for arm in arms] == pytest.approx([0.0103608, 3.70776e-4], rel=2e-6)


def test_chances_of_three_means_add_up_and_order_as_they_should() -> None:
    found = segment(means((10, 0.1), (10.1, 0.1), (10.3, 0.1)))
    chances = [arm.chance_to_be_best for arm in found.metrics[0].beliefs]
    assert sum(chances) == pytest.approx(1.0)
    assert chances == sorted(chances)
    rng = np.random.default_rng(1)
    drawn = rng.normal([10, 10.1, 10.3], 0.1, (400_000, 3)).argmax(axis=1)
    assert chances == pytest.approx(np.bincount(drawn) / 400_000, abs=4e-3)


SCHOOLS = ((28, 15), (8, 10), (-3, 16), (7, 11), (-1, 9), (1, 11), (18, 10), (12, 18))


def test_eight_schools_as_segments() -> None:
    """Rubin 1981: Q 4.70708 on 7 degrees, pooled 7.68562 ± 4.07192."""
    names = tuple("ABCDEFGH")
    arms = {}
    for name, (effect, error) in zip(names, SCHOOLS, strict=True):
        arms[1, name, "a"] = {"visits": mean_with(500.0, error / sqrt(2))}
        arms[1, name, "b"] = {"visits": mean_with(500.0 + effect, error / sqrt(2))}
    found = build(plan(metric(kind="mean"), segments=names), table(arms))
    (row,) = found.segment_comparisons
    assert (row.treatment, row.baseline, row.degrees_of_freedom) == ("b", "a", 7)
    assert row.q == pytest.approx(4.70708, abs=5e-6)
    assert row.pooled.value == pytest.approx(7.68562, abs=5e-6)
    assert row.pooled.std_error == pytest.approx(4.07192, abs=5e-6)
    assert row.tau == 0.0
    assert not row.differ
    assert [one.segment for one in row.segments] == list(names)
    assert [one.raw for one in row.segments] == pytest.approx([effect for effect, _ in SCHOOLS])
    assert found.recommendation is not None
    assert found.recommendation.advice == "wait"


def test_one_winner_for_all_where_segments_do_not_differ() -> None:
    arms = {
        (1, name, arm): {"visits": conversions(x, 20_000)}
        for name in ("new", "old")
        for arm, x in (("a", 2_000), ("b", 2_600))
    }
    found = build(plan(segments=("new", "old"), variant_names={"b": "Bold"}), table(arms))
    advice = found.recommendation
    assert advice is not None
    assert (advice.advice, advice.variant) == ("one_for_all", "b")
    assert "Bold" in advice.sentence


def test_winners_of_their_own_where_segments_contradict() -> None:
    arms = {
        (1, name, arm): {"visits": conversions(x, 20_000)}
        for name, treated in (("new", 2_600), ("old", 1_500))
        for arm, x in (("a", 2_000), ("b", treated))
    }
    found = build(plan(segments=("new", "old")), table(arms))
    assert found.segment_comparisons[0].differ
    assert found.recommendation is not None
    assert found.recommendation.advice == "per_segment"
    assert found.recommendation.winners == (("new", "b"), ("old", "a"))
