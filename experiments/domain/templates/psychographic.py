"""Templates of what customers think, from what they said in surveys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import blanks
from experiments.domain.templates.conditions import among, at_least, at_most, from_to
from experiments.domain.templates.template import Document, Example, SegmentTemplate

_RECOMMENDATION: Mapping[str, tuple[int, int]] = {"promoters": (9, 10), "passives": (7, 8), "detractors": (0, 6)}
"""Of the answers 0 to 10 to "How likely are you to recommend us?"."""


def _agrees(*, attribute: str, least: float) -> Document:
    return at_least(attribute, least)


def _disagrees(*, attribute: str, most: float) -> Document:
    return at_most(attribute, most)


def _recommends(*, attribute: str, group: str) -> Document:
    return from_to(attribute, *_RECOMMENDATION[group])


def _has_all(*, attribute: str, values: tuple[Any, ...]) -> Document:
    return {attribute: {"$all": list(values)}}


TEMPLATES = (
    SegmentTemplate(
        key="answered",
        kind=SegmentKind.PSYCHOGRAPHIC,
        name="Answer to a question",
        sentence="Customers who gave one of these answers to a question of a survey.",
        parameters=(
            blanks.attribute("survey.lifestyle", "The attribute that holds the answer; a dot leads into an object."),
            blanks.values("Answers, spelt as they are stored; one of them is enough."),
        ),
        build=among,
        example=Example(
            sentence="Those who call themselves adventurous.",
            parameters={"attribute": "survey.lifestyle", "values": ["adventurous"]},
        ),
    ),
    SegmentTemplate(
        key="agrees",
        kind=SegmentKind.PSYCHOGRAPHIC,
        name="Agrees with a statement",
        sentence="Customers whose answer on a scale is this or higher.",
        parameters=(
            blanks.attribute("survey.sustainability", "The attribute that holds the answer as a number."),
            blanks.number("least", "Lowest answer that counts as agreement.", 4, least=-100, most=100),
        ),
        build=_agrees,
        example=Example(
            sentence="Sustainability matters to them: 4 or 5 of 5.", parameters={"attribute": "survey.sustainability"}
        ),
    ),
    SegmentTemplate(
        key="disagrees",
        kind=SegmentKind.PSYCHOGRAPHIC,
        name="Disagrees with a statement",
        sentence="Customers whose answer on a scale is this or lower.",
        parameters=(
            blanks.attribute("survey.sustainability", "The attribute that holds the answer as a number."),
            blanks.number("most", "Highest answer that counts as disagreement.", 2, least=-100, most=100),
        ),
        build=_disagrees,
        example=Example(
            sentence="Advertising does not bother them: 1 or 2 of 5.", parameters={"attribute": "survey.ads_bother"}
        ),
    ),
    SegmentTemplate(
        key="recommends",
        kind=SegmentKind.PSYCHOGRAPHIC,
        name="Promoters and detractors",
        sentence="Customers by how likely they would recommend you: 9 and 10, 7 and 8, or 0 to 6.",
        parameters=(
            blanks.attribute("nps", "The attribute that holds the answer, 0 to 10."),
            blanks.choice("group", "Which of the three.", "promoters", "passives", "detractors"),
        ),
        build=_recommends,
        example=Example(sentence="Detractors: 0 to 6.", parameters={"group": "detractors"}),
    ),
    SegmentTemplate(
        key="interested_in",
        kind=SegmentKind.PSYCHOGRAPHIC,
        name="Interests",
        sentence="Customers with one of these interests.",
        parameters=(
            blanks.attribute("interests", "The attribute that holds one interest or a list of them."),
            blanks.values("Interests; one of them is enough."),
        ),
        build=among,
        example=Example(sentence="Running or cycling.", parameters={"values": ["running", "cycling"]}),
    ),
    SegmentTemplate(
        key="interested_in_all",
        kind=SegmentKind.PSYCHOGRAPHIC,
        name="Combined interests",
        sentence="Customers with every one of these interests.",
        parameters=(
            blanks.attribute("interests", "The attribute that holds a list of interests."),
            blanks.values("Interests; all of them are needed."),
        ),
        build=_has_all,
        example=Example(sentence="Both cooking and travelling.", parameters={"values": ["cooking", "travel"]}),
    ),
)
