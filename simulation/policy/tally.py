"""From experiments to rates: who promoted wrongly, who found the winner and when, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from scipy.stats import beta

from calibration.scenario import Bound
from simulation.policy.baselines import Call
from simulation.policy.play import Played, Promoted
from simulation.policy.world import LOOK_DAYS, World

Method = Literal["policy", "fixed", "naive"]
METHODS: tuple[Method, ...] = ("policy", "fixed", "naive")
Results = Mapping[str, tuple[World, Sequence[Played]]]

FALSE, WORSE, POWER, REVERTED, KEPT_WRONGLY = 0.05, 0.005, 0.6, 0.9, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many of so many, with the ends of the 95% interval of Clopper & Pearson."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        return self.hits / self.of if self.of else float("nan")

    @property
    def low(self) -> float:
        return float(beta.ppf(0.025, self.hits, self.of - self.hits + 1)) if self.hits else 0.0

    @property
    def high(self) -> float:
        return float(beta.ppf(0.975, self.hits + 1, self.of - self.hits)) if self.hits < self.of else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method in one world: experiments with a false promotion, with a truly worse one, with the right one.

    `days`: the mean day of the first right promotion, None where there is none.
    """

    world: World
    method: Method
    false: Rate
    worse: Rate
    right: Rate
    days: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Mean absolute distance of predicted lifts, raw and corrected, from what was realised and from the truth.

    `raw_bias` and `bias`: predicted less true lift, with its sign, on average.
    """

    title: str
    promotions: int
    raw: float
    corrected: float
    raw_to_truth: float
    corrected_to_truth: float
    raw_bias: float
    bias: float
    true_lift: float


def calls_of(played: Played, method: Method) -> tuple[Call, ...]:
    """What a method promoted within the days in which all of them look."""
    if method == "policy":
        return tuple(
            Call(segment=one.segment, variant=one.variant, day=one.day)
            for one in played.promoted
            if one.day <= LOOK_DAYS
        )
    return played.fixed if method == "fixed" else played.naive


def lift_behind(world: World, played: Played, call: Call) -> float:
    return world.of(played.index).true_lift(call.segment, call.variant, 0, call.day)


def is_false(world: World, played: Played, call: Call) -> bool:
    """Nothing is gained by it, or it should not have been done whatever is gained."""
    return world.wrong or lift_behind(world, played, call) <= 0


def row_of(world: World, all_played: Sequence[Played], method: Method) -> Row:
    false = worse = 0
    days = []
    for played in all_played:
        calls = calls_of(played, method)
        wrong = [call for call in calls if is_false(world, played, call)]
        false += bool(wrong)
        worse += any(lift_behind(world, played, call) < 0 for call in wrong)
        right = [call.day for call in calls if call not in wrong]
        if right:
            days.append(min(right))
    runs = len(all_played)
    return Row(
        world=world,
        method=method,
        false=Rate(hits=false, of=runs),
        worse=Rate(hits=worse, of=runs),
        right=Rate(hits=len(days), of=runs),
        days=fmean(days) if days else None,
    )


def right_promotions(world: World, all_played: Iterable[Played]) -> Iterator[Promoted]:
    for played in all_played:
        for one in played.promoted:
            if not is_false(world, played, Call(segment=one.segment, variant=one.variant, day=one.day)):
                yield one


def reverted(world: World, all_played: Iterable[Played]) -> Rate:
    """Of the right promotions."""
    found = list(right_promotions(world, all_played))
    return Rate(hits=sum(one.state == "reverted" for one in found), of=len(found))


def days_live(world: World, all_played: Iterable[Played]) -> list[int]:
    """How long those of them that were taken back had been live."""
    return [
        one.ended_on - one.day
        for one in right_promotions(world, all_played)
        if one.state == "reverted" and one.ended_on is not None
    ]


def promoted_again(all_played: Iterable[Played]) -> int:
    """Promotions of a variant in a segment where it has been live before: a machine that cannot make up its mind."""
    seen = [[(one.segment, one.variant) for one in played.promoted] for played in all_played]
    return sum(len(found) - len(set(found)) for found in seen)


def together(rates: Iterable[Rate]) -> Rate:
    listed = list(rates)
    return Rate(hits=sum(rate.hits for rate in listed), of=sum(rate.of for rate in listed))


def promotions(results: Results, keys: Iterable[str]) -> list[Promoted]:
    """All promotions of these worlds for which something was realised, the false ones too."""
    return [
        one
        for key in keys
        if key in results
        for played in results[key][1]
        for one in played.promoted
        if one.realised is not None
    ]


def gap_of(title: str, found: Sequence[Promoted]) -> Gap | None:
    if not found:
        return None

    def mean(values: Iterable[float]) -> float:
        return fmean(values)

    return Gap(
        title=title,
        promotions=len(found),
        raw=mean(abs((one.realised or 0.0) - one.gain) for one in found),
        corrected=mean(abs((one.realised or 0.0) - one.predicted) for one in found),
        raw_to_truth=mean(abs(one.true_since - one.gain) for one in found),
        corrected_to_truth=mean(abs(one.true_since - one.predicted) for one in found),
        raw_bias=mean(one.gain - one.true_since for one in found),
        bias=mean(one.predicted - one.true_since for one in found),
        true_lift=mean(one.true_since for one in found),
    )


FADING = "fading"
WINNERS = ("winner", "one_of_six", "ramp_winner")


def gaps(results: Results) -> list[Gap]:
    """By world, then of all lifts that last: where novelty fades, the lower prediction is closer for a poor reason."""
    found = [gap_of(world.title, promotions(results, [key])) for key, (world, _) in results.items()]
    found.append(gap_of("All but the fading", promotions(results, [key for key in results if key != FADING])))
    return [gap for gap in found if gap is not None]


def bounds(results: Results) -> list[Bound]:
    """Of the worlds that were run."""
    rows = {key: row_of(world, played, "policy") for key, (world, played) in results.items()}
    naive = {key: row_of(world, played, "naive") for key, (world, played) in results.items()}
    found = [
        _at_most(f"{key}.false-promotions-upper", rows[key].false.high, FALSE)
        for key in ("null", "winner", "one_of_six", "ramp_null", "ramp_winner")
        if key in rows
    ]
    if "harmful" in rows:
        found.append(_at_most("harmful.worse-promotions-upper", rows["harmful"].worse.high, WORSE))
    found += [_at_most(f"{key}.promotions", rows[key].false.hits, 0) for key in ("guardrail", "srm") if key in rows]
    found += [_at_least(f"{key}.power", rows[key].right.share, POWER) for key in WINNERS if key in rows]
    found += [
        _at_least(f"naive-peeking-{key}", naive[key].false.share, FALSE)
        for key in ("null", "ramp_null")
        if key in naive
    ]
    if FADING in results:
        found.append(_at_least("fading.reverted", reverted(*results[FADING]).share, REVERTED))
    followed = [reverted(*results[key]) for key in WINNERS if key in results]
    if followed:
        found.append(_at_most("winners.reverted-upper", together(followed).high, KEPT_WRONGLY))
    again = sum(promoted_again(played) for _, played in results.values())
    found.append(_at_most("promoted-again", again, 0))
    overall = gap_of("", promotions(results, [key for key in results if key != FADING]))
    if overall is not None:
        found.append(_at_most("gap.corrected-over-raw", overall.corrected / overall.raw, 1.0))
        found.append(
            _at_most("gap-to-truth.corrected-over-raw", overall.corrected_to_truth / overall.raw_to_truth, 1.0)
        )
    return found


def _at_most(name: str, measured: float, bound: float) -> Bound:
    return Bound(name=name, measured=measured, relation="<=", bound=bound)


def _at_least(name: str, measured: float, bound: float) -> Bound:
    return Bound(name=name, measured=measured, relation=">=", bound=bound)
