"""Values of attributes as people read them: texts in quotes, numbers exact, lists not longer than can be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from experiments.domain.wording import MINUS, listed, shortened

MOST_VALUES = 12
MOST_LETTERS = 60


def value_words(value: Any) -> str:
    """One value: “web”, 1,000, yes."""
    match value:
        case None:
            said = "not known"
        case bool():
            said = "yes" if value else "no"
        case int() | float():
            said = exact(value)
        case str():
            said = f"“{shortened(value, MOST_LETTERS)}”"
        case list() | tuple():
            said = f"the list {choice_words(value, 'and')}" if value else "an empty list"
        case _:
            said = shortened(json.dumps(value, ensure_ascii=False, default=str), MOST_LETTERS)
    return said


def exact(value: float) -> str:
    """A threshold as it is tested, without rounding: 0.125, 1,500.5, −3."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    size = abs(int(value) if is_whole else value)
    return f"{MINUS if value < 0 else ''}{size:,}"


def choice_words(values: Sequence[Any], word: str) -> str:
    """“a”, “b” or “c”; of a long list the beginning, and how many more."""
    told = [value_words(value) for value in values[:MOST_VALUES]]
    if len(values) > MOST_VALUES:
        return f"{', '.join(told)} {word} {len(values) - MOST_VALUES:,} more"
    return listed(told, word)
