"""What authors may ask of a metric, and what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.domain.covariate import Covariate
from experiments.domain.errors import InvalidInput
from experiments.domain.metric import MAX_COVARIATES, Metric, MetricKind

BEFORE = Covariate(key="before", event_name="purchase", lookback_seconds=86_400)


def metric(kind: str = "mean", **changes: Any) -> Metric:
    parts: dict[str, Any] = {"key": "spend", "name": "Spend", "kind": MetricKind(kind), "event_name": "purchase"}
    return Metric(**{**parts, **changes})


@pytest.mark.parametrize(
    ("kind", "changes", "code", "path"),
    [
        ("quantile", {}, "quantile_invalid", "/quantile"),
        ("quantile", {"quantile": 1.0}, "quantile_invalid", "/quantile"),
        ("quantile", {"quantile": 0.0}, "quantile_invalid", "/quantile"),
        ("mean", {"quantile": 0.5}, "quantile_unwanted", "/quantile"),
        ("mean", {"winsor_quantile": 0.49}, "winsor_invalid", "/winsor_quantile"),
        ("mean", {"winsor_quantile": 1.0}, "winsor_invalid", "/winsor_quantile"),
        ("mean", {"window_seconds": 86_400 * 10**9}, "window_invalid", "/window_seconds"),
        ("mean", {"winsor_quantile": 0.9, "cap": 5.0}, "winsor_unwanted", "/winsor_quantile"),
        ("conversion", {"winsor_quantile": 0.9}, "winsor_unwanted", "/winsor_quantile"),
        ("quantile", {"quantile": 0.5, "winsor_quantile": 0.9}, "winsor_unwanted", "/winsor_quantile"),
        ("quantile", {"quantile": 0.5, "covariates": (BEFORE,)}, "covariates_unwanted", "/covariates"),
        ("mean", {"covariates": (BEFORE, BEFORE)}, "key_repeated", "/covariates/1"),
        ("mean", {"covariates": (BEFORE,) * (MAX_COVARIATES + 1)}, "covariates_count", "/covariates"),
    ],
)
def test_what_contradicts_itself_is_refused(kind: str, changes: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        metric(kind, **changes)
    assert (refusal.value.code, refusal.value.path) == (code, path)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"lookback_seconds": 0}, "lookback_invalid"),
        ({"lookback_seconds": 10**13}, "lookback_invalid"),
        ({"cap": 0.0}, "cap_invalid"),
        ({"cap": float("inf")}, "cap_invalid"),
        ({"event_name": "two words"}, "key_invalid"),
    ],
)
def test_a_covariate_that_cannot_be_is_refused(changes: dict[str, Any], code: str) -> None:
    parts: dict[str, Any] = {"key": "before", "event_name": "purchase", "lookback_seconds": 1}
    with pytest.raises(InvalidInput) as refusal:
        Covariate(**{**parts, **changes})
    assert refusal.value.code == code


def test_a_metric_reads_the_events_of_its_covariates_too() -> None:
    known = Covariate(key="visits", event_name="visit", lookback_seconds=86_400, counts_events=True)
    assert metric(covariates=(BEFORE, known)).event_names == {"purchase", "visit"}


def test_a_quantile_may_be_any_but_the_ends() -> None:
    assert metric("quantile", quantile=0.95, cap=1_000.0).quantile == 0.95
