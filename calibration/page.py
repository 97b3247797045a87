"""The page of results, docs/statistics/calibration.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from calibration.runner import Measured
from calibration.scenario import Bound

_HEAD = """# Calibration: the error rates of the engine, measured

{runs:,} simulated experiments per row (where a rate is small, more), seed {seed}, {date}, {minutes:.1f} minutes. Made
by `make calibration`, which writes this page and exits with an error if a number is out of its bounds.

Every row is a way to go wrong. It is measured twice on the same data: **with** the engine's safeguard, and **without**
it, as it is commonly done instead. With it a row has to stay within its bound; without it, it has to break it, or the
row would prove nothing.

- Rates have a tolerance of four standard errors, 4·√(p(1 − p)/S) for S experiments: on both sides for one look, upwards
  only for rules that hold at every look, which may err less than they are allowed to.
- p-values, intervals and coverage come from `analysis.comparison.compare_all`, which `analysis.report.build` itself
  computes its comparisons with. Of every group of experiments some go through `build` as well, and the run stops if one
  number or verdict differs.
- Of several measurements of one kind (five spreads of true effects, say) the worst is shown.
- **Bold**: out of bounds without the safeguard. At least one number of every row has to be.

![Error rates with and without each safeguard](images/overview.svg)

| pitfall | measured | experiments | with | must be | without |
|---|---|---:|---:|---:|---:|
"""

_BODY = """
## What is done, and what it is compared with

| pitfall | the engine's safeguard | without it |
|---|---|---|
"""

_TAIL = """
## Pictures

**Looking a hundred times** at experiments without any effect. A p-value made for one look finds something in more
than a third of them; the always-valid one stays below its 5% for ever.

![Peeking](images/peeking.svg)

**The best of twenty segments.** What it shows is too much by one to two standard errors, and its usual interval misses
the truth up to four times in ten. What the report shows instead is on target, and covers.

![The best of twenty segments](images/winner.svg)

**Lift of a small rate.** Each tail of a 95% interval should miss in 2.5% of cases. The textbook interval of a lift
misses on one side only, and contradicts its own p-value.

![Tails of the lift's interval](images/lift.svg)

**Sample ratio mismatch, looked at every day.** The sequential test hardly ever cries wolf, and finds a split of
51 to 49.

![Sample ratio mismatch by day](images/srm.svg)

**p-values of experiments without an effect** must be spread evenly: the curve is how far they are from it.

![p-values](images/uniform.svg)
"""


# What is measured, in words; where one is missing, its name.
_WORDS = {
    "any_look_error": "wrong at some look",
    "error": "wrong",
    "normal": "normal: wrong at some look",
    "conversion": "5% Bernoulli: the same",
    "revenue": "revenue: the same",
    "revenue_90_10": "revenue, split 90/10: the same",
    "coverage": "interval covers",
    "coverage_even": "50/50: interval covers",
    "flagged_even": "50/50: flagged as skewed",
    "90_10_too_low_unflagged": "90/10: interval too low, and no flag",
    "90_10_too_high_unflagged": "90/10: interval too high, and no flag",
    "lower_tail": "whole interval too low",
    "upper_tail": "whole interval too high",
    "p_against_interval": "p-value contradicts interval (cases)",
    "bias_over_raw": "bias of the shown over the raw value",
    "rmse_over_raw": "error of all segments over the raw one",
    "some_won": "some segment won",
    "power_at_51": "51/49 found",
    "found_at_51": "51/49 found",
    "four_epochs": "four epochs: wrong at some look",
    "ten_epochs": "ten epochs: the same",
    "variance_off": "variance off 1 − ρ² by",
    "kolmogorov_smirnov": "distance from uniform (Kolmogorov–Smirnov)",
    "exaggeration_v_published": "simulated exaggeration off 8.0, 2.26, 1.41 by",
    "exaggeration_v_foretold": "simulated exaggeration off the foretold by",
    "flagged_true": "flagged though true",
    "flagged_doubled": "flagged where events count twice",
    "without_an_answer": "cases without a finite answer or a reason",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    date: date
    runs: int
    seed: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One measurement with the safeguard on and off, in words."""

    name: str
    on: str
    must_be: str
    off: str
    ok: bool

    @property
    def quantity(self) -> str:
        name = self.name.split(".", 1)[1]
        return _WORDS.get(name, name)


def text(measured: Sequence[tuple[Measured, Measured]], facts: Facts) -> str:
    parts = [_HEAD.format(runs=facts.runs, seed=facts.seed, date=facts.date, minutes=facts.seconds / 60)]
    for on, off in measured:
        title = on.scenario.pitfall
        for line in lines(on, off):
            parts.append(f"| {title} | {line.quantity} | {on.runs:,} | {line.on} | {line.must_be} | {line.off} |\n")
            title = ""
    parts.append(_BODY)
    for on, _ in measured:
        one = on.scenario
        parts.append(f"| {one.pitfall} | {one.safeguard} | {one.naive} |\n")
    parts.append(_TAIL)
    return "".join(parts)


def lines(on: Measured, off: Measured) -> list[Line]:
    """Two-sided bounds as one, of many settings the worst."""
    names = dict.fromkeys(_family(bound) for bound in on.bounds)
    return [
        _line(name, [b for b in on.bounds if _family(b) == name], [b for b in off.bounds if _family(b) == name])
        for name in names
    ]


def _family(bound: Bound) -> str:
    return bound.name.split("_at_tau", 1)[0].split("_at_power", 1)[0]


def _line(name: str, on: Sequence[Bound], off: Sequence[Bound]) -> Line:
    lower = [bound.bound for bound in on if bound.relation == ">="]
    upper = [bound.bound for bound in on if bound.relation == "<="]
    must_be = (
        f"{number(max(lower))} to {number(min(upper))}"
        if lower and upper
        else f"≥ {number(max(lower))}"
        if lower
        else f"≤ {number(min(upper))}"
    )
    return Line(
        name=name,
        on=number(_worst(on).measured),
        must_be=must_be,
        off=number(_worst(off).measured) if all(bound.ok for bound in off) else f"**{number(_worst(off).measured)}**",
        ok=all(bound.ok for bound in on),
    )


def _worst(bounds: Sequence[Bound]) -> Bound:
    return max(bounds, key=lambda bound: (bound.measured - bound.bound) * (1 if bound.relation == "<=" else -1))


def number(value: float) -> str:
    """Three digits; two of what is very small."""
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.2g}"
