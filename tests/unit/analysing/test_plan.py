"""From an experiment to the question that the engine is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from analysis import plan as engine
from analysis.estimate import Interval
from experiments.domain import policy
from experiments.domain.adaptive import AdaptivePolicy
from experiments.domain.allocation import Allocation
from experiments.domain.covariate import Covariate
from experiments.domain.metric import Metric, MetricKind, MetricRole, MetricUse
from experiments.domain.policy import AnalysisPlan, Family, LiftPrior, Spending, StoppingRule
from experiments.services.analysing.looks import EarlierLooks, earlier_looks
from experiments.services.analysing.plan import canonical, plan_of
from tests.unit.builders import NOW, plan, running
from tests.unit.reports import UNDEFINED, report, scope

MEDIAN = Metric(key="order", name="Orders", kind=MetricKind.QUANTILE, event_name="purchase", quantile=0.5)
SPEND = Metric(
    key="spend",
    name="Spend",
    kind=MetricKind.MEAN,
    event_name="purchase",
    winsor_quantile=0.99,
    covariates=(Covariate(key="before", event_name="visit", lookback_seconds=60, counts_events=True, cap=9.0),),
)
GROUPED = AnalysisPlan(
    stopping_rule=StoppingRule.GROUP_SEQUENTIAL,
    family=Family.BONFERRONI,
    planned_units=40_000,
    spending=Spending.POCOCK,
    minimum_lift=0.03,
    novelty_days=7,
    post_stratified=True,
    lift_prior=LiftPrior(mean=0.01, std_dev=0.05),
)
UNITS = {None: (500, 900), "everyone": (500,)}
LOOKS = EarlierLooks(units=UNITS)


def planned(analysis: AnalysisPlan, looks: EarlierLooks | None = None) -> engine.Plan:
    uses = (
        MetricUse(metric=SPEND, role=MetricRole.PRIMARY),
        MetricUse(metric=MEDIAN, role=MetricRole.SECONDARY),
    )
    experiment = running(metrics=uses, analysis=analysis)
    return plan_of([experiment.current], None, NOW + timedelta(days=1), looks or EarlierLooks())


def test_everything_that_an_author_asks_for_reaches_the_engine() -> None:
    made = planned(GROUPED, LOOKS)
    assert made.looks == engine.Looks(planned_units=40_000, earlier_units=UNITS, shape="pocock")
    assert made.lift_prior == engine.EffectPrior(mean=0.01, std_dev=0.05)
    assert (made.family, made.minimum_lift, made.novelty_days, made.post_stratified) == ("bonferroni", 0.03, 7, True)
    spend, order = made.metrics
    assert (spend.winsor_quantile, order.quantile) == (0.99, 0.5)
    assert spend.covariates == (
        engine.Covariate(key="before", event_name="visit", lookback_seconds=60, counts_events=True, cap=9.0),
    )


def test_who_asks_for_nothing_gets_no_looks_no_prior_and_two_weeks_by_day() -> None:
    made = planned(AnalysisPlan())
    assert (made.looks, made.lift_prior, made.minimum_lift, made.novelty_days) == (None, None, None, 14)


def test_every_look_changes_the_hash_of_what_was_asked() -> None:
    reordered = EarlierLooks(units=dict(reversed(UNITS.items())))
    assert canonical(planned(GROUPED, LOOKS)) != canonical(
        planned(GROUPED, EarlierLooks(units={**UNITS, None: (500,)}))
    )
    assert canonical(planned(GROUPED, LOOKS)) == canonical(planned(GROUPED, reordered))
    assert '"all_together":[500,900]' in canonical(planned(GROUPED, LOOKS))


def test_what_stands_is_part_of_what_is_asked() -> None:
    found = EarlierLooks(units=UNITS, standing={None: (engine.Standing(treatment="b", baseline="a", p_value=0.01),)})
    looks = engine.Looks(planned_units=40_000, earlier_units=UNITS, standing=found.standing, shape="pocock")
    assert planned(GROUPED, found).looks == looks
    told = '{"baseline":"a","difference":null,"lift":null,"p_value":0.01,"treatment":"b"}'
    assert f'"standing":{{"all_together":[{told}],"segments":{{}}}}' in canonical(planned(GROUPED, found))
    assert "standing" not in canonical(planned(GROUPED, LOOKS))


def test_looks_are_what_stored_reports_had_each_once_and_ascending() -> None:
    first, second = report(scope("mens")), report(scope("mens"), scope("new"))
    for one, units in ((second["overall"], 4_500), (second["segments"][1], 0)):
        for arm in one["metrics"][0]["arms"]:
            arm["units"] = units
    assert earlier_looks([first, second, first]).units == {None: (9_000, 10_000), "mens": (10_000,)}
    assert earlier_looks([]) == EarlierLooks()


def test_the_last_look_that_decided_is_what_stands() -> None:
    """A later look that could not decide changes nothing; one that could takes its place."""
    shown, later, spent = (report(scope("mens", low=low)) for low in (0.1, 0.2, 0.3))
    for one in (spent["overall"], *spent["segments"]):
        one["metrics"][0]["comparisons"][0]["p_value_adjusted"] = UNDEFINED
    later["overall"]["metrics"][0]["comparisons"][0]["lift_in_family"] = UNDEFINED

    def found(low: float, *, lift: bool = True) -> tuple[engine.Standing]:
        ends = Interval(low=low, high=0.5, level=0.95, method="by hand")
        return (
            engine.Standing(treatment="b", baseline="a", p_value=0.0004, difference=ends, lift=ends if lift else None),
        )

    assert earlier_looks([shown]).standing == {None: found(0.1), "mens": found(0.1)}
    assert earlier_looks([shown, spent]).standing == earlier_looks([shown]).standing
    assert earlier_looks([shown, later, spent]).standing == {None: found(0.1, lift=False), "mens": found(0.2)}


@pytest.mark.parametrize("family", Family)
def test_every_family_is_known_to_the_engine_with_its_rule(family: Family) -> None:
    """The domain may not ask the engine: what both say is held together here."""
    rules = [rule for rule in StoppingRule if _fits(family, rule)]
    assert [planned(_plan(family, rule)).family for rule in rules] == [family.value] * len(rules)
    assert rules


def test_what_limits_the_chance_of_a_wrong_winner_is_the_same_in_both() -> None:
    assert {family.value for family in policy.FAMILYWISE} == engine.FAMILYWISE
    assert {family.value for family in Family} == set(get_args(engine.FamilyMethod))
    assert {rule.value for rule in StoppingRule} == set(get_args(engine.StoppingRule))
    assert {kind.value for kind in MetricKind} == set(get_args(engine.MetricKind))
    assert {shape.value for shape in Spending} == set(get_args(engine.SpendingShape))


def _fits(family: Family, rule: StoppingRule) -> bool:
    only = {Family.DUNNETT: StoppingRule.FIXED_HORIZON, Family.E_BENJAMINI_HOCHBERG: StoppingRule.ALWAYS_VALID}
    return only.get(family, rule) is rule


def _plan(family: Family, rule: StoppingRule) -> AnalysisPlan:
    units = 5_000 if rule is StoppingRule.GROUP_SEQUENTIAL else None
    return AnalysisPlan(family=family, stopping_rule=rule, planned_units=units)


def test_an_adaptive_cell_says_what_was_declared_until_it_is_promoted() -> None:
    started = running(adaptive=AdaptivePolicy(), segments=(plan(weights={"a": 1, "b": 3}),))
    moved = replace(started.definition.segments[0], allocation=Allocation.from_weights({"a": 4, "b": 6}))
    adapted = started.adapt([moved], by="worker", now=NOW + timedelta(days=1))
    promoted = adapted.replan(replace(moved, promoted="b", promotion="p"), by="ann", now=NOW + timedelta(days=2))
    versions = [started.current, adapted.current, promoted.current]
    cells = plan_of(versions[:2], None, NOW + timedelta(days=3)).cells
    assert [(cell.weights, cell.declared) for cell in sorted(cells, key=lambda cell: cell.epoch)] == [
        ({"a": 2_500.0, "b": 7_500.0}, {"a": 1.0, "b": 3.0}),
        ({"a": 4_000.0, "b": 6_000.0}, {"a": 1.0, "b": 3.0}),
    ]
    fixed = running(segments=(plan(weights={"a": 1, "b": 3}),))
    assert [cell.declared for cell in plan_of([fixed.current], None, NOW).cells] == [None]
    live = replace(promoted.current, epoch=3)
    latest = max(plan_of([*versions[:2], live], None, NOW + timedelta(days=3)).cells, key=lambda cell: cell.epoch)
    assert (latest.epoch, latest.declared) == (3, None)
