"""The persona of a segment in a stored report (JSON), read into values."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard.stored.card_values import Reach, Trait
from api.dashboard.stored.cards import read_reach, read_trait
from api.dashboard.stored.values import Doc


@dataclass(frozen=True, slots=True, kw_only=True)
class TypicalShare:
    """The commonest value of a category; `share` of the customers of whom it is known."""

    attribute: str
    value: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TypicalMiddle:
    """The median of a number; half of the customers lie between `lower` and `upper`."""

    attribute: str
    median: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What they do, beside what all customers do."""

    name: str
    inside: float
    everybody: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Won:
    """Content that won with them; `lift` a fraction."""

    experiment: str
    variant: str
    lift: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """`by_definition` is what the condition says anyway, `distinguishing` what it did not have to be."""

    units: int
    share: float
    typical: tuple[TypicalShare | TypicalMiddle, ...]
    by_definition: tuple[Trait, ...]
    distinguishing: tuple[Trait, ...]
    habits: tuple[Habit, ...]
    channels: tuple[Reach, ...]
    won: tuple[Won, ...]


def read_portrait(doc: Doc) -> Portrait:
    """Raise KeyError where the document is no persona."""
    return Portrait(
        units=doc["units"],
        share=doc["share"],
        typical=tuple(map(_typical, doc["typical"])),
        by_definition=tuple(map(read_trait, doc["by_definition"])),
        distinguishing=tuple(map(read_trait, doc["distinguishing"])),
        habits=tuple(
            Habit(name=one["name"], inside=one["inside"], everybody=one["everybody"]) for one in doc["habits"]
        ),
        channels=tuple(map(read_reach, doc["channels"])),
        won=tuple(Won(experiment=one["experiment"], variant=one["variant"], lift=one["lift"]) for one in doc["won"]),
    )


def _typical(doc: Doc) -> TypicalShare | TypicalMiddle:
    if "median" in doc:
        return TypicalMiddle(attribute=doc["attribute"], median=doc["median"], lower=doc["lower"], upper=doc["upper"])
    return TypicalShare(attribute=doc["attribute"], value=doc["value"], share=doc["share"])
