"""The page of results, docs/simulation/adaptive.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from calibration.scenario import Bound
from simulation.adaptive.promises import Row
from simulation.adaptive.sampling import POLICY
from simulation.adaptive.worlds import DAYS, UNITS_A_DAY

_HEAD = """# Adaptive splits, simulated

{runs:,} simulated experiments per row, seed {seed}, {date}, {minutes:.1f} minutes. Made by `make simulate-adaptive`,
which writes this page and exits with an error if a number is out of its bounds.

{days} daily batches of about {units:,} customers; the first is split evenly, then Thompson sampling with a floor of
{floor:.0%}. The fixed split it is compared with is the even one. Every world is simulated with conversions and with
normal values whose effects are the same in standard deviations. The policy's states are those of
`experiments.domain.adaptive` (the run stops if they differ), the intervals those of `analysis.comparison.compare_all`,
which a report is made with.

## What it gains, and what it costs

Regret: outcomes short of showing everybody the best variant of the day, per 1,000 customers; both policies on the same
customers. In brackets 95% intervals of the mean. *Certainty*: the comparison with the control is as certain as if this
share of the customers had not come (below 0: more had).

![Regret of adaptive splits as a share of the fixed split's](images/adaptive_regret.svg)

| world | metric | regret, fixed | regret, adaptive | adaptive / fixed | customers missing |
|---|---|---:|---:|---:|---:|
"""

_COVERAGE = """
## Whether its intervals hold

Look-once 95% intervals of the difference after the last day must cover .95 ± {reach:.4f}, four standard errors of a
rate measured so often. The other columns are the same data with other weights: units as weights (as for fixed splits),
and arms pooled over the days, which is refused. *Wrong at some look*: the always-valid interval, looked at after every
day, misses at least once; at most .05. Where the effect changes, its truth is the average with the weights of the
estimate. *Bias*: of the estimate, in its usual standard error; at most .2.

![Coverage by world and weights](images/adaptive_coverage.svg)

| world | metric | as reported | units as weights | pooled | wrong at some look | bias |
|---|---|---:|---:|---:|---:|---:|
"""

_GAIN = """
## Whether the reported gain is true

The report says how many more outcomes there were than under the declared split. Its interval holds at every look;
*wrong at some look* is at most .05. Where the base rate rises, so does the spread of a conversion: each day counts with
its own.

| world | metric | true gain | reported less true | wrong at some look |
|---|---|---:|---:|---:|
"""

_PROMISES = """
## Promises

```
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of the run."""

    date: date
    runs: int
    seed: int
    seconds: float
    bounds: Sequence[Bound]


def text(rows: Sequence[Row], facts: Facts) -> str:
    head = _HEAD.format(
        runs=facts.runs,
        seed=facts.seed,
        date=facts.date,
        minutes=facts.seconds / 60,
        days=DAYS,
        units=UNITS_A_DAY,
        floor=POLICY.floor_bp / 10_000,
    )
    return "".join(
        [
            head,
            *_lines(map(_regret, rows)),
            _COVERAGE.format(reach=4 * (0.95 * 0.05 / facts.runs) ** 0.5),
            *_lines(map(_coverage, rows)),
            _GAIN,
            *_lines(map(_gain, rows)),
            _PROMISES,
            *(f"{bound.line}\n" for bound in facts.bounds),
            "```\n",
        ]
    )


def cells(rows: Sequence[Row]) -> Iterator[list[str]]:
    """For a screen: a header, then a line per row."""
    yield ["world", "metric", "adaptive / fixed", "coverage", "by units", "pooled", "some look", "missing"]
    for row in rows:
        yield [
            row.world.title,
            row.kind,
            _interval(row.regret_kept, ".3f"),
            f"{row.rate('covered'):.4f}",
            f"{row.rate('by_units'):.4f}",
            f"{row.rate('pooled'):.4f}",
            f"{1 - row.rate('covered_any_look'):.4f}",
            f"{row.rate('missing'):.1%}",
        ]


def _lines(rows: Iterator[list[str]]) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


def _regret(row: Row) -> list[str]:
    kept = _interval(row.regret_kept, ".3f") if row.rate("regret_fixed") else "–"
    adaptive = _interval(row.interval("regret"), ".2f")
    return [*_names(row), f"{row.rate('regret_fixed'):.2f}", adaptive, kept, f"{row.rate('missing'):.1%}"]


def _coverage(row: Row) -> list[str]:
    rates = [f"{row.rate(name):.4f}" for name in ("covered", "by_units", "pooled")]
    return [*_names(row), *rates, f"{1 - row.rate('covered_any_look'):.4f}", f"{row.bias:+.3f}"]


def _gain(row: Row) -> list[str]:
    error = _interval(row.interval("gain_error"), "+.1f")
    return [*_names(row), f"{row.rate('gain'):.1f}", error, f"{1 - row.rate('gain_covered_any_look'):.4f}"]


def _names(row: Row) -> tuple[str, str]:
    return row.world.title, "conversions" if row.kind == "conversion" else "values"


def _interval(numbers: tuple[float, float, float], form: str) -> str:
    mean, low, high = (format(number, form) for number in numbers)
    return f"{mean} [{low}, {high}]"
