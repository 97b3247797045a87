"""Templates of how far customers have come."""

from __future__ import annotations

from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import blanks
from experiments.domain.templates.conditions import (
    all_of,
    among,
    at_least,
    at_most,
    from_to,
    more_than,
    no,
    or_unknown,
    yes,
)
from experiments.domain.templates.template import Document, Example, SegmentTemplate

_NEW = blanks.attribute("newbie", "The flag: true or 1 for new customers.")
_ORDERS = "The attribute that holds the number of orders."


def _new(*, attribute: str) -> Document:
    return yes(attribute)


def _known(*, attribute: str) -> Document:
    return no(attribute)


def _prospects(*, attribute: str) -> Document:
    return or_unknown(attribute, {attribute: 0})


def _orders_between(*, attribute: str, least: int, most: int) -> Document:
    span = from_to(attribute, least, most)
    return span if least else or_unknown(attribute, span)


def _first_days(*, attribute: str, most: float) -> Document:
    return at_most(attribute, most)


def _left_cart(*, attribute: str, more: float, last_seen: str, least: float, most: float) -> Document:
    return all_of(more_than(attribute, more), from_to(last_seen, least, most))


def _dormant(*, attribute: str, orders: str, least: float) -> Document:
    return all_of(at_least(orders, 1), at_least(attribute, least))


TEMPLATES = (
    SegmentTemplate(
        key="prospects",
        kind=SegmentKind.JOURNEY,
        name="Prospects",
        sentence="People of whom no order is known: they have none, or nobody said how many.",
        parameters=(blanks.attribute("orders", _ORDERS),),
        build=_prospects,
        example=Example(sentence="No order yet.", parameters={}),
    ),
    SegmentTemplate(
        key="new_customers",
        kind=SegmentKind.JOURNEY,
        name="New customers",
        sentence="Customers who are marked as new.",
        parameters=(_NEW,),
        build=_new,
        example=Example(sentence="Hillstrom: new within the last twelve months.", parameters={"attribute": "newbie"}),
    ),
    SegmentTemplate(
        key="known_customers",
        kind=SegmentKind.JOURNEY,
        name="Known customers",
        sentence="Customers who are marked as not new.",
        parameters=(_NEW,),
        build=_known,
        example=Example(sentence="Hillstrom: customers for longer than a year.", parameters={"attribute": "newbie"}),
    ),
    SegmentTemplate(
        key="orders_between",
        kind=SegmentKind.JOURNEY,
        name="First and second order",
        sentence="Customers with so many orders, both ends included; from 0 on, also who has no number of orders.",
        parameters=(
            blanks.attribute("orders", _ORDERS),
            blanks.whole("least", "Orders, at least.", 1, least=0),
            blanks.whole("most", "Orders, at most.", 1, least=0),
        ),
        build=_orders_between,
        example=Example(sentence="Bought once, so far.", parameters={"least": 1, "most": 1}),
    ),
    SegmentTemplate(
        key="first_days",
        kind=SegmentKind.JOURNEY,
        name="First days",
        sentence="Customers who joined at most so many days ago.",
        parameters=(
            blanks.attribute("days_since_signup", "The attribute that holds the days since they joined."),
            blanks.number("most", "Days, at most.", 30, least=0),
        ),
        build=_first_days,
        example=Example(sentence="In their first week.", parameters={"most": 7}),
    ),
    SegmentTemplate(
        key="left_cart",
        kind=SegmentKind.JOURNEY,
        name="Left a basket",
        sentence="Customers with something in the basket who have been away for some days, but not for too many.",
        parameters=(
            blanks.attribute("cart_value", "The attribute that holds what is in the basket."),
            blanks.number("more", "The basket is worth more than this.", 0, least=0),
            blanks.named("last_seen", "days_since_visit", "The attribute that holds the days since the last visit."),
            blanks.number("least", "Days away, at least.", 1, least=0),
            blanks.number("most", "Days away, at most.", 14, least=0),
        ),
        build=_left_cart,
        example=Example(
            sentence="More than 50 in the basket, away for up to a week.", parameters={"more": 50, "most": 7}
        ),
    ),
    SegmentTemplate(
        key="dormant",
        kind=SegmentKind.JOURNEY,
        name="Dormant customers",
        sentence="Customers who bought before and have not been here for so many days.",
        parameters=(
            blanks.attribute("days_since_visit", "The attribute that holds the days since the last visit."),
            blanks.named("orders", "orders", _ORDERS),
            blanks.number("least", "Days away, at least.", 180, least=0),
        ),
        build=_dormant,
        example=Example(sentence="Away for a year.", parameters={"least": 365}),
    ),
    SegmentTemplate(
        key="journey_stages",
        kind=SegmentKind.JOURNEY,
        name="Stage of the journey",
        sentence="Customers at one of the stages that your data names.",
        parameters=(blanks.attribute("lifecycle_stage"), blanks.values("Stages, spelt as your attribute spells them.")),
        build=among,
        example=Example(sentence="New and active customers.", parameters={"values": ["new", "active"]}),
    ),
)
