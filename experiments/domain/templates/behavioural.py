"""Templates of what customers did."""

from __future__ import annotations

from experiments.domain.errors import InvalidInput
from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import blanks
from experiments.domain.templates.conditions import (
    all_of,
    among,
    at_least,
    at_most,
    from_below,
    from_to,
    less_than,
    more_than,
    no,
    yes,
)
from experiments.domain.templates.parameter import Parameter, ParameterType
from experiments.domain.templates.template import Document, Example, SegmentTemplate

_RECENCY = "The attribute that holds the time since the last purchase (Hillstrom's recency: months)."


def _spent_between(*, attribute: str, least: float, below: float | None) -> Document:
    return from_below(attribute, least, below)


def _bought_within(*, attribute: str, most: float) -> Document:
    return at_most(attribute, most)


def _not_since(*, attribute: str, longer_than: float) -> Document:
    return more_than(attribute, longer_than)


def _last_bought_between(*, attribute: str, least: float, most: float) -> Document:
    return from_to(attribute, least, most)


def _bought_from(*, attribute: str, without: tuple[str, ...] | None) -> Document:
    if without and attribute in without:
        raise InvalidInput("parameters_contradict", f"Nobody has and has not {attribute}.")
    return all_of(yes(attribute), *map(no, without or ()))


def _bought_from_all(*, attributes: tuple[str, ...]) -> Document:
    return all_of(*map(yes, attributes))


def _spends_from(*, attribute: str, least: float) -> Document:
    return at_least(attribute, least)


def _hardly_expected(*, attribute: str, below: float) -> Document:
    return less_than(attribute, below)


def _orders_from(*, attribute: str, least: int) -> Document:
    return at_least(attribute, least)


