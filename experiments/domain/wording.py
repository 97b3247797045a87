"""Words as pages and commands say them: lists, plurals, and texts that are not longer than can be read."""

from __future__ import annotations

from collections.abc import Sequence

MINUS = "\N{MINUS SIGN}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """10%, 25% and 50%."""
    return f" {last} ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)


def plural(noun: str) -> str:
    """Good enough for what experiments are run on: customers, households, companies, addresses."""
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def amount(number: int, noun: str) -> str:
    """1 customer, 2,000 customers."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def shortened(text: str, most: int) -> str:
    """The beginning of a long text, with an ellipsis where something is missing."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
