"""Templates of customers whom somebody put on a list: what is imported is an attribute as well."""

from __future__ import annotations

from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import blanks
from experiments.domain.templates.conditions import among
from experiments.domain.templates.template import Document, Example, SegmentTemplate

_LISTS = blanks.attribute("lists", "The attribute that holds the lists a customer is on: one name or several.")


def _not_on_list(*, attribute: str, values: tuple[str, ...]) -> Document:
    return {attribute: {"$nin": list(values)}}


TEMPLATES = (
    SegmentTemplate(
        key="on_list",
        kind=SegmentKind.LIST,
        name="On a list",
        sentence="Customers on one of these imported lists.",
        parameters=(_LISTS, blanks.values("Names of lists; one of them is enough.")),
        build=among,
        example=Example(sentence="Invited to the preview.", parameters={"values": ["preview_2026"]}),
    ),
    SegmentTemplate(
        key="not_on_list",
        kind=SegmentKind.LIST,
        name="Not on a list",
        sentence="Everybody who is on none of these lists; whoever is on no list at all belongs here too.",
        parameters=(_LISTS, blanks.values("Names of lists.")),
        build=_not_on_list,
        example=Example(sentence="Everybody but employees.", parameters={"values": ["employees"]}),
    ),
    SegmentTemplate(
        key="these_customers",
        kind=SegmentKind.LIST,
        name="These customers",
        sentence="The customers that you name here, by an attribute that only one customer has each.",
        parameters=(
            blanks.attribute("customer_id", "The attribute that tells customers apart."),
            blanks.values("Up to 1,000 of its values; for more, import a list."),
        ),
        build=among,
        example=Example(sentence="Two testers.", parameters={"values": ["c-17", "c-23"]}),
    ),
)
