"""Data at the edge: the answer is a finite number or a refusal by name."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from analysis.moments import Moments
from analysis.plan import MetricKind
from analysis.report import build
from calibration.engine import DEFAULT, METRIC, plan_of, table
from calibration.scenario import Bound, Samples, Scenario
from calibration.soundness import unsound


def _rate(successes: int, n: int) -> Moments:
    return Moments(n=n, mean=successes / n, m2=successes * (n - successes) / n)


_PLAIN = Moments(n=500, mean=2.0, m2=499.0)
_PER_EVENT = Moments(n=500, mean=1.0, m2=499.0, denominator_mean=4.0, denominator_m2=499.0, co_m2=100.0)

_CASES: dict[str, tuple[MetricKind, Moments, Moments]] = {
    "nobody at all": ("mean", Moments(), Moments()),
    "one arm only": ("mean", _PLAIN, Moments()),
    "one unit each": ("mean", Moments(n=1, mean=3.0), Moments(n=1, mean=2.0)),
    "0 of 100 v 5 of 100": ("conversion", _rate(0, 100), _rate(5, 100)),
    "5 of 100 v 0 of 100": ("conversion", _rate(5, 100), _rate(0, 100)),
    "0 of n v 0 of n": ("conversion", _rate(0, 400), _rate(0, 400)),
    "n of n v n of n": ("conversion", _rate(400, 400), _rate(400, 400)),
    "0 of n v n of n": ("conversion", _rate(0, 400), _rate(400, 400)),
    "no spread": ("mean", Moments(n=300, mean=2.0), Moments(n=300, mean=2.0)),
    "no spread, but a difference": ("mean", Moments(n=300, mean=2.5), Moments(n=300, mean=2.0)),
    "a baseline of zero": ("mean", _PLAIN, Moments(n=500, mean=0.0, m2=499.0)),
    "a baseline below zero": ("mean", _PLAIN, Moments(n=500, mean=-2.0, m2=499.0)),
    "denominators of zero": ("ratio", _PER_EVENT, Moments(n=500, mean=1.0, m2=499.0)),
    "tiny denominators": ("ratio", _PER_EVENT, Moments(n=500, mean=1.0, m2=499.0, denominator_mean=1e-300)),
    "mean 1e8, sd 1": ("mean", Moments(n=500, mean=1e8 + 0.5, m2=499.0), Moments(n=500, mean=1e8, m2=499.0)),
    "values of 1e150": ("mean", Moments(n=500, mean=1e150, m2=1e300), Moments(n=500, mean=1e150, m2=1e300)),
    "90 standard errors apart": (
        "mean",
        Moments(n=5_000, mean=4.0, m2=4_999.0),
        Moments(n=5_000, mean=2.0, m2=4_999.0),
    ),
}
_REFUSED: dict[str, dict[str, float]] = {
    "NaN": {"n": 10, "mean": float("nan")},
    "infinite mean": {"n": 10, "mean": float("inf")},
    "infinite spread": {"n": 10, "m2": float("inf")},
    "negative spread": {"n": 10, "m2": -1.0},
}


def _wrong(_: Generator, __: int, safeguard: bool) -> Samples:
    """Cases without a finite answer or a named refusal; the same cases for however many runs."""
    answered = [(_silent if safeguard else _naive_silent)(*case) for case in _CASES.values()]
    let_in = [safeguard and _accepted(fields) for fields in _REFUSED.values()]
    return {"wrong": np.array([*answered, *let_in])}


def _silent(kind: MetricKind, treatment: Moments, baseline: Moments) -> bool:
    plan = plan_of(kind, DEFAULT)
    report = build(plan, table({(0, "all", "control"): baseline, (0, "all", "treatment"): treatment}))
    return bool(unsound(report)) or report.overall.metrics[0].metric != METRIC


def _accepted(fields: dict[str, float]) -> bool:
    try:
        Moments(**fields)  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def _naive_silent(kind: MetricKind, treatment: Moments, baseline: Moments) -> bool:
    """(T - B)/√(s²/n + s²/n) and (T - B)/B as they stand."""
    with np.errstate(all="ignore"):
        n, mean, m2, below = (
            np.array([getattr(moments, name) for moments in (treatment, baseline)], dtype=float)
            for name in ("n", "mean", "m2", "denominator_mean")
        )
        value = mean / below if kind == "ratio" else mean
        z = (value[0] - value[1]) / np.sqrt((m2 / (n - 1) / n).sum())
        lift = (value[0] - value[1]) / value[1]
    return not (np.isfinite(z) and np.isfinite(lift))


def _judge(samples: Samples) -> tuple[Bound, ...]:
    wrong = float(np.sum(samples["wrong"]))
    return (Bound(name="degenerate.without_an_answer", measured=wrong, relation="<=", bound=0),)


SCENARIOS = (
    Scenario(
        key="degenerate",
        pitfall="Degenerate input",
        safeguard="a finite answer or a named refusal",
        naive="the formula as it stands",
        simulate=_wrong,
        judge=_judge,
        share=0,
    ),
)
