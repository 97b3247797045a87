"""Templates of where customers are."""

from __future__ import annotations

import re
from typing import Any

from experiments.domain.errors import InvalidInput
from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import blanks
from experiments.domain.templates.conditions import all_of, among, from_to, missing_from
from experiments.domain.templates.template import Document, Example, SegmentTemplate

_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,19}\Z")


def _postcode_starts(*, attribute: str, values: tuple[Any, ...]) -> Document:
    for value in values:
        if not isinstance(value, str) or not _PREFIX.match(value):
            raise InvalidInput(
                "parameter_invalid",
                "values: A postcode starts with 1 to 20 letters, digits, spaces or dashes, given as a text.",
                path="/values",
            )
    starts: list[Document] = [{attribute: {"$regex": f"^{value}"}} for value in values]
    return starts[0] if len(starts) == 1 else {"$or": starts}


def _in_area(*, latitude: str, longitude: str, south: float, north: float, west: float, east: float) -> Document:
    return all_of(from_to(latitude, south, north), from_to(longitude, west, east))


TEMPLATES = (
    SegmentTemplate(
        key="countries",
        kind=SegmentKind.GEOGRAPHIC,
        name="Countries",
        sentence="Customers in one of these countries.",
        parameters=(blanks.attribute("country"), blanks.values("Countries as your attribute has them.")),
        build=among,
        example=Example(sentence="Germany, Austria and Switzerland.", parameters={"values": ["DE", "AT", "CH"]}),
    ),
    SegmentTemplate(
        key="outside_countries",
        kind=SegmentKind.GEOGRAPHIC,
        name="Abroad",
        sentence="Customers whose country is known and is none of these.",
        parameters=(blanks.attribute("country"), blanks.values("Countries to leave out.")),
        build=missing_from,
        example=Example(sentence="Everybody known to be outside the United States.", parameters={"values": ["US"]}),
    ),
    SegmentTemplate(
        key="regions",
        kind=SegmentKind.GEOGRAPHIC,
        name="Regions",
        sentence="Customers in one of these regions, states or cities.",
        parameters=(blanks.attribute("region"), blanks.values("Regions as your attribute has them.")),
        build=among,
        example=Example(sentence="Bavaria and Tyrol.", parameters={"values": ["DE-BY", "AT-7"]}),
    ),
    SegmentTemplate(
        key="place_type",
        kind=SegmentKind.GEOGRAPHIC,
        name="Town or country",
        sentence="Customers who live in this kind of place: urban, suburban, rural.",
        parameters=(
            blanks.attribute("zip_code"),
            blanks.values("Kinds of place, spelt as your attribute spells them."),
        ),
        build=among,
        example=Example(
            sentence="Hillstrom: customers in the country or the suburbs (which the file spells Surburban).",
            parameters={"attribute": "zip_code", "values": ["Rural", "Surburban"]},
        ),
    ),
    SegmentTemplate(
        key="postcode_starts",
        kind=SegmentKind.GEOGRAPHIC,
        name="Postcode area",
        sentence="Customers whose postcode starts with one of these.",
        parameters=(blanks.attribute("postcode"), blanks.values("First characters of the postcode, as text.")),
        build=_postcode_starts,
        example=Example(sentence="Munich and around.", parameters={"values": ["80", "81", "85"]}),
    ),
    SegmentTemplate(
        key="in_area",
        kind=SegmentKind.GEOGRAPHIC,
        name="Map area",
        sentence="Customers inside a rectangle on the map (which may not cross the 180th meridian).",
        parameters=(
            blanks.named("latitude", "latitude", "The attribute that holds degrees north."),
            blanks.named("longitude", "longitude", "The attribute that holds degrees east."),
            blanks.number("south", "Southern edge in degrees.", least=-90, most=90),
            blanks.number("north", "Northern edge in degrees.", least=-90, most=90),
            blanks.number("west", "Western edge in degrees.", least=-180, most=180),
            blanks.number("east", "Eastern edge in degrees.", least=-180, most=180),
        ),
        build=_in_area,
        example=Example(sentence="Greater Paris.", parameters={"south": 48.6, "north": 49.1, "west": 2.0, "east": 2.7}),
    ),
)