TEMPLATES = (
    SegmentTemplate(
        key="spent_between",
        kind=SegmentKind.BEHAVIOURAL,
        name="Spend",
        sentence="Customers who spent at least one amount and less than another.",
        parameters=(
            blanks.attribute("history", "The attribute that holds what was spent."),
            blanks.number("least", "From this amount on.", least=0),
            blanks.number(
                "below", "Up to, and without, this amount; no upper end if left out.", optional=True, least=0
            ),
        ),
        build=_spent_between,
        example=Example(
            sentence="Hillstrom: $500 or more in the year before.", parameters={"attribute": "history", "least": 500}
        ),
    ),
    SegmentTemplate(
        key="spend_bands",
        kind=SegmentKind.BEHAVIOURAL,
        name="Spend bands",
        sentence="Customers in one of the bands of spending that your data has already.",
        parameters=(blanks.attribute("history_segment"), blanks.values("Bands, spelt as your attribute spells them.")),
        build=among,
        example=Example(
            sentence="Hillstrom: the two highest bands.",
            parameters={"attribute": "history_segment", "values": ["6) $750 - $1,000", "7) $1,000 +"]},
        ),
    ),
    SegmentTemplate(
        key="bought_within",
        kind=SegmentKind.BEHAVIOURAL,
        name="Recent buyers",
        sentence="Customers whose last purchase is at most so long ago.",
        parameters=(blanks.attribute("recency", _RECENCY), blanks.number("most", "In the attribute's unit.", least=0)),
        build=_bought_within,
        example=Example(
            sentence="Hillstrom: bought in the last three months.", parameters={"attribute": "recency", "most": 3}
        ),
    ),
    SegmentTemplate(
        key="not_bought_since",
        kind=SegmentKind.BEHAVIOURAL,
        name="Lapsed buyers",
        sentence="Customers whose last purchase is longer ago than this.",
        parameters=(
            blanks.attribute("recency", _RECENCY),
            blanks.number("longer_than", "In the attribute's unit.", least=0),
        ),
        build=_not_since,
        example=Example(
            sentence="Hillstrom: nothing for more than nine months.",
            parameters={"attribute": "recency", "longer_than": 9},
        ),
    ),
    SegmentTemplate(
        key="last_bought_between",
        kind=SegmentKind.BEHAVIOURAL,
        name="Last purchase",
        sentence="Customers whose last purchase is from so long to so long ago, both included.",
        parameters=(
            blanks.attribute("recency", _RECENCY),
            blanks.number("least", "At least so long ago, in the attribute's unit.", least=0),
            blanks.number("most", "At most so long ago.", least=0),
        ),
        build=_last_bought_between,
        example=Example(
            sentence="Hillstrom: four to nine months ago.", parameters={"attribute": "recency", "least": 4, "most": 9}
        ),
    ),
    SegmentTemplate(
        key="bought_from",
        kind=SegmentKind.BEHAVIOURAL,
        name="Buyers of a category",
        sentence="Customers who bought from a category, and from none of those that you name beside it.",
        parameters=(
            blanks.attribute("mens", "The flag of the category: true or 1 for those who bought."),
            Parameter(
                name="without",
                type=ParameterType.ATTRIBUTES,
                description="Flags of categories that they did not buy from.",
                optional=True,
            ),
        ),
        build=_bought_from,
        example=Example(
            sentence="Hillstrom: bought men's goods and no women's.",
            parameters={"attribute": "mens", "without": ["womens"]},
        ),
    ),
    SegmentTemplate(
        key="bought_from_all",
        kind=SegmentKind.BEHAVIOURAL,
        name="Buyers across categories",
        sentence="Customers who bought from every one of these categories.",
        parameters=(
            Parameter(
                name="attributes",
                type=ParameterType.ATTRIBUTES,
                description="Flags of the categories: true or 1 for those who bought.",
            ),
        ),
        build=_bought_from_all,
        example=Example(
            sentence="Hillstrom: bought both men's and women's goods.", parameters={"attributes": ["mens", "womens"]}
        ),
    ),
    SegmentTemplate(
        key="orders_from",
        kind=SegmentKind.BEHAVIOURAL,
        name="Frequent buyers",
        sentence="Customers with so many orders or more.",
        parameters=(
            blanks.attribute("orders", "The attribute that holds the number of orders."),
            blanks.whole("least", "Orders, at least.", 3, least=1),
        ),
        build=_orders_from,
        example=Example(sentence="Five orders or more.", parameters={"least": 5}),
    ),
    SegmentTemplate(
        key="buys_by_channel",
        kind=SegmentKind.BEHAVIOURAL,
        name="Purchase channel",
        sentence="Customers who buy by one of these channels.",
        parameters=(blanks.attribute("channel"), blanks.values("Channels, spelt as your attribute spells them.")),
        build=among,
        example=Example(
            sentence="Hillstrom: bought on the web, there only or there too.",
            parameters={"attribute": "channel", "values": ["Web", "Multichannel"]},
        ),
    ),
    SegmentTemplate(
        key="rfm_groups",
        kind=SegmentKind.BEHAVIOURAL,
        name="RFM groups",
        sentence="Customers in one of the groups by recency, frequency and monetary value.",
        parameters=(blanks.attribute("rfm_group"), blanks.values("Names of groups: champions, loyal, at_risk…")),
        build=among,
        example=Example(sentence="Champions and loyal customers.", parameters={"values": ["champions", "loyal"]}),
    ),
    SegmentTemplate(
        key="expected_value_from",
        kind=SegmentKind.BEHAVIOURAL,
        name="Expected value",
        sentence="Customers who are expected to spend so much or more.",
        parameters=(
            blanks.attribute("expected_value_90_days", "The attribute that holds the revenue that is expected."),
            blanks.number("least", "Expected revenue, at least.", least=0),
        ),
        build=_spends_from,
        example=Example(sentence="50 or more in the next 90 days.", parameters={"least": 50}),
    ),
    SegmentTemplate(
        key="hardly_expected",
        kind=SegmentKind.BEHAVIOURAL,
        name="Hardly expected again",
        sentence="Customers of whom fewer purchases than this are expected.",
        parameters=(
            blanks.attribute("expected_purchases_90_days", "The attribute that holds how many are expected."),
            blanks.number("below", "Expected purchases, less than.", 0.1, least=0),
        ),
        build=_hardly_expected,
        example=Example(sentence="Not one purchase by twenty of them in 90 days.", parameters={"below": 0.05}),
    ),
)
