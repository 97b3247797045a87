"""What cards are made of, and what is asked of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from segmentation.card.card import Stability

AttributeKind = Literal["category", "number"]
Membership = Any
"""The name of a boolean column of the units, or an Ibis expression of them: `ibis._.recency <= 3`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Ibis tables of one database, or Arrow tables.

    Parameters
    ----------
    units
        One row per unit: `unit_id`, and a column per attribute. All others are compared with these.
    segments
        Membership by key of segment; null is no member. A unit may be in several.
    purchases
        `unit_id`, `value`: of the period that value is to be told for. Whatever a unit that is not in `units` bought
        is left out; a value that is no finite number adds nothing, and is a purchase all the same.
    memberships
        `unit_id`, `segment`, `entered_at`, `left_at` (null: still in). A stay is [entered_at, left_at).
    steadiness
        In place of memberships: what was counted of them before (`stability_of`), by key of segment.
    contacts
        `unit_id`, `channel`: by which channels a unit can be reached. Rows may repeat.
    """

    units: ir.Table | pa.Table
    segments: Mapping[str, Membership]
    purchases: ir.Table | pa.Table | None = None
    memberships: ir.Table | pa.Table | None = None
    steadiness: Mapping[str, Stability] | None = None
    contacts: ir.Table | pa.Table | None = None

    def __post_init__(self) -> None:
        if not self.segments:
            raise Refused("no_segments", "A card is of a segment, and none is named.")
        if self.memberships is not None and self.steadiness is not None:
            raise Refused("question_invalid", "Memberships are counted, or were counted before: not both.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The experiment that a segment is thought of for.

    Parameters
    ----------
    outcome
        A numeric column of the units: what the primary metric would have been for each, as things are now. Units
        without a value are left out.
    kind
        Of the metric: "conversion", "mean" or "count".
    units_per_week
        > 0: different units of all customers together that come to be in an experiment each week, of which a segment is
        taken to have its share; or those of each segment, by key.
    minimum_lift
        > 0: the smallest lift worth acting on.
    weeks
        For which the smallest lift is told, each ≥ 1, rising.
    longest_weeks
        How long anybody would wait.
    variants, alpha, power, comparisons
        Of the experiment; `comparisons` is the number that is judged together: segments × pairs of variants.
    always_valid
        Looked at any time, as Winnow's reports are; False: at one look, at the end.
    refills
        New units keep coming into the segment (visitors of a web site). False: there are only those that it has.

    Raises
    ------
    Refused
        "question_invalid".
    """

    outcome: str
    kind: Literal["conversion", "mean", "count"]
    units_per_week: float | Mapping[str, float]
    minimum_lift: float = 0.05
    weeks: tuple[int, ...] = (1, 2, 4, 8, 12)
    longest_weeks: int = 12
    variants: int = 2
    alpha: float = 0.05
    power: float = 0.8
    comparisons: int = 1
    always_valid: bool = True
    refills: bool = False

    def __post_init__(self) -> None:
        arriving = self.units_per_week
        rates = tuple(arriving.values()) if isinstance(arriving, Mapping) else (arriving,)
        _require(all(0 <= rate < inf for rate in rates), "Units per week are 0 or more.")
        _require(0 < self.minimum_lift < inf, "A lift worth acting on is positive.")
        _require(bool(self.weeks) and self.weeks[0] >= 1, "Weeks are 1 or more.")
        _require(list(self.weeks) == sorted(set(self.weeks)), "Weeks rise.")
        _require(self.longest_weeks >= 1, "The longest wait is a week or more.")
        _require(self.variants >= 2 and self.comparisons >= 1, "There are two variants and one comparison, or more.")
        _require(0 < self.alpha < 1, "An error rate lies between 0 and 1.")
        _require(0.5 <= self.power < 1, "The power lies between a half and 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """When a card warns. Shares are fractions.

    Parameters
    ----------
    few_units
        Fewer are too small, where no trial says better: 1,000 units in two variants do not even find that a rate of
        2% doubles.
    nearly_nobody, nearly_everybody
        Share of all customers, below and above which a segment splits nobody off.
    leaving
        Share of members that leave per week, from which a segment is unstable.
    redundant
        Jaccard index with another segment, from which the two are nearly the same.
    inside
        Share of the segment that lies in another one, from which it is told.
    unreached
        Share of the segment that no channel reaches, from which it is told.
    least_seen
        Where fewer of all customers are reached by any channel, nothing is told of the segment's being reached by none.
    """

    few_units: int = 1_000
    nearly_nobody: float = 0.005
    nearly_everybody: float = 0.95
    leaving: float = 0.15
    redundant: float = 0.9
    inside: float = 0.95
    unreached: float = 0.5
    least_seen: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Parameters
    ----------
    attributes
        Columns of the units to describe and compare by. None: all but the outcome and the segments' own columns; texts,
        booleans and integers of at most two values are categories, other numbers are numbers, all else is left out.
    defined_by
        By segment, the attributes that its condition looks at: what it differs in by definition is no discovery.
    least_units
        Fewer units with a value are neither compared nor named: chance would speak, and of single people.
    most_values
        Of a category, the commonest so many values are looked at.
    alpha
        Error rate of all differences of one card together.
    least_size
        Standardised size from which a difference is called distinguishing; 0.2 is Cohen's "small".
    as_of
        End of the last week of memberships, with a time zone; wanted where memberships are given.
    weeks
        Of memberships, back from `as_of`.

    Raises
    ------
    Refused
        "question_invalid", "instant_without_zone".
    """

    attributes: Mapping[str, AttributeKind] | None = None
    defined_by: Mapping[str, Collection[str]] = field(default_factory=dict)
    least_units: int = 30
    most_values: int = 50
    alpha: float = 0.05
    least_size: float = 0.2
    as_of: datetime | None = None
    weeks: int = 8
    trial: Trial | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        _require(self.least_units >= 2 and self.most_values >= 1, "There are two units and one value, or more.")
        _require(
            0 < self.alpha < 1 and self.least_size >= 0, "An error rate lies between 0 and 1, a size is not below 0."
        )
        _require(self.weeks >= 1, "There is a week or more.")
        if self.as_of is not None and self.as_of.tzinfo is None:
            raise Refused("instant_without_zone", "An instant needs a time zone.")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise Refused("question_invalid", message)
