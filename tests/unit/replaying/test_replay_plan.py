"""What a plan document says, and what is refused in it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from experiments.domain.covariate import Covariate
from experiments.domain.definition import Randomisation
from experiments.domain.errors import InvalidInput
from experiments.domain.metric import Metric, MetricKind, MetricRole
from experiments.domain.policy import AnalysisPlan, Family, LiftPrior, Spending, StoppingRule
from experiments.services.authoring.wishes import MetricWish, SegmentWish
from experiments.services.replaying.plan import OutcomeColumn, read_plan
from tests.unit.replaying.replays import PLAN, edited

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_a_plan_is_an_experiment_that_somebody_else_split() -> None:
    plan = read_plan(PLAN)
    assert plan.wish.randomisation is Randomisation.EXTERNAL
    assert [(variant.key, variant.is_control) for variant in plan.wish.variants] == [("old", True), ("new", False)]
    assert plan.wish.segments == (
        SegmentWish(segment="mens", weights={"old": 2, "new": 1}),
        SegmentWish(segment="rich", weights={"old": 1, "new": 1}),
        SegmentWish(segment="everyone", weights={"old": 2, "new": 1}),
    )
    assert plan.wish.metrics[1] == MetricWish(metric="spend", role=MetricRole.GUARDRAIL, margin_lift=0.1)
    assert plan.metrics[1] == Metric(key="spend", name="Spend", kind=MetricKind.MEAN, event_name="spend", cap=500)
    assert plan.outcomes == (OutcomeColumn(column="visit", is_flag=True), OutcomeColumn(column="spend", is_flag=False))
    assert plan.variants_by_value == {"Old": "old", "New": "new"}
    assert plan.columns == ("arm", "mens", "history", "channel", "visit", "spend")
    assert plan.wish.analysis.minimum_units == 20


def test_another_key_is_another_plan() -> None:
    assert read_plan(PLAN, key="autumn").wish.key == "autumn"
    assert read_plan(PLAN, key="autumn").sha256 != read_plan(PLAN).sha256 == read_plan(PLAN).sha256


def test_a_conversion_on_a_column_of_numbers_takes_any_number() -> None:
    plan = read_plan(edited("metrics", 0, "column", to="spend"))
    assert plan.outcomes == (OutcomeColumn(column="spend", is_flag=False),)


@pytest.mark.parametrize(
    ("document", "code", "path"),
    [
        (edited("experimnt", to={}), "field_unknown", "/experimnt"),
        (edited("experiment", "kee", to="x"), "field_unknown", "/experiment/kee"),
        (edited("experiment", "key", to=""), "field_missing", "/experiment/key"),
        (edited("experiment", "weights", to=[1]), "weights_count", "/experiment/weights"),
        (edited("segments", 1, "weights", to=[1, 2, 3]), "weights_count", "/segments/1/weights"),
        (edited("segments", 0, "key", to="everyone"), "key_reserved", "/segments/0/key"),
        (edited("segments", 0, "condition", to={"$a": 1}), "condition_unknown_operator", "/segments/0/condition/$a"),
        (edited("variants", 1, "value", to="Old"), "value_repeated", "/variants/1/value"),
        (edited("variants", 0, "key", to="two words"), "key_invalid", "/variants/0/key"),
        (edited("variants", to={}), "field_missing", "/variants"),
        (edited("file", "variant", to=None), "field_missing", "/file/variant"),
        (edited("attributes", "mens", to="bool"), "attribute_kind", "/attributes/mens"),
        (edited("metrics", 0, "kind", to="count"), "kind_unfit", "/metrics/0/kind"),
        (edited("metrics", 0, "role", to="main"), "value_unknown", "/metrics/0/role"),
        (edited("metrics", 1, "cap", to=-1), "cap_invalid", "/metrics/1/cap"),
        (edited("metrics", 1, "cap", to="much"), "plan_invalid", "/metrics/1"),
        (edited("metrics", 1, "winsor_quantile", to=0.99), "winsor_unwanted", "/metrics/1/winsor_quantile"),
        (edited("metrics", 1, "covariates", to=["visit"]), "covariate_unfit", "/metrics/0/column"),
        (edited("metrics", 1, "covariates", to=["a b"]), "key_invalid", "/metrics/1/covariates/0/key"),
        (
            edited("analysis", "stopping_rule", to="group_sequential"),
            "planned_units_missing",
            "/analysis/planned_units",
        ),
        (edited("analysis", "spending", to="all"), "value_unknown", "/analysis/spending"),
        (edited("analysis", "lift_prior", to={"mean": 0}), "plan_invalid", "/analysis/lift_prior"),
        (
            edited("analysis", "lift_prior", to={"mean": 0, "std_dev": 0}),
            "prior_invalid",
            "/analysis/lift_prior/std_dev",
        ),
        (edited("analysis", "alpha", to=2), "alpha_invalid", "/analysis/alpha"),
        (edited("analysis", "beta", to=2), "plan_invalid", "/analysis"),
        (edited("analysis", "family", to="none"), "value_unknown", "/analysis/family"),
        (edited("promotion", to={"holdback_bp": 0}), "holdback_invalid", "/promotion/holdback_bp"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_where_it_stands(document: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_plan(document)
    assert (refusal.value.code, refusal.value.path) == (code, path)


def test_what_is_asked_of_metrics_and_of_the_analysis_is_read() -> None:
    document = edited("metrics", 1, to={
        "key": "spend", "kind": "mean", "role": "primary", "winsor_quantile": 0.99, "covariates": ["history"],
    })  # fmt: skip
    document["metrics"][0].update(role="secondary", kind="quantile", quantile=0.9, column="basket")
    document["analysis"] = {
        "stopping_rule": "group_sequential", "planned_units": 900, "spending": "pocock", "family": "bonferroni",
        "minimum_lift": 0.02, "lift_prior": {"mean": 0.0, "std_dev": 0.1},
    }  # fmt: skip
    plan = read_plan(document)
    assert plan.metrics[1].covariates == (Covariate(key="history", event_name="history", lookback_seconds=1),)
    assert (plan.metrics[0].quantile, plan.metrics[1].winsor_quantile) == (0.9, 0.99)
    assert plan.outcomes == (
        OutcomeColumn(column="basket", is_flag=False),
        OutcomeColumn(column="history", is_flag=False, is_before=True),
        OutcomeColumn(column="spend", is_flag=False),
    )
    assert plan.wish.analysis == AnalysisPlan(
        stopping_rule=StoppingRule.GROUP_SEQUENTIAL,
        planned_units=900,
        spending=Spending.POCOCK,
        family=Family.BONFERRONI,
        minimum_lift=0.02,
        lift_prior=LiftPrior(mean=0.0, std_dev=0.1),
    )


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.toml")))
def test_the_examples_are_plans(example: str) -> None:
    plan = read_plan(tomllib.loads((EXAMPLES / example).read_text()))
    assert plan.wish.key == example.removesuffix(".toml")
