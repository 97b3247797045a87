"""What a card of a segment holds; a part that is not known is None, and a reason stands in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from api.dashboard.stored.values import Interval, Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a group bought; `index` is revenue per customer over everybody's."""

    purchases: int
    buyers: int
    per_customer: Number
    interval: Interval | None
    per_purchase: Number
    buyer_share: Number
    revenue_share: Number
    index: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """Members at its beginning and end, and who came and left."""

    starts_at: datetime
    before: int
    after: int
    entered: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """`entering` and `leaving` per week, as fractions of the members."""

    weeks: tuple[Week, ...]
    entering: Number
    leaving: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """With another segment."""

    other: str
    both: int
    share_of_this: Number
    share_of_other: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """By one channel."""

    channel: str
    units: int
    share: Number
    index: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """By all channels; `by_none` is the share that no channel reaches."""

    channels: tuple[Reach, ...]
    by_none: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """One difference from everybody else; `value` None: of a number, whose means are compared."""

    attribute: str
    value: str | None
    inside: float
    elsewhere: float
    size: float
    distinguishing: bool
    by_definition: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The smallest lift that so many weeks can show."""

    weeks: int
    units: int
    lift: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Can it be tested in? `units_needed` are for the lift worth acting on."""

    baseline: Number
    units_needed: Number
    shown: tuple[Shown, ...]
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A warning of the card; `other` is a segment that it speaks of."""

    code: str
    severity: str
    sentence: str
    other: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """`reasons`: sentences on what is not known, by `value`, `stability`, `reached` and `testability`."""

    units: int
    share: float
    worth: Worth | None
    steadiness: Steadiness | None
    overlaps: tuple[Overlap, ...]
    reached: Reached | None
    traits: tuple[Trait, ...]
    outlook: Outlook | None
    reasons: Mapping[str, str]
