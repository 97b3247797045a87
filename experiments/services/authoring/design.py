"""Before it starts: how many units an experiment needs, how long that takes, and what so many can find.

Heavy to import, as all that reaches the numbers: never on the path of a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, floor, sqrt
from typing import Literal

from analysis.design.designs import Design, spread_of
from analysis.design.duration import Duration, duration
from analysis.design.errors import DesignErrors, design_errors
from analysis.design.metrics import Conversion, Count, Mean, Metric
from analysis.design.power import SampleSize, minimum_detectable_effect, power, sample_size
from analysis.design.rules import Arms, Rule
from analysis.effects.events import EVENTS_NEEDED
from analysis.estimate import Undefined
from analysis.inference.dunnett import dunnett_critical
from analysis.inference.group_sequential import Spending as Looks
from analysis.inference.group_sequential import spending_boundaries
from experiments.domain.errors import InvalidInput
from experiments.domain.policy import AnalysisPlan, Family, Spending, StoppingRule

TUNING_ROUNDS = 30
LEAST_TUNED_FOR_UNITS = 100
_WANTED = "Say what the metric is now, one of the three: a rate, a mean, or events per unit."
_PAIR = "A mean, and nothing else, needs its standard deviation."
_QUESTION = "Say which lift is to be found, or how many units there are."
_LEAST = "There are two variants, one segment and one look, or more."
_PLAN = AnalysisPlan()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """An experiment that is thought of. One of `rate` (of a conversion), `mean` with `std_dev`, `count_rate` is given.

    `explained` is the share of the variance that covariates take out. `variants` include the control. Every variant has
    the same share, and each segment is judged by itself: the smallest has `smallest_share` of all units.
    `tuned_for_units` and `looks` are of the stopping rules that have them; left out, the first follows from the size.
    The minima are those of the analysis plan, of each variant in a segment: with less nothing is concluded.
    """

    rate: float | None = None
    mean: float | None = None
    std_dev: float | None = None
    count_rate: float | None = None
    dispersion: float = 1.0
    explained: float = 0.0
    lift: float | None = None
    units: int | None = None
    units_per_day: float | None = None
    variants: int = 2
    segments: int = 1
    smallest_share: float | None = None
    alpha: float = 0.05
    target_power: float = 0.8
    stopping_rule: StoppingRule = StoppingRule.ALWAYS_VALID
    family: Family = Family.HOLM
    spending: Spending = Spending.OBRIEN_FLEMING
    looks: int = 5
    tuned_for_units: int | None = None
    minimum_units: int = _PLAN.minimum_units
    minimum_conversions: int = _PLAN.minimum_conversions

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.rate, self.mean, self.count_rate)) != 1:
            raise InvalidInput("metric_missing", _WANTED, path="--rate, --mean or --count-rate")
        if (self.mean is None) != (self.std_dev is None):
            raise InvalidInput("std_dev_missing", _PAIR, path="--mean, --std-dev")
        if self.lift is None and self.units is None:
            raise InvalidInput("question_missing", _QUESTION, path="--lift or --units")
        if self.lift is not None and not abs(self.lift) > 0:
            raise InvalidInput("lift_invalid", "The lift to be found is not 0.", path="--lift")
        if self.variants < 2 or self.segments < 1 or self.looks < 1:
            raise InvalidInput("sketch_invalid", _LEAST, path="--variants, --segments, --looks")
        if not 0 < self.share <= 1 / self.segments + 1e-9:
            told = f"The smallest of {self.segments} segments has at most an even share."
            raise InvalidInput("share_invalid", told, path="--smallest-share")
        if self.units is not None and self.units < 1:
            raise InvalidInput("units_invalid", "A number of units is 1 or more.", path="--units")
        try:
            AnalysisPlan(minimum_units=self.minimum_units, minimum_conversions=self.minimum_conversions)
        except InvalidInput as error:
            # The plan's own words, and the option's name.
            option = f"--{(error.path or '').strip('/').replace('_', '-')}"
            raise InvalidInput(error.code, str(error), path=option) from None

    @property
    def share(self) -> float:
        """Of the smallest segment."""
        return 1 / self.segments if self.smallest_share is None else self.smallest_share

    @property
    def comparisons(self) -> int:
        """What is judged together: pairs of variants (with Dunnett: those with the control) in all segments."""
        pairs = self.variants - 1 if self.family is Family.DUNNETT else self.variants * (self.variants - 1) // 2
        return pairs * self.segments


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """Units of a variant below which a report concludes nothing yet, whatever its p-values; `code`: which minimum."""

    code: Literal["minimum_units", "minimum_conversions", "few_events"]
    units_in_variant: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Units with which the lift is found; `time` is None where nobody said how many come.

    `tuned_for_units` is what to put into the analysis of an experiment of that size; None where its rule has none.
    `minimum` is what asks for so many units, where the power alone would take fewer.
    """

    units: int
    units_in_segment: int
    units_in_variant: int
    tuned_for_units: int | None
    time: Duration | Undefined | None
    errors: DesignErrors | Undefined
    minimum: Minimum | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a given number of units finds; `power` is None where no lift was named.

    Both are undefined, with the minimum that is not met, where a report would not conclude anything.
    """

    units: int
    units_in_variant: int
    tuned_for_units: int | None
    detectable_lift: float | Undefined
    power: float | Undefined | None
    time: Duration | Undefined | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`needed` None: no lift was named; `found` None: no number of units was."""

    comparisons: int
    needed: Needed | Undefined | None
    found: Found | None


