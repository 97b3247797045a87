"""The page of results, docs/simulation/policy.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import isnan
from statistics import median

from calibration.scenario import Bound
from simulation.policy.tally import (
    FADING,
    METHODS,
    WINNERS,
    Gap,
    Method,
    Rate,
    Results,
    Row,
    days_live,
    gaps,
    reverted,
    row_of,
)
from simulation.policy.world import CONTROL, HARM_MARGIN, LOOK_DAYS, POLICY, World

NAMES: dict[Method, str] = {"policy": "**policy**", "fixed": "fixed horizon", "naive": "naive peeking"}

_HEAD = """# The promotion policy, measured

{runs:,} simulated experiments per scenario, seed {seed}, {date}, {minutes:.0f} minutes ({processor:.0f} of processor
time, over all cores). Made by `make simulate-policy`, which writes this page and exits with an error if a number is
out of its bounds.

The worker, the policy, the evidence, the report and the promotions are the real ones, on stores in memory; only the
customers are simulated. Where something is promoted, the split changes, and with it who comes under which variant the
next day. So a promotion ramps up, is measured against its holdback and may be taken back, as it would be.

- **Policy**: automatic, proof at every look (always-valid, Holm over all segments and variants, 5%), two whole weeks at
  least, guardrails proven safe (margin {margin:.0%}), a ramp of {ramp}, {holdback:.0%} held back for
  {hold:.0f} days, taken back when the realised lift is surely below 0.
- **Fixed horizon**: one two-proportion test per segment and variant on day {days}, Holm over all of them, 5%.
- **Naive peeking**: the same test every day, uncorrected; the first p < .05 in favour of a variant promotes it.

All three see the same draws, up to a promotion. Neither baseline looks at guardrails or at the split. Looks are daily;
intervals are 95% (Clopper & Pearson), and what is promised of a rate is promised of its upper end.

![False promotions](images/false_promotions.svg)

| scenario | method | false promotions | at most | truly worse | at most | power | mean days |
|---|---|---:|---:|---:|---:|---:|---:|
"""

_AFTER = """
*False*: an experiment in which at least one promotion brings nothing, or should never have happened (guardrail harmed,
split broken). *Truly worse*: one whose true lift is below 0. *Power*: an experiment with a right promotion by day
{days}; *mean days*: until the first of them.

![Time to a decision](images/time_to_decision.svg)

## What becomes of winners

| promoted, right at the time | promotions | taken back | 95% | after days (median) |
|---|---:|---:|---:|---:|
"""

_FADING = """
![What becomes of winners](images/kept.svg)

The fading scenario is sized so that the holdback can show the loss: many customers, a large fall, a half-life far below
the four weeks of the hold. It averages over the whole hold. A smaller loss, a slower one, or fewer customers, and the
winner is kept although it brings nothing any more; the evidence says beforehand how large a lift, up or down, the
holdback will be able to show (`holdback`).

## Predicted and realised lift

A winner is picked because its estimate is high, so the estimate is too high, the more the smaller the true lift is.
What a promotion predicts is the posterior mean of its lift, y·(1 - 1/z²) (`experiments/domain/predicted.py`); *raw* is
the estimate y itself. *Realised* is what the holdback has shown at the last look: noisy, as it rests on a twentieth of
the customers, so the distance to the true lift stands beside it. All distances are means of absolute values.

![Predicted and realised lift](images/predicted.svg)

| promotions | number | true lift | to realised: raw | predicted | to truth: raw | predicted | bias: raw | predicted |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""

_WORLDS = """
## The scenarios

| scenario | segments | variants | units a day and segment | base rate | true lift | looks |
|---|---:|---:|---:|---:|---|---:|
"""

