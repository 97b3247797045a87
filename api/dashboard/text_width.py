"""How wide a text will be drawn, near enough to break lines: fonts differ, so widths are generous."""

from __future__ import annotations

from collections.abc import Iterator
from unicodedata import category, combining, east_asian_width

_NARROW = frozenset("iljtfrI.,:;'’‘|!()[]{}- ")
_WIDE = frozenset("mwMW@%—…")
_BOLD = 1.07


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Return pixels at a font size in pixels."""
    return round(sum(map(_em, text)) * size * (_BOLD if bold else 1.0), 2)


def _em(character: str) -> float:
    if combining(character):
        return 0.0
    if east_asian_width(character) in "WF":
        return 1.05
    if character in _NARROW:
        return 0.34
    if character in _WIDE:
        return 0.96
    return 0.7 if character.isupper() else 0.59


def wrapped(text: str, size: float, width: float, *, most: int, bold: bool = False) -> tuple[str, ...]:
    """Break a text into lines that fit; what does not fit into the last one ends with an ellipsis."""
    lines = list(_lines(text, size, width, bold=bold))
    if len(lines) <= most:
        return tuple(lines)
    return (*lines[: most - 1], _cut(" ".join(lines[most - 1 :]), size, width, bold=bold))


def fitted(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """Return the text in one line."""
    return "".join(wrapped(text, size, width, most=1, bold=bold))


def printable(text: str) -> str:
    """Leave out what no XML may hold, and fold white space; a drawing with a stray control character would not open."""
    kept = "".join(" " if character.isspace() else character for character in text if _may_stand(character))
    return " ".join(kept.split())


def _may_stand(character: str) -> bool:
    return character.isspace() or (category(character) not in ("Cc", "Cs") and character not in "\ufffe\uffff")


def _lines(text: str, size: float, width: float, *, bold: bool) -> Iterator[str]:
    line = ""
    for word in _words(text, size, width, bold=bold):
        longer = f"{line} {word}" if line else word
        if line and width_of(longer, size, bold=bold) > width:
            yield line
            line = word
        else:
            line = longer
    if line:
        yield line


def _words(text: str, size: float, width: float, *, bold: bool) -> Iterator[str]:
    """Words, the ones that are too long for a line in pieces."""
    for word in text.split():
        rest = word
        while rest:
            fits = max(1, _fitting(rest, size, width, bold=bold))
            yield rest[:fits]
            rest = rest[fits:]


def _fitting(text: str, size: float, width: float, *, bold: bool) -> int:
    """How many characters from the beginning fit."""
    used = 0.0
    for place, character in enumerate(text):
        used += _em(character) * size * (_BOLD if bold else 1.0)
        if used > width:
            return place
    return len(text)


def _cut(text: str, size: float, width: float, *, bold: bool) -> str:
    room = width - width_of("…", size, bold=bold)
    return f"{text[: _fitting(text, size, room, bold=bold)].rstrip()}…"