def design(sketch: Sketch) -> Answer:
    """Answer a sketch. Raises InvalidInput where it contradicts itself."""
    _refuse_unfit(sketch)
    try:
        return Answer(comparisons=sketch.comparisons, needed=_needed(sketch), found=_found(sketch))
    except ValueError as error:
        raise InvalidInput("sketch_invalid", f"There is no such design: {error}.") from None


def _refuse_unfit(sketch: Sketch) -> None:
    only = {Family.DUNNETT: StoppingRule.FIXED_HORIZON, Family.E_BENJAMINI_HOCHBERG: StoppingRule.ALWAYS_VALID}
    wanted = only.get(sketch.family, sketch.stopping_rule)
    if sketch.stopping_rule is not wanted:
        raise InvalidInput("family_unfit", f"{sketch.family} needs the stopping rule {wanted}.", path="--stopping-rule")


def _metric(sketch: Sketch) -> Metric:
    if sketch.rate is not None:
        return Conversion(rate=sketch.rate, explained=sketch.explained)
    if sketch.count_rate is not None:
        return Count(rate=sketch.count_rate, dispersion=sketch.dispersion, explained=sketch.explained)
    return Mean(mean=sketch.mean or 0.0, std_dev=sketch.std_dev or 0.0, explained=sketch.explained)


def _design(sketch: Sketch, units_in_segment: float) -> Design:
    """Sequences are tuned for the units that there will be, unless the author wants it otherwise."""
    made = Design(metric=_metric(sketch), rule=_rule(sketch), arms=Arms(treatments=sketch.variants - 1))
    if sketch.stopping_rule is not StoppingRule.ALWAYS_VALID:
        return made
    return _tuned_for(made, sketch, max(sketch.tuned_for_units or units_in_segment, LEAST_TUNED_FOR_UNITS))


def _sized(sketch: Sketch) -> tuple[Design, SampleSize | Undefined]:
    """The sample size follows from what sequences are tuned for, and that from the sample size: round after round."""
    tuned = 5_000.0
    for _ in range(TUNING_ROUNDS):
        made = _design(sketch, tuned)
        size = sample_size(made, difference=_difference(sketch, made), target_power=sketch.target_power)
        if isinstance(size, Undefined) or abs(size.total - tuned) <= 0.001 * tuned:
            break
        tuned = float(size.total)
    return made, size


def _raised(sketch: Sketch, made: Design, size: SampleSize) -> tuple[Design, SampleSize, Minimum | None]:
    """A size with which something is concluded."""
    minimum = _minimum(sketch, made.metric.value, sketch.lift or 0.0)
    if size.total >= minimum.units_in_variant * sketch.variants:
        return made, size, None
    total = minimum.units_in_variant * sketch.variants
    each = float(minimum.units_in_variant)
    return _design(sketch, total), SampleSize(control=each, treatment=each, total=total), minimum


def _minimum(sketch: Sketch, value: float, lift: float) -> Minimum:
    """The largest of the minima that a report of the primary metric waits for, of arms of one size.

    Conversions count as those of a pair of arms, see `analysis.quality.minimum`; with further arms the pair may be two
    that are as the control. Means count by effective events (`analysis.effects.events`) as if no value were negative.
    """
    units = Minimum(
        code="minimum_units",
        units_in_variant=sketch.minimum_units,
        message=f"The plan's `minimum_units` asks for {sketch.minimum_units:,} in each variant of a segment; with "
        "fewer nothing is concluded.",
    )
    found = [units, *_least_conversions(sketch, value, lift), *_least_events(sketch, value, lift)]
    return max(found, key=lambda one: one.units_in_variant)


def _least_conversions(sketch: Sketch, value: float, lift: float) -> Iterator[Minimum]:
    if sketch.rate is None or not sketch.minimum_conversions:
        return
    together = value * (1 + lift / 2)
    rates = [together, value] if sketch.variants > 2 else [together]
    rarest = min([share for rate in rates for share in (rate, 1 - rate)])
    if rarest > 0:
        # So many are expected of a pair that all but one in forty have twice the minimum: λ - 2√λ = 2m.
        expected = (1 + sqrt(1 + 2 * sketch.minimum_conversions)) ** 2
        yield Minimum(
            code="minimum_conversions",
            units_in_variant=ceil(expected / 2 / rarest),
            message=f"The plan's `minimum_conversions` asks for {sketch.minimum_conversions:,} with and "
            f"{sketch.minimum_conversions:,} without an event in each variant of a segment; with fewer nothing is "
            "concluded.",
        )


