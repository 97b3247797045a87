"""Words as pages and commands say them: lists, plurals, and texts that are not longer than can be read."""

from __future__ import annotations

from collections.abc import Sequence

MINUS = "\N{MINUS SIGN}"
_MOST_DECIMALS, _SAME = 9, 1e-9


def listed(words: Sequence[str], last: str = "and") -> str:
    """10%, 25% and 50%."""
    return f" {last} ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else "".join(words)


def decimals_of(size: float, decimals: int) -> int:
    """How many decimals a percentage ≥ 0 is written with: more than are asked for, where it would be 0 or 100 else.

    What floats lose is none of its digits: 99.99999999999999 may be 100.
    """
    while decimals < _MOST_DECIMALS and any(
        abs(size - special) > _SAME and round(size, decimals) == special for special in (0, 100)
    ):
        decimals += 1
    return decimals


def percent(fraction: float, decimals: int, *, sign: bool = False) -> str:
    """A fraction in per cent: 0% and 100% are only what is exactly that. 0.9996 -> 99.96%, to one decimal."""
    value = 100 * fraction
    told = f"{value:{'+' if sign else ''},.{decimals_of(abs(value), decimals)}f}%"
    return told if any(digit in "123456789" for digit in told) else told.lstrip("+-")


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