_NOTES = """
Base rates follow the week (0.9 to 1.2 of their mean). The guardrail is a mean with a standard deviation of half its
size. In the two launch ramps the author gives the treatment 10%, from day 3 25%, from day 7 50%, while the base rate
grows to 1.8 times in four weeks: whoever pools all days finds a lift where there is none.

What is left out, and why it does not matter: no look before two weeks have passed (the policy answers "too early",
whatever the data); none after the one treatment of every segment was kept or taken back, or after day {days} where
nothing is live (nothing can change, or it would not be counted). A unit comes once, and its outcome on the same day: a
holdback that also counts returning customers would have more data than here.

## Bounds

```
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    date: date
    runs: int
    seed: int
    seconds: float
    processor_seconds: float


def text(results: Results, bounds: Sequence[Bound], facts: Facts) -> str:
    return "".join(
        [
            _HEAD.format(
                runs=facts.runs,
                seed=facts.seed,
                date=facts.date,
                minutes=facts.seconds / 60,
                processor=facts.processor_seconds / 60,
                days=LOOK_DAYS,
                margin=HARM_MARGIN,
                ramp=" → ".join(f"{share / 100:g}%" for share in POLICY.shares_bp),
                holdback=POLICY.holdback_bp / 10_000,
                hold=POLICY.hold_seconds / 86_400,
            ),
            *main_rows(results),
            _AFTER.format(days=LOOK_DAYS),
            *_ends(results),
            _FADING,
            *(_gap(gap) for gap in gaps(results)),
            _WORLDS,
            *(_world(world) for world, _ in results.values()),
            _NOTES.format(days=LOOK_DAYS),
            *(f"{bound.line}\n" for bound in bounds),
            "```\n",
        ]
    )


def main_rows(results: Results) -> Iterator[str]:
    for world, played in results.values():
        title = world.title
        for method in METHODS:
            yield f"| {title} | {NAMES[method]} | {' | '.join(cells(row_of(world, played, method)))} |\n"
            title = ""


def cells(row: Row) -> list[str]:
    """Of the table, from the false promotions on."""
    has_right = row.days is not None or (not row.world.wrong and any(e.early > 0 for e in row.world.effects.values()))
    return [
        percent(row.false.share),
        percent(row.false.high),
        percent(row.worse.share),
        percent(row.worse.high),
        percent(row.right.share) if has_right else "–",
        "–" if row.days is None else f"{row.days:.1f}",
    ]


def _ends(results: Results) -> Iterator[str]:
    for key in (FADING, *WINNERS):
        if key in results:
            world, played = results[key]
            rate = reverted(world, played)
            days = days_live(world, played)
            after = f"{median(days):.0f}" if days else "–"
            yield f"| {world.title} | {rate.of:,} | {percent(rate.share)} | {_between(rate)} | {after} |\n"


def _gap(gap: Gap) -> str:
    cells = [
        gap.title,
        f"{gap.promotions:,}",
        signed(gap.true_lift),
        percent(gap.raw, 2),
        percent(gap.corrected, 2),
        percent(gap.raw_to_truth, 2),
        percent(gap.corrected_to_truth, 2),
        signed(gap.raw_bias, 2),
        signed(gap.bias, 2),
    ]
    return f"| {' | '.join(cells)} |\n"


def _world(world: World) -> str:
    variants = ", ".join(variant for variant in world.variants if variant != CONTROL)
    return (
        f"| {world.title} | {len(world.segments)} | control, {variants} | {world.daily_units:,} | {world.rate:.0%} "
        f"| {_effects(world)} | {world.days} days |\n"
    )


def _effects(world: World) -> str:
    said = []
    for (segment, variant), effect in world.effects.items():
        sizes = ", ".join(signed(strength * effect.early) for strength in world.strengths)
        half_life = effect.half_life_days
        fades = "" if half_life is None else f", fading to {signed(effect.late)} (half-life {half_life:g} days)"
        where = "" if segment is None else f" in {segment}"
        said.append(f"{variant} {sizes}{fades}{where}")
    said += [f"{variant} {signed(harm)} on the guardrail" for variant, harm in world.harms.items()]
    return "; ".join(said) or "none"


def _between(rate: Rate) -> str:
    return f"{percent(rate.low)} to {percent(rate.high)}"


def percent(value: float, digits: int = 1) -> str:
    return "–" if isnan(value) else f"{100 * value:.{digits}f}%"


def signed(value: float, digits: int = 1) -> str:
    return f"{100 * value:+.{digits}f}%"
