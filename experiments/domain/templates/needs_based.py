"""Templates of what customers want it for."""

from __future__ import annotations

from typing import Any

from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import blanks
from experiments.domain.templates.conditions import all_of, among, at_least, at_most
from experiments.domain.templates.template import Document, Example, SegmentTemplate


def _share_from(*, attribute: str, least: float) -> Document:
    return at_least(attribute, least)


def _in_the_market(*, attribute: str, values: tuple[Any, ...], last_seen: str, most: float) -> Document:
    return all_of(among(attribute=attribute, values=values), at_most(last_seen, most))


TEMPLATES = (
    SegmentTemplate(
        key="needs",
        kind=SegmentKind.NEEDS_BASED,
        name="Needs",
        sentence="Customers who named one of these needs.",
        parameters=(
            blanks.attribute("needs", "The attribute that holds one need or a list of them."),
            blanks.values("Needs; one of them is enough."),
        ),
        build=among,
        example=Example(sentence="Wide shoes, or insoles.", parameters={"values": ["wide_fit", "insoles"]}),
    ),
    SegmentTemplate(
        key="uses_it_for",
        kind=SegmentKind.NEEDS_BASED,
        name="Use",
        sentence="Customers who want it for one of these purposes.",
        parameters=(blanks.attribute("use_case"), blanks.values("Purposes, spelt as your attribute spells them.")),
        build=among,
        example=Example(sentence="As a gift.", parameters={"values": ["gift"]}),
    ),
    SegmentTemplate(
        key="decides_by",
        kind=SegmentKind.NEEDS_BASED,
        name="What decides",
        sentence="Customers for whom one of these decides the choice: price, quality, delivery.",
        parameters=(
            blanks.attribute("decides_by", "The attribute that holds what matters most to them."),
            blanks.values("Reasons; one of them is enough."),
        ),
        build=among,
        example=Example(sentence="Fast delivery above all.", parameters={"values": ["delivery"]}),
    ),
    SegmentTemplate(
        key="buys_at_discount",
        kind=SegmentKind.NEEDS_BASED,
        name="Bargain hunters",
        sentence="Customers who make at least this share of their purchases at a discount.",
        parameters=(
            blanks.attribute("discount_share", "The attribute that holds the share, 0 to 1."),
            blanks.number("least", "Share of purchases, 0 to 1.", 0.5, least=0, most=1),
        ),
        build=_share_from,
        example=Example(sentence="Three purchases in four at a discount.", parameters={"least": 0.75}),
    ),
    SegmentTemplate(
        key="in_the_market",
        kind=SegmentKind.NEEDS_BASED,
        name="In the market",
        sentence="Customers who looked at one of these categories and were here at most so many days ago.",
        parameters=(
            blanks.attribute("viewed_categories", "The attribute that holds a category or a list of them."),
            blanks.values("Categories; one of them is enough."),
            blanks.named("last_seen", "days_since_visit", "The attribute that holds the days since the last visit."),
            blanks.number("most", "Days since the last visit, at most.", 14, least=0),
        ),
        build=_in_the_market,
        example=Example(sentence="Looked at tents within a week.", parameters={"values": ["tents"], "most": 7}),
    ),
)
