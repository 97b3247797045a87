"""How units were split: sample ratio mismatch, looked at once and daily."""

from __future__ import annotations

from functools import cache
from math import isclose

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from analysis.estimate import SequentialRatio
from analysis.moments import ArmKey, MomentTable
from analysis.plan import LEAST_TUNED_FOR_UNITS, Cell, Plan
from analysis.quality.srm import ANY_LOOK_ALPHA
from analysis.quality.srm_sequential import concentration_for, log_evidence
from analysis.report import build
from calibration import naive
from calibration.engine import metric
from calibration.scenario import Bound, Floats, Samples, Scenario, at_most, near

_UNITS = 100_000
DAYS = 60
_PER_DAY = 1_667
# A planning value, and not what comes.
_TUNED_FOR_UNITS = 50_000


@cache
def _alarms(control: int, *, safeguard: bool) -> bool:
    """Does the report speak of a mismatch? A third arm is planned for nobody: it is no part of the test."""
    if not safeguard:
        counts = np.array([control, _UNITS - control], dtype=float)
        return bool(naive.chi_square_p(counts, np.array([0.5, 0.5]), freedom=2) < 0.001)
    plan = Plan(
        variants=("control", "treatment", "later"),
        control="control",
        segments=("all",),
        metrics=(metric("conversion"),),
        cells=(Cell(epoch=1, segment="all", weights={"control": 1, "treatment": 1, "later": 0}),),
        stopping_rule="fixed_horizon",
    )
    units = {ArmKey(1, "all", "control"): control, ArmKey(1, "all", "treatment"): _UNITS - control}
    report = build(plan, MomentTable(units=units))
    return any(finding.code == "srm" for finding in report.segments[0].findings)


def _once(rng: Generator, runs: int, safeguard: bool) -> Samples:
    """The same counts give the same report: each is built once."""
    fair, broken = (
        np.array([_alarms(int(count), safeguard=safeguard) for count in rng.binomial(_UNITS, share, runs)])
        for share in (0.5, 0.51)
    )
    return {"fair": fair, "broken": broken}


def _judge_once(samples: Samples) -> tuple[Bound, ...]:
    power = float(np.mean(samples["broken"]))
    return (
        *near("srm_once.error", samples["fair"], 0.001),
        Bound(name="srm_once.power_at_51", measured=power, relation=">=", bound=0.99),
    )


def _daily(rng: Generator, runs: int, safeguard: bool) -> Samples:
    first = {}
    for name, share in (("fair", 0.5), ("broken", 0.51)):
        control = rng.binomial(_PER_DAY, share, (runs, DAYS)).cumsum(axis=1)
        counts = np.stack([control, _PER_DAY * np.arange(1, DAYS + 1) - control], axis=-1).astype(float)
        alarm = _sequential(counts) if safeguard else naive.chi_square_p(counts, np.array([0.5, 0.5])) < ANY_LOOK_ALPHA
        first[name] = np.where(alarm.any(axis=1), alarm.argmax(axis=1) + 1, DAYS + 1)
    return first


def _sequential(counts: Floats) -> NDArray[np.bool_]:
    """The report's rule, for many experiments at once: the mean of three e-values."""
    tuned = (LEAST_TUNED_FOR_UNITS, _TUNED_FOR_UNITS, 100 * _TUNED_FOR_UNITS)
    logs = [log_evidence(counts, (0.5, 0.5), concentration_for(ANY_LOOK_ALPHA, units)) for units in tuned]
    evidence = np.logaddexp.reduce(logs) - np.log(len(tuned))
    _audit(counts, evidence)
    alarm: NDArray[np.bool_] = evidence > -np.log(ANY_LOOK_ALPHA)
    return alarm


def _audit(counts: Floats, evidence: Floats) -> None:
    """The report of the first experiment's last day has the same evidence."""
    plan = Plan(
        variants=("control", "treatment"),
        control="control",
        segments=("all",),
        metrics=(metric("conversion"),),
        cells=(Cell(epoch=1, segment="all", weights={"control": 1, "treatment": 1}),),
        tuned_for_units=_TUNED_FOR_UNITS,
    )
    units = {ArmKey(1, "all", name): int(n) for name, n in zip(plan.variants, counts[0, -1], strict=True)}
    scope = build(plan, MomentTable(units=units)).segments[0]
    found = scope.srm.sequential
    alarms = any(finding.code == "srm" for finding in scope.findings)
    if not isinstance(found, SequentialRatio) or not isclose(found.log_evidence, evidence[0, -1], rel_tol=1e-7):
        raise AssertionError(f"split: {evidence[0, -1]} here, {found} in the report")
    if alarms != bool(evidence[0, -1] > -np.log(ANY_LOOK_ALPHA)):
        raise AssertionError("split: the report alarms where the rule does not, or the other way round")


def _judge_daily(samples: Samples) -> tuple[Bound, ...]:
    found = float(np.mean(samples["broken"] <= DAYS))
    return (
        at_most("srm_daily.any_look_error", samples["fair"] <= DAYS, ANY_LOOK_ALPHA),
        Bound(name="srm_daily.found_at_51", measured=found, relation=">=", bound=0.95),
    )


SCENARIOS = (
    Scenario(
        key="srm_once",
        pitfall="Sample ratio mismatch, one look at 100,000 units",
        safeguard="chi-square over the arms that may receive units",
        naive="arms of weight 0 in the degrees of freedom",
        simulate=_once,
        judge=_judge_once,
        share=20,
        chunk=200_000,
    ),
    Scenario(
        key="srm_daily",
        pitfall="Sample ratio mismatch, looked at daily for 60 days",
        safeguard="Dirichlet mixtures of likelihood ratios",
        naive="chi-square at every look",
        simulate=_daily,
        judge=_judge_daily,
        share=2.1,
        chunk=3_000,
    ),
)
