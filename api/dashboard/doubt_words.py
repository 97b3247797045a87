"""The doubts of a card as people read them: segments by their names, a word for a list, an icon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.stored.card_values import Doubt

_SHORT = {
    "empty": "Nobody is in it",
    "nearly_nobody": "Nearly nobody",
    "nearly_everybody": "Nearly everybody",
    "too_small": "Too small to test in",
    "unstable": "Unstable",
    "redundant": "Nearly the same as {other}",
    "inside": "Lies in {other}",
    "unregistered": "Cannot be counted",
    "hard_to_reach": "Hard to reach",
}

_WORST_FIRST = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDoubt:
    """`short` stands in lists; `other` is the key of a segment to look at."""

    code: str
    severity: str
    short: str
    sentence: str
    other: str | None


def doubts_of(doubts: Sequence[Doubt], names: Mapping[str, str]) -> tuple[ShownDoubt, ...]:
    """The worst first."""
    shown = (_shown(doubt, names) for doubt in doubts)
    return tuple(sorted(shown, key=lambda one: _WORST_FIRST.index(one.severity)))


def _shown(doubt: Doubt, names: Mapping[str, str]) -> ShownDoubt:
    other = "" if doubt.other is None else names.get(doubt.other, doubt.other)
    short = _SHORT.get(doubt.code) or doubt.code.replace("_", " ").capitalize()
    return ShownDoubt(
        code=doubt.code,
        severity=doubt.severity if doubt.severity in _WORST_FIRST else "warning",
        short=short.replace("{other}", f"“{other}”"),
        sentence=_rest(doubt, short),
        other=doubt.other,
    )


def _rest(doubt: Doubt, short: str) -> str:
    """What the sentence says beyond the words above it: `Unstable: 20% leave` without its beginning."""
    if doubt.other is not None:
        head, colon, rest = doubt.sentence.partition(": ")
        # Of a handful it says what the words above say, with a key in place of the name.
        return say.sentence(rest if doubt.other in head else doubt.sentence) if colon else ""
    is_told = doubt.sentence.startswith((f"{short}:", f"{short}."))
    return say.sentence(doubt.sentence.removeprefix(short).lstrip(":. ") if is_told else doubt.sentence)