def _least_events(sketch: Sketch, value: float, lift: float) -> Iterator[Minimum]:
    if sketch.rate is not None:
        return
    least = value * min(1.0, 1 + lift)
    variance = sketch.dispersion * least if sketch.count_rate is not None else (sketch.std_dev or 0.0) ** 2
    if least > 0:
        yield Minimum(
            code="few_events",
            units_in_variant=ceil(EVENTS_NEEDED * (1 + variance / (least * least))),
            message=f"The sum of each variant has to rest on {EVENTS_NEEDED} effective events in a segment, which so "
            "many bring on average; with fewer nothing is concluded.",
        )


def _tuned_for(made: Design, sketch: Sketch, units: float) -> Design:
    """A plan is tuned for the units of a segment, a comparison has those of two of its variants."""
    pair = max(1, round(units * 2 / sketch.variants))
    return replace(made, rule=replace(made.rule, tuned_for_units=pair))


def _tuned(sketch: Sketch, made: Design) -> int | None:
    pair = made.rule.tuned_for_units
    return None if pair is None else max(LEAST_TUNED_FOR_UNITS, round(pair * sketch.variants / 2))


def _rule(sketch: Sketch) -> Rule:
    """Families that step down, or limit a share, are planned for as if they did not: that is their worst case."""
    if sketch.family is Family.DUNNETT:
        loadings = [sqrt(0.5)] * (sketch.variants - 1)
        return Rule(alpha=sketch.alpha, critical=dunnett_critical(loadings, sketch.alpha / sketch.segments))
    if sketch.stopping_rule is StoppingRule.GROUP_SEQUENTIAL:
        spending = Looks(family=sketch.spending.value, alpha=sketch.alpha / sketch.comparisons)
        last = spending_boundaries(spending, [look / sketch.looks for look in range(1, sketch.looks + 1)])[-1].critical
        if isinstance(last, Undefined):
            raise InvalidInput("looks_invalid", f"{sketch.looks} looks leave nothing for the last one.", path="--looks")
        return Rule(alpha=sketch.alpha, critical=last)
    return Rule(alpha=sketch.alpha, comparisons=sketch.comparisons)


def _difference(sketch: Sketch, made: Design) -> float:
    return (sketch.lift or 0.0) * made.metric.value


def _needed(sketch: Sketch) -> Needed | Undefined | None:
    if sketch.lift is None:
        return None
    made, size = _sized(sketch)
    if isinstance(size, Undefined):
        return size
    made, size, minimum = _raised(sketch, made, size)
    units = ceil(size.total / sketch.share)
    return Needed(
        units=units,
        units_in_segment=size.total,
        units_in_variant=ceil(size.total / sketch.variants),
        tuned_for_units=_tuned(sketch, made),
        time=_time(sketch, units),
        errors=_errors(sketch, made, size),
        minimum=minimum,
    )


def _errors(sketch: Sketch, made: Design, size: SampleSize) -> DesignErrors | Undefined:
    difference = _difference(sketch, made)
    spread = spread_of(made, difference)
    if isinstance(spread, Undefined):
        return spread
    error = sqrt(spread.treatment / size.treatment + spread.control / size.control)
    critical = made.rule.critical_at(size.treatment + size.control)
    return design_errors(difference, error, alpha=sketch.alpha, critical=critical)


def _found(sketch: Sketch) -> Found | None:
    if sketch.units is None:
        return None
    made = _design(sketch, sketch.units * sketch.share)
    control = floor(sketch.units * sketch.share / sketch.variants)
    effect = minimum_detectable_effect(made, control_units=control, target_power=sketch.target_power)
    lift = effect if isinstance(effect, Undefined) else effect.lift
    if not isinstance(lift, Undefined):
        lift = _silent(sketch, made, control, lift) or lift
    chance: float | Undefined | None = None
    if sketch.lift:
        chance = _silent(sketch, made, control, sketch.lift)
        chance = chance or power(made, control_units=control, difference=_difference(sketch, made))
    return Found(
        units=sketch.units,
        units_in_variant=control,
        tuned_for_units=_tuned(sketch, made),
        detectable_lift=lift,
        power=chance,
        time=_time(sketch, sketch.units),
    )


def _silent(sketch: Sketch, made: Design, units_in_variant: int, lift: float) -> Undefined | None:
    minimum = _minimum(sketch, made.metric.value, lift)
    enough = units_in_variant >= minimum.units_in_variant
    return None if enough else Undefined(reason=minimum.code, message=minimum.message)


def _time(sketch: Sketch, units: float) -> Duration | Undefined | None:
    return None if sketch.units_per_day is None else duration(units, sketch.units_per_day)
