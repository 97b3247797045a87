"""Templates of how much customers do."""

from __future__ import annotations

from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import blanks
from experiments.domain.templates.conditions import among
from experiments.domain.templates.template import Document, Example, SegmentTemplate

_LEVELS = ("light", "regular", "heavy")


def _engaged_from(*, attribute: str, least: str) -> Document:
    return among(attribute=attribute, values=_LEVELS[_LEVELS.index(least) :])


def _falls_away(*, attribute: str) -> Document:
    return {attribute: "falling"}


TEMPLATES = (
    SegmentTemplate(
        key="engaged_from",
        kind=SegmentKind.BEHAVIOURAL,
        name="Engaged",
        sentence="Customers who do something on so many days, or on more.",
        parameters=(
            blanks.attribute("engagement_level", "The attribute that holds the level of engagement."),
            blanks.choice("least", "The lowest level that belongs to it.", "regular", "light", "heavy"),
        ),
        build=_engaged_from,
        example=Example(
            sentence="On twelve days or more of the last four weeks and today.", parameters={"least": "heavy"}
        ),
    ),
    SegmentTemplate(
        key="falls_away",
        kind=SegmentKind.BEHAVIOURAL,
        name="Falling away",
        sentence="Customers who used to be active and do much less now than two weeks ago.",
        parameters=(blanks.attribute("engagement_trend", "The attribute that holds the trend of engagement."),),
        build=_falls_away,
        example=Example(
            sentence="In the last two weeks a third of what they did in the two before, or less.", parameters={}
        ),
    ),
)
