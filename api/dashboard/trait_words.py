"""What sets a segment apart, attribute by attribute, in words and as pairs of bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.stored.card_values import Trait

OTHERS = "everybody else"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """`here` and `elsewhere` in words; lengths of bars are fractions of the longest possible, None without bars."""

    label: str
    here: str
    elsewhere: str
    how_much: str
    here_length: float | None
    elsewhere_length: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Typical:
    """`value` is what a customer of the segment is like, `note` for how many that holds."""

    label: str
    value: str
    note: str


def attribute_name(key: str, names: Mapping[str, str]) -> str:
    """What people call an attribute."""
    return names.get(key, key)


def contrast_of(trait: Trait, names: Mapping[str, str]) -> Contrast:
    """Two shares are bars of all; two means are bars of the larger one, unless one is below 0."""
    name = attribute_name(trait.attribute, names)
    if trait.value is not None:
        return Contrast(
            label=f"{name}: {category_words(trait.value)}",
            here=say.part(trait.inside),
            elsewhere=say.part(trait.elsewhere),
            how_much=size_words(trait.size),
            here_length=trait.inside,
            elsewhere_length=trait.elsewhere,
        )
    largest = max(trait.inside, trait.elsewhere)
    drawn = min(trait.inside, trait.elsewhere) >= 0 and largest > 0
    return Contrast(
        label=f"{name}, on average",
        here=say.plain_number(trait.inside),
        elsewhere=say.plain_number(trait.elsewhere),
        how_much=size_words(trait.size),
        here_length=trait.inside / largest if drawn else None,
        elsewhere_length=trait.elsewhere / largest if drawn else None,
    )


def size_words(size: float) -> str:
    """Cohen's words for a standardised difference."""
    extent = abs(size)
    words = "large" if extent >= 0.8 else "middling" if extent >= 0.5 else "small" if extent >= 0.2 else "trifling"
    return f"{words}, {'more' if size > 0 else 'less'} here"


def category_words(value: str) -> str:
    """A value of a category; flags arrive as words."""
    return {"true": "yes", "false": "no"}.get(value, value)
