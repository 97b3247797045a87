"""The portrait of a segment: who they typically are, what sets them apart, what they do, what won with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.overlap_matrix import whole_share
from api.dashboard.segment_figures import per_customer
from api.dashboard.stored.card_values import Card, Reach
from api.dashboard.stored.customers import StoredCard
from api.dashboard.stored.portrait import Habit, Portrait, TypicalMiddle, TypicalShare, Won
from api.dashboard.trait_words import Contrast, Typical, attribute_name, category_words, contrast_of
from experiments.services.segments.few import FEWEST, TOO_FEW_SENTENCE

_HABITS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "revenue_per_unit": ("Spent per customer", say.money),
    "buyer_share": ("Bought at least once", say.part),
    "purchase_value": ("Spent per purchase", say.money),
}
ALL = "all customers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    name: str
    share: str
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner:
    """Content, by the names that people gave it."""

    content: str
    experiment: str
    experiment_key: str
    lift: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaPage:
    """Empty parts are left out of the picture; `apart_none` says it where nothing sets them apart."""

    name: str
    size: str
    counted: str
    typical: tuple[Typical, ...]
    apart: tuple[Contrast, ...]
    apart_none: str
    by_definition: tuple[Contrast, ...]
    habits: tuple[Contrast, ...]
    channels: tuple[Channel, ...]
    won: tuple[Winner, ...]
    won_none: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaNames:
    """What people call attributes, by key; experiments, by key; and variants, by key of experiment and variant."""

    attributes: Mapping[str, str]
    experiments: Mapping[str, str]
    variants: Mapping[tuple[str, str], str]


def persona_page(name: str, report: StoredCard, portrait: Portrait, names: PersonaNames) -> PersonaPage:
    """Of a handful of customers nothing but their number is drawn."""
    few = portrait.units < FEWEST
    return PersonaPage(
        name=name,
        size=f"{say.amount(portrait.units, 'customer')}, {say.part(portrait.share)} of all {say.count(report.units)}",
        counted=say.day(report.made_at),
        typical=() if few else tuple(_typical(one, names.attributes) for one in portrait.typical),
        apart=() if few else tuple(contrast_of(trait, names.attributes) for trait in portrait.distinguishing),
        apart_none=_nothing(portrait),
        by_definition=() if few else tuple(contrast_of(trait, names.attributes) for trait in portrait.by_definition),
        habits=() if few else tuple(_habit(one, report.card) for one in portrait.habits),
        channels=() if few else tuple(map(_channel, portrait.channels)),
        won=tuple(_winner(one, names) for one in portrait.won),
        won_none="" if portrait.won else "Nothing has won with them yet.",
    )


def _nothing(portrait: Portrait) -> str:
    if portrait.units < FEWEST:
        return TOO_FEW_SENTENCE
    if not portrait.distinguishing:
        return "Nothing that is known of them sets them apart from everybody else."
    return ""


def _typical(one: TypicalShare | TypicalMiddle, names: Mapping[str, str]) -> Typical:
    label = attribute_name(one.attribute, names)
    if isinstance(one, TypicalShare):
        note = f"{say.part(one.share)} of those of whom it is known"
        return Typical(label=label, value=category_words(one.value), note=note)
    middle = f"half of them between {say.plain_number(one.lower)} and {say.plain_number(one.upper)}"
    return Typical(label=label, value=say.plain_number(one.median), note=middle)


def _habit(habit: Habit, card: Card | None) -> Contrast:
    """Beside all customers; where the card knows how sure it is of a mean, the label says the range."""
    label, words = _HABITS.get(habit.name, (habit.name.replace("_", " ").capitalize(), say.plain_number))
    largest = 1.0 if habit.name == "buyer_share" else max(habit.inside, habit.everybody)
    drawn = largest > 0 and min(habit.inside, habit.everybody) >= 0
    return Contrast(
        label=label if habit.name != "revenue_per_unit" else f"{label}{_range(card)}",
        here=words(habit.inside),
        elsewhere=words(habit.everybody),
        how_much="",
        here_length=habit.inside / largest if drawn else None,
        elsewhere_length=habit.everybody / largest if drawn else None,
    )


def _range(card: Card | None) -> str:
    note = "" if card is None else per_customer(card).note
    return f" (here {note})" if note else ""


def _channel(reach: Reach) -> Channel:
    share = reach.share.value
    return Channel(name=reach.channel, share="not known" if share is None else whole_share(share), length=share or 0.0)


def _winner(won: Won, names: PersonaNames) -> Winner:
    return Winner(
        content=names.variants.get((won.experiment, won.variant), won.variant),
        experiment=names.experiments.get(won.experiment, won.experiment),
        experiment_key=won.experiment,
        lift=say.lift(won.lift),
    )
