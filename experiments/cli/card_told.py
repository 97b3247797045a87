"""A segment's card in words, from the document of its report (docs/segmentation/reports.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.domain.wording import amount

Row = tuple[str, str]
Document = Mapping[str, Any]
MOST_OVERLAPS = 3
MOST_TRAITS = 5


def rows(report: Document) -> Iterator[Row]:
    """Labels and what is told beside them; a label that is empty continues the one above."""
    card = report["card"]
    if is_reason(card):
        yield "Customers", "cannot be counted" if card["undefined"] == "unregistered" else "not known"
        return
    size = card["size"]
    yield "Customers", f"{size['units']:,} ({size['share']:.1%} of {report['units']:,})"
    if not size["units"]:
        return
    yield from _value(card["value"], report["weeks"])
    if not is_reason(card["stability"]):
        yield "Steadiness", _steadiness(card["stability"])
    yield from _overlaps(card["overlaps"])
    yield from _traits("Set apart by", card["traits"], by_definition=False)
    yield from _traits("By definition", card["traits"], by_definition=True)
    yield from _outlook(card["testability"])


def is_reason(value: object) -> bool:
    """Say whether a reason stands in place of a number or a part."""
    return isinstance(value, Mapping) and "undefined" in value


def _value(value: Document, weeks: int) -> Iterator[Row]:
    if is_reason(value):
        return
    interval = value["interval"]
    between = "" if is_reason(interval) else f" ({interval['low']:,.2f} … {interval['high']:,.2f})"
    yield "Revenue per customer", f"{_number(value['revenue_per_unit'])}{between}, {amount(weeks, 'week')}"
    index = "" if is_reason(value["index"]) else f", {value['index']:.2f} × everybody's per customer"
    yield "Revenue", f"{value['revenue']:,.2f} ({_share(value['revenue_share'])} of all){index}"
    yield (
        "Buyers",
        f"{value['buyers']:,} ({_share(value['buyer_share'])}), {_number(value['purchase_value'])} a purchase",
    )


def _steadiness(found: Document) -> str:
    return f"{_share(found['leaving'])} leave and {_share(found['entering'])} come each week"


def _overlaps(overlaps: list[Document]) -> Iterator[Row]:
    shared = [one for one in overlaps if one["both"]]
    for place, one in enumerate(shared[:MOST_OVERLAPS]):
        told = f"{one['other']}: {_share(one['share_of_this'])} of this, {_share(one['share_of_other'])} of the other"
        yield "" if place else "Overlaps", f"{told} (Jaccard {_number(one['jaccard'])})"
    if len(shared) > MOST_OVERLAPS:
        yield "", f"and {len(shared) - MOST_OVERLAPS} more"


def _traits(label: str, traits: list[Document], *, by_definition: bool) -> Iterator[Row]:
    telling = [trait for trait in traits if trait["distinguishing"] and trait["by_definition"] is by_definition]
    for place, trait in enumerate(telling[:MOST_TRAITS]):
        yield "" if place else label, _trait(trait)


def _trait(trait: Document) -> str:
    if "value" in trait:
        return f"{trait['attribute']} {trait['value']}: {trait['inside']:.1%}, {trait['elsewhere']:.1%} elsewhere"
    return f"{trait['attribute']}: {trait['inside']:,.4g} on average, {trait['elsewhere']:,.4g} elsewhere"


def _outlook(outlook: Document) -> Iterator[Row]:
    if is_reason(outlook):
        yield "Can it be tested in?", "not known"
        return
    yield "Can it be tested in?", outlook["sentence"]
    now = "" if is_reason(outlook["baseline"]) else f"{outlook['baseline']:.2%} have bought; "
    yield "", f"{now}{outlook['units_per_week']:,.0f} customers a week"
    shown = (f"{one['weeks']}: {one['lift']:.1%}" for one in outlook["shown"] if not is_reason(one["lift"]))
    if lifts := "  ".join(shown):
        yield "Lift that weeks show", lifts


def _number(value: Any) -> str:
    return "–" if is_reason(value) else f"{value:,.2f}"


def _share(value: Any) -> str:
    return "–" if is_reason(value) else f"{value:.1%}"
