"""All customers by recency and frequency: the map, the table that says the same, and the named groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.rfm_map import NARROW, WIDE, RfmMap, rfm_map
from api.dashboard.rfm_words import (
    MEANINGS,
    count_text,
    frequency_scores,
    frequency_words,
    recency_scores,
    recency_words,
    spent_text,
)
from api.dashboard.stored.rfm import RfmGroup, RfmReport
from api.dashboard.stored.values import Number
from experiments.services.segments.few import FEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """A named group; `share` and `length` are of all customers who bought."""

    name: str
    meaning: str
    customers: str
    share: str
    per_customer: str
    revenue_share: str
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRow:
    """The squares of one score of recency, as a table has them: customers, and what each spent."""

    label: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RfmSection:
    """`missing` says why there is no map."""

    wide: RfmMap | None
    narrow: RfmMap | None
    rows: tuple[MapRow, ...]
    columns: tuple[str, ...]
    groups: tuple[GroupRow, ...]
    facts: tuple[tuple[str, str], ...]
    missing: str


def rfm_section(report: RfmReport) -> RfmSection:
    """Lay the map out in both widths."""
    rows, columns = (recency_scores(report), frequency_scores(report)) if report.cells else ((), ())
    return RfmSection(
        wide=rfm_map(report, WIDE),
        narrow=rfm_map(report, NARROW),
        rows=tuple(_row(report, score, columns) for score in rows),
        columns=tuple(frequency_words(score, report.frequency_ends) for score in columns),
        groups=tuple(map(_group, report.groups)),
        facts=tuple(_facts(report)),
        missing=report.missing,
    )


def _row(report: RfmReport, score: int, columns: Sequence[int]) -> MapRow:
    cells = {cell.f: cell for cell in report.cells if cell.r == score}
    mine = [cells[column] for column in columns]
    return MapRow(
        label=recency_words(score, report.recency_ends),
        cells=tuple((count_text(cell.customers), spent_text(cell.customers, cell.revenue)) for cell in mine),
    )


def _group(group: RfmGroup) -> GroupRow:
    few = 0 < group.customers < FEWEST
    return GroupRow(
        name=group.name.replace("_", " ").capitalize(),
        meaning=MEANINGS.get(group.name, ""),
        customers=count_text(group.customers),
        share="too few to say" if few else _share(group.share_of_customers),
        per_customer=spent_text(group.customers, group.revenue),
        revenue_share="too few to say" if few else _share(group.share_of_revenue),
        length=0.0 if few else group.share_of_customers.value or 0.0,
    )


def _share(number: Number) -> str:
    return "not known" if number.value is None else say.part(number.value)


def _facts(report: RfmReport) -> Iterator[tuple[str, str]]:
    told = {name: number.value for name, number in report.facts.items() if number.value is not None}
    if customers := told.get("customers"):
        yield "Customers who bought", say.count(int(customers))
        if "bought_once" in told:
            yield "Bought once, and not again", say.part(told["bought_once"] / customers)
    if "median_recency_days" in told:
        yield "Half of them bought last within", f"{say.plain_number(told['median_recency_days'])} days"
    if "median_spent" in told:
        yield "Half of them spent at most", say.money(told["median_spent"])
    if "top_fifth_share" in told:
        yield "The fifth that spends most brings", f"{say.part(told['top_fifth_share'])} of all revenue"
