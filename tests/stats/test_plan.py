"""A plan that contradicts itself cannot be built, and says so with a stable code."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from analysis.plan import Cell, PlanError
from tests.stats.builders import at, metric, plan

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001


def cell(**changes: Any) -> Cell:
    return Cell(**{"epoch": 1, "segment": "all", "weights": {"a": 1.0, "b": 1.0}} | changes)


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("metric_kind", lambda: metric(kind="conversions")),
        ("metric_role", lambda: metric(role="main")),
        ("metric_event", lambda: metric(event_name=None)),
        ("metric_event", lambda: metric(kind="ratio", denominator_event_name="")),
        ("metric_denominator", lambda: metric(kind="ratio")),
        ("metric_denominator", lambda: metric(denominator_event_name="x")),
        ("metric_denominator", lambda: metric(kind="mean", numerator_counts_events=True)),
        ("metric_window", lambda: metric(window_seconds=0)),
        ("metric_cap", lambda: metric(kind="mean", cap=0.0)),
        ("metric_cap", lambda: metric(kind="mean", cap=float("nan"))),
        ("metric_cap", lambda: metric(cap=1.0)),
        ("metric_margin", lambda: metric(margin_lift=-0.01)),
        ("cell_weights", lambda: cell(weights={})),
        ("cell_weights", lambda: cell(weights={"a": 0.0})),
        ("cell_weights", lambda: cell(weights={"a": 2.0, "b": -1.0})),
        ("cell_weights", lambda: cell(weights={"a": float("inf")})),
        ("naive_datetime", lambda: cell(follow_up_ends_at=NAIVE)),
        ("naive_datetime", lambda: plan(watermark_at=NAIVE)),
        ("too_few_variants", lambda: plan(variants=("a",))),
        ("duplicate_variant", lambda: plan(variants=("a", "b", "a"))),
        ("unknown_control", lambda: plan(control="z")),
        ("duplicate_segment", lambda: plan(segments=("s", "s"))),
        ("duplicate_metric", lambda: plan(metric(), metric(role="secondary"))),
        ("primary_metric", lambda: plan(metric(role="secondary"))),
        ("primary_metric", lambda: plan(metric(), metric(key="other"))),
        ("no_cells", lambda: plan(segments=())),
        ("duplicate_cell", lambda: plan(cells=[cell(), cell()])),
        ("unknown_segment", lambda: plan(cells=[cell(segment="z")])),
        ("unknown_variant", lambda: plan(cells=[cell(weights={"a": 1.0, "z": 1.0})])),
        ("alpha", lambda: plan(alpha=0.0)),
        ("alpha", lambda: plan(alpha=0.51)),
        ("srm_alpha", lambda: plan(srm_alpha=1.0)),
        ("tuned_for_units", lambda: plan(tuned_for_units=99)),
        ("minimum", lambda: plan(min_units=19)),
        ("minimum", lambda: plan(min_conversions=-1)),
    ],
)
def test_contradictions(code: str, make: Callable[[], object]) -> None:
    with pytest.raises(PlanError) as refused:
        make()
    assert refused.value.code == code


def test_equal_splits_on_any_scale_are_one_split() -> None:
    tenths, ones = {"a": 0.1, "b": 0.1, "c": 0.1, "d": 0}, {"c": 1, "b": 1, "a": 1}
    assert cell(weights=tenths).split == cell(weights=ones).split
    assert cell(weights=tenths).split != cell(weights={"a": 1, "b": 1, "c": 1.001}).split


def test_names_fall_back_to_keys() -> None:
    question = plan(variant_names={"a": "No e-mail"}, watermark_at=at(0))
    assert [question.variant_name(key) for key in question.variants] == ["No e-mail", "b"]
    assert question.segment_name("all") == "all"
    assert question.primary.label == "visits"
