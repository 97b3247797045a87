"""A world: who comes every day, what each variant does to them, and what is broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from experiments.domain.promotion_policy import PromotionPolicy
from experiments.domain.segment import EVERYONE

Floats: TypeAlias = NDArray[np.float64]

CONTROL, TREATMENT, OTHER = "control", "treatment", "other"
HARM_MARGIN = 0.05
LOOK_DAYS = 28
# Monday to Sunday, about 1.
WEEK = (0.95, 0.9, 0.92, 1.0, 1.08, 1.2, 0.95)
POLICY = PromotionPolicy(automatic=True, minimum_weeks=2, ramp_bp=(5_000, 9_000), holdback_bp=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The lift on day d: `late + (early - late)·2^(-d / half_life_days)`; without a half-life always `early`."""

    early: float
    late: float = 0.0
    half_life_days: float | None = None

    def by_day(self, days: int) -> Floats:
        if self.half_life_days is None:
            return np.full(days, self.early)
        faded: Floats = self.late + (self.early - self.late) * np.exp2(-np.arange(days) / self.half_life_days)
        return faded


@dataclass(frozen=True, kw_only=True)
class World:
    """What an experiment meets. Units come as Poisson numbers; the primary metric is a conversion.

    Parameters
    ----------
    key, title
        For the machine and for people.
    segments
        Keys; the last is always everyone else.
    daily_units
        Expected new units a day and segment, all variants together.
    rate
        The control's conversion rate on a day of weekly level 1, in a segment of level 1.
    effects
        (segment, variant) -> effect on the rate; (None, variant) is for all segments. Absent: none.
    harms
        Variant -> lift of the guardrail, a mean with standard deviation `guardrail_spread` times the mean; more is
        better, and a fall by `HARM_MARGIN` is tolerated.
    lost
        The share of the treatment's units that are never counted, all of them without a conversion: an SRM bug.
    trend
        The rate on the last of 28 days over that of the first, geometric.
    launch
        Day -> weights by variant that the author gives all segments then, and on day 0.
    days
        The number of daily looks.
    levels
        Relative levels of the segments' rates, in order; empty: all 1.
    strengths
        What the effects are multiplied by, in turn: experiments differ.
    wrong
        Whether any promotion is wrong, whatever the primary metric: a guardrail is harmed, or the data are broken.
    """

    key: str
    title: str
    segments: tuple[str, ...] = (EVERYONE,)
    variants: tuple[str, ...] = (CONTROL, TREATMENT)
    daily_units: int = 2_000
    rate: float = 0.10
    effects: Mapping[tuple[str | None, str], Effect] = field(default_factory=dict)
    harms: Mapping[str, float] = field(default_factory=dict)
    guardrail_spread: float = 0.5
    lost: float = 0.0
    trend: float = 1.0
    launch: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    days: int = LOOK_DAYS
    tuned_for_units: int = 40_000
    levels: tuple[float, ...] = ()
    strengths: tuple[float, ...] = (1.0,)
    wrong: bool = False
    policy: PromotionPolicy = POLICY

    def of(self, index: int) -> World:
        """The world of that experiment, with one strength."""
        return self._each[index % len(self.strengths)]

    @cached_property
    def _each(self) -> tuple[World, ...]:
        return tuple(
            replace(
                self,
                strengths=(1.0,),
                effects={
                    at: replace(effect, early=strength * effect.early, late=strength * effect.late)
                    for at, effect in self.effects.items()
                },
            )
            for strength in self.strengths
        )

    @cached_property
    def base(self) -> Floats:
        """The control's rate by day and segment."""
        day = np.arange(self.days)
        level = np.array(self.levels or (1.0,) * len(self.segments))
        by_day = self.rate * np.array(WEEK)[day % 7] * self.trend ** (day / (LOOK_DAYS - 1))
        found: Floats = by_day[:, None] * level
        return found

    @cached_property
    def lifts(self) -> Floats:
        """The true lift by day, segment and variant."""
        found = np.zeros((self.days, len(self.segments), len(self.variants)))
        for (segment, variant), effect in self.effects.items():
            place = self.variants.index(variant)
            own = slice(None) if segment is None else self.segments.index(segment)
            found[:, own, place] = effect.by_day(self.days).reshape((-1, 1) if segment is None else (-1,))
        return found

    @cached_property
    def rates(self) -> Floats:
        """The conversion rate by day, segment and variant."""
        found: Floats = self.base[:, :, None] * (1 + self.lifts)
        return found

    @cached_property
    def guardrail_means(self) -> Floats:
        """By variant; the control's is 1."""
        return np.array([1 + self.harms.get(variant, 0.0) for variant in self.variants])

    @cached_property
    def counted(self) -> Floats:
        """The share of units that is counted, by variant."""
        return np.array([1 - self.lost if variant == TREATMENT else 1.0 for variant in self.variants])

    def weights_on(self, day: int) -> Mapping[str, int]:
        """What the author's launch gives everybody on a day."""
        begun = [start for start in self.launch if start <= day]
        return self.launch[max(begun)] if begun else dict.fromkeys(self.variants, 1)

    @cached_property
    def shares(self) -> Floats:
        """The author's split by day, segment and variant: what would stay if nothing were promoted."""
        rows = [[self.weights_on(day).get(variant, 0) for variant in self.variants] for day in range(self.days)]
        split = np.array(rows, dtype=float)
        split /= split.sum(axis=1, keepdims=True)
        return np.repeat(split[:, None, :], len(self.segments), axis=1)

    def true_lift(self, segment: str, variant: str, start: int, end: int) -> float:
        """The mean lift over those days, at least one; of the last day where `start` is the end."""
        place = self.segments.index(segment), self.variants.index(variant)
        first = min(start, self.days - 1)
        return float(self.lifts[first : max(end, first + 1), *place].mean())
