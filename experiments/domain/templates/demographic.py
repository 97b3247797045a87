"""Templates of who customers are."""

from __future__ import annotations

from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import blanks
from experiments.domain.templates.conditions import among, at_least, from_below, from_to
from experiments.domain.templates.template import Document, Example, SegmentTemplate


def _age_between(*, attribute: str, least: int, most: int) -> Document:
    return from_to(attribute, least, most)


def _income_between(*, attribute: str, least: float, below: float | None) -> Document:
    return from_below(attribute, least, below)


def _household_from(*, attribute: str, least: int) -> Document:
    return at_least(attribute, least)


TEMPLATES = (
    SegmentTemplate(
        key="age_between",
        kind=SegmentKind.DEMOGRAPHIC,
        name="Age group",
        sentence="Customers from one age to another, both included.",
        parameters=(
            blanks.attribute("age", "The attribute that holds the age in years."),
            blanks.whole("least", "Youngest age in years.", 18, least=0, most=130),
            blanks.whole("most", "Oldest age in years.", 34, least=0, most=130),
        ),
        build=_age_between,
        example=Example(sentence="Customers of 25 to 39.", parameters={"least": 25, "most": 39}),
    ),
    SegmentTemplate(
        key="born_between",
        kind=SegmentKind.DEMOGRAPHIC,
        name="Generation",
        sentence="Customers born in a span of years: a generation, which nobody grows out of.",
        parameters=(
            blanks.attribute("birth_year", "The attribute that holds the year of birth."),
            blanks.whole("least", "First year of birth.", 1981, least=1880, most=2200),
            blanks.whole("most", "Last year of birth.", 1996, least=1880, most=2200),
        ),
        build=_age_between,
        example=Example(sentence="Born from 1997 to 2012.", parameters={"least": 1997, "most": 2012}),
    ),
    SegmentTemplate(
        key="household_from",
        kind=SegmentKind.DEMOGRAPHIC,
        name="Large households",
        sentence="Customers in households of so many people or more.",
        parameters=(
            blanks.attribute("household_size", "The attribute that holds the number of people."),
            blanks.whole("least", "People in the household, at least.", 3, least=1, most=100),
        ),
        build=_household_from,
        example=Example(sentence="Households of four or more.", parameters={"least": 4}),
    ),
    SegmentTemplate(
        key="income_between",
        kind=SegmentKind.DEMOGRAPHIC,
        name="Income band",
        sentence="Customers whose income is at least one amount and below another.",
        parameters=(
            blanks.attribute(
                "income", "The attribute that holds the income, in the currency and per the time you keep."
            ),
            blanks.number("least", "From this amount on.", least=0),
            blanks.number(
                "below", "Up to, and without, this amount; no upper end if left out.", optional=True, least=0
            ),
        ),
        build=_income_between,
        example=Example(sentence="50,000 up to 80,000.", parameters={"least": 50_000, "below": 80_000}),
    ),
    SegmentTemplate(
        key="people_who_are",
        kind=SegmentKind.DEMOGRAPHIC,
        name="Occupation, family status and the like",
        sentence="Customers of whom one of these is known to hold.",
        parameters=(
            blanks.attribute("occupation"),
            blanks.values("Values of the attribute; one of them is enough."),
        ),
        build=among,
        example=Example(sentence="Students and apprentices.", parameters={"values": ["student", "apprentice"]}),
    ),
)
