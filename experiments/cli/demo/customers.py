"""Customers: simulated ones, whose truth is known, and recorded ones from a file."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from experiments.services.replaying.file import BadRow, WideFile

Outcomes = tuple[tuple[str, float | None], ...]
"""Pairs of event name and value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """`shown` is (segment, variant) where that was decided long ago, by somebody else."""

    unit_id: str
    attributes: Mapping[str, Any]
    shown: tuple[str, str] | None = None
    outcomes: Outcomes = ()


class Crowd(Protocol):
    """Customers, and what each does once it was shown a variant."""

    @property
    def count(self) -> int: ...

    def customers(self) -> Iterator[Customer]: ...

    def outcomes(self, customer: Customer, variant: str) -> Outcomes: ...


VISIT_RATES: Mapping[str, Mapping[str, float]] = {
    "mens_only": {"no_email": 0.099813, "mens_email": 0.168968, "womens_email": 0.110892},
    "womens_only": {"no_email": 0.095808, "mens_email": 0.166388, "womens_email": 0.169794},
    "both": {"no_email": 0.180549, "mens_email": 0.314993, "womens_email": 0.251653},
}
"""The truth of the simulation: visit rates by what was bought before, as published for the 2008 e-mail challenge."""

_PURCHASE_RATES = {"no_email": 0.0539, "mens_email": 0.0686, "womens_email": 0.0584}
_MEAN_SPEND = {"no_email": 114.0, "mens_email": 113.5, "womens_email": 121.9}
_LEAST_SPEND, _MOST_SPEND = 29.99, 499.0
_GROUPS = {"mens_only": (28_818, 1, 0), "womens_only": (28_734, 0, 1), "both": (6_448, 1, 1)}
_RECENCY = (8_952, 7_537, 5_904, 5_077, 4_510, 4_605, 4_078, 3_495, 6_441, 7_565, 3_504, 2_332)
_ZIP_CODES = {"Rural": 0.1494, "Suburban": 0.4496, "Urban": 0.4010}
_CHANNELS = {"Phone": 0.4378, "Web": 0.4409, "Multichannel": 0.1213}


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Customers with the shares of the real ones. What each does follows from seed, customer and variant only."""

    count: int
    seed: int

    def customers(self) -> Iterator[Customer]:
        """Return them in order."""
        chance = random.Random(self.seed)
        for number in range(1, self.count + 1):
            yield Customer(unit_id=f"customer-{number}", attributes=_attributes(chance))

    def outcomes(self, customer: Customer, variant: str) -> Outcomes:
        """Draw a visit, perhaps a purchase, and what it is worth."""
        chance = random.Random(f"{self.seed}:{customer.unit_id}:{variant}")
        if chance.random() >= VISIT_RATES[group_of(customer.attributes)][variant]:
            return ()
        if chance.random() >= _PURCHASE_RATES[variant]:
            return (("visit", None),)
        above = chance.expovariate(1 / (_MEAN_SPEND[variant] - _LEAST_SPEND))
        return (("visit", None), ("purchase", round(min(_LEAST_SPEND + above, _MOST_SPEND), 2)))


def group_of(attributes: Mapping[str, Any]) -> str:
    """Return what a customer bought before."""
    bought = (attributes["mens"], attributes["womens"])
    return next(group for group, (_, *flags) in _GROUPS.items() if tuple(flags) == bought)


def _attributes(chance: random.Random) -> dict[str, Any]:
    (group,) = chance.choices(list(_GROUPS), weights=[share for share, *_ in _GROUPS.values()])
    _, mens, womens = _GROUPS[group]
    history = min(max(chance.lognormvariate(5.0, 1.03), _LEAST_SPEND), 3_345.93)
    return {
        "recency": chance.choices(range(1, 13), weights=_RECENCY)[0],
        "history": round(history, 2),
        "mens": mens,
        "womens": womens,
        "zip_code": chance.choices(list(_ZIP_CODES), weights=list(_ZIP_CODES.values()))[0],
        "newbie": int(chance.random() < 0.5022),
        "channel": chance.choices(list(_CHANNELS), weights=list(_CHANNELS.values()))[0],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The customers of a file that has been checked."""

    count: int
    file: WideFile

    def customers(self) -> Iterator[Customer]:
        """Return them in order of the file."""
        for row in self.file.rows():
            if isinstance(row, BadRow):
                continue
            yield Customer(
                unit_id=row.unit_id, attributes=row.attributes, shown=(row.segment, row.variant), outcomes=row.outcomes
            )

    def outcomes(self, customer: Customer, variant: str) -> Outcomes:
        """Return what the file says."""
        return customer.outcomes
