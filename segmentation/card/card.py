"""The card of a segment: how many, worth what, how steady, how near to others, how to reach, set apart by what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from analysis.estimate import Interval, Severity, Undefined

Code = Literal[
    "empty",
    "nearly_nobody",
    "nearly_everybody",
    "too_small",
    "unstable",
    "redundant",
    "inside",
    "hard_to_reach",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """`share` of all units."""

    units: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a group bought. `interval` is that of the revenue per unit: its mean ± 1.96 standard errors.

    `buyers` bought at least once; `purchase_value` is of the purchases that have a value. `revenue_share` is of
    everybody's revenue; `index` is revenue per unit over everybody's: 1 is as all.
    """

    revenue: float
    purchases: int
    buyers: int
    revenue_per_unit: float | Undefined
    interval: Interval | Undefined
    purchase_value: float | Undefined
    buyer_share: float | Undefined
    revenue_share: float | Undefined
    index: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """Members at its beginning and end; who was in at both ends stayed, whatever happened in between."""

    starts_at: datetime
    ends_at: datetime
    before: int
    after: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """`entering` and `leaving`: of all weeks together, over the members at the beginnings of these weeks."""

    weeks: tuple[Week, ...]
    entering: float | Undefined
    leaving: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """With another segment: the units in `both`, over those in either (Jaccard), over this one's, over the other's."""

    other: str
    both: int
    jaccard: float | Undefined
    share_of_this: float | Undefined
    share_of_other: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Units of the segment that a channel reaches; `index` is the share over that of all units."""

    channel: str
    units: int
    share: float | Undefined
    index: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """By channel, commonest first; `by_none` is the share that no channel reaches."""

    channels: tuple[Reach, ...]
    by_none: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryProfile:
    """Values of an attribute with their shares of the units for which it is `known`, commonest first."""

    attribute: str
    known: int
    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberProfile:
    """Of the units for which it is `known`; quartiles are interpolated between neighbours."""

    attribute: str
    known: int
    mean: float
    lower: float
    median: float
    upper: float


Profile = CategoryProfile | NumberProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """One difference from everybody else: from the units that are not in the segment.

    Parameters
    ----------
    value
        Of a category; None for a number.
    inside, elsewhere
        Shares of the value among units where the attribute is known; means of a number.
    lift
        inside / elsewhere - 1; undefined unless `elsewhere` is positive.
    size
        Standardised: Cohen's h of two shares, the standardised difference d of two means.
    p_value
        Holm's, over all differences of the card.
    distinguishing
        p_value below alpha, and a size that matters.
    by_definition
        The segment's own condition looks at the attribute.
    """

    attribute: str
    value: str | None
    inside: float
    elsewhere: float
    units_inside: int
    units_elsewhere: int
    lift: float | Undefined
    size: float
    p_value: float
    distinguishing: bool
    by_definition: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The smallest lift, upwards, that so many weeks find with the trial's power; `units` are in all variants."""

    weeks: int
    units: int
    lift: float | Undefined


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutlook:
    """Whether an experiment in the segment would come to an answer.

    `baseline` is the metric now, per unit. `units_needed` and `weeks_needed` are for the trial's smallest lift worth
    acting on. `sentence` says it in words.
    """

    baseline: float | Undefined
    units_per_week: float
    shown: tuple[Shown, ...]
    units_needed: int | Undefined
    weeks_needed: int | Undefined
    sentence: str

    @property
    def told(self) -> Shown:
        """Of all weeks, those in the middle: of these the sentence speaks."""
        return self.shown[len(self.shown) // 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardWarning:
    """`other` is the segment that the warning speaks of, where it speaks of one."""

    code: Code
    severity: Severity
    sentence: str
    other: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentCard:
    """What is None was not asked: no purchases, no memberships, no contacts, no trial."""

    segment: str
    size: Size
    value: Value | None
    stability: Stability | None
    overlaps: tuple[Overlap, ...]
    reached: Reached | None
    profiles: tuple[Profile, ...]
    traits: tuple[Trait, ...]
    testability: TrialOutlook | None
    warnings: tuple[CardWarning, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardBook:
    """The cards of segments of the same units, in the order in which the segments were named."""

    units: int
    everybody: Value | None
    cards: tuple[SegmentCard, ...]

    def card(self, segment: str) -> SegmentCard:
        """Raises KeyError."""
        return {card.segment: card for card in self.cards}[segment]
