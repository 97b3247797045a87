"""All customers by recency, frequency and money (JSON): the squares of the map, and the named groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.dashboard.stored.values import Doc, Number, is_defined, number_of

CENTS = 100
_FACTS = ("customers", "bought_once", "median_recency_days", "median_frequency", "top_fifth_share")


@dataclass(frozen=True, slots=True, kw_only=True)
class RfmCell:
    """Customers with these scores, and what they spent (in money, not cents)."""

    r: int
    f: int
    customers: int
    revenue: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RfmGroup:
    """A named group; shares are fractions of all customers and of all revenue."""

    name: str
    customers: int
    revenue: float
    share_of_customers: Number
    share_of_revenue: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class RfmReport:
    """`recency_ends` and `frequency_ends`: upper ends of scores, ascending, in days and in purchases.

    `facts`: numbers about all of them; `missing` says in a sentence why there is nothing else.
    """

    cells: tuple[RfmCell, ...] = ()
    groups: tuple[RfmGroup, ...] = ()
    recency_ends: tuple[int, ...] = ()
    frequency_ends: tuple[int, ...] = ()
    facts: Mapping[str, Number] = field(default_factory=dict)
    missing: str = ""


def read_rfm(doc: Doc) -> RfmReport:
    """Read the part of the report of all customers, or why there is none."""
    if not is_defined(doc):
        return RfmReport(missing=number_of(doc).missing)
    return RfmReport(
        cells=tuple(map(_cell, doc["heat_map"])),
        groups=tuple(map(_group, doc["groups"])),
        recency_ends=tuple(doc["cuts"]["recency_days"]),
        frequency_ends=tuple(doc["cuts"]["frequency"]),
        facts={**{name: number_of(doc[name]) for name in _FACTS}, "median_spent": _money(doc["median_monetary_cents"])},
    )


def _cell(doc: Doc) -> RfmCell:
    return RfmCell(r=doc["r"], f=doc["f"], customers=doc["customers"], revenue=doc["revenue_cents"] / CENTS)


def _group(doc: Doc) -> RfmGroup:
    return RfmGroup(
        name=doc["name"],
        customers=doc["customers"],
        revenue=doc["revenue_cents"] / CENTS,
        share_of_customers=number_of(doc["share_of_customers"]),
        share_of_revenue=number_of(doc["share_of_revenue"]),
    )


def _money(cents: object) -> Number:
    number = number_of(cents)
    return number if number.value is None else Number(value=number.value / CENTS)
