"""Which JSON the lane may read: where its reader and Flask's strict one cannot disagree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, MsgspecError

from experiments.domain.names import MAX_ID_LENGTH

UNREADABLE = (MsgspecError, UnicodeDecodeError, RecursionError)
"""What a body that cannot be read raises."""

_MAX_DEPTH = 8
_MAX_WHOLE = 2**63 - 1
_BACKSLASH, _BRACKET = b"\\["
"""As numbers, which are looked for three times as quickly as bytes."""
_NAMELESS = frozenset({str, float, bool, type(None)})


Value: TypeAlias = (
    str | float | bool | Annotated[int, Meta(ge=-_MAX_WHOLE, le=_MAX_WHOLE)] | list[Any] | dict[str, Any] | None
)
"""Of an attribute, so that the reader sees to the size of whole numbers, but for those further below."""


def is_fit(unit_id: str, attributes: Mapping[str, Value], body: bytes, names: int) -> bool:
    """Say `is_id` of the id and `is_plain` of the body, which has so many names beside those among the attributes.

    Where there is no list, and there are no more colons than names were read at the top of the attributes, nothing
    lies below them, and no name came twice: that takes one call, and no look at any value.
    """
    if (
        0 < len(unit_id) <= MAX_ID_LENGTH
        and unit_id.isprintable()
        and body.count(b":") == names + len(attributes)
        and _BACKSLASH not in body
        and _BRACKET not in body
    ):
        return True
    return is_id(unit_id) and is_plain(body, names + names_in(attributes))


def is_plain(body: bytes, names: int) -> bool:
    """Say whether a well-formed body has no name twice in one object, given how many names were read from it.

    Each name is followed by a colon. So there are as many colons as names were read, or more: where a name stands
    twice, or where texts have colons too. Then those are counted that follow a quote at once, as all names' do where
    there is no white space behind any quote. NUL, which no database holds, is Flask's as well.
    """
    return (body.count(b":") == names or _is_plain_with_colons(body, names)) and body.find(b"\\u0000") < 0


def _is_plain_with_colons(body: bytes, names: int) -> bool:
    return body.count(b'":') == names and not _QUOTE_AND_SPACE.search(body)


_QUOTE_AND_SPACE = re.compile(rb'"[ \t\n\r]')


def names_in(document: Mapping[str, object], depth: int = 1) -> int:
    """Count the names of an object and of all below; a body that is beyond what may be stored counts as -1 or less."""
    names = len(document)
    for value in document.values():
        kind = type(value)
        if kind in _NAMELESS or (kind is int and -_MAX_WHOLE <= value <= _MAX_WHOLE):  # type: ignore[operator]
            continue
        names += _names_below(value, depth)
    return names


def _names_below(value: object, depth: int) -> int:
    if isinstance(value, int):
        return 0 if -_MAX_WHOLE <= value <= _MAX_WHOLE else _UNFIT
    if depth >= _MAX_DEPTH:
        return _UNFIT
    if isinstance(value, dict):
        return names_in(value, depth + 1)
    if isinstance(value, list):
        return sum(_names_below(one, depth + 1) for one in value if isinstance(one, int | dict | list))
    return _UNFIT


_UNFIT = -(2**62)


def is_id(text: str) -> bool:
    """Say whether a text is surely fit to be an id; what is not surely so is judged by the domain."""
    return 0 < len(text) <= MAX_ID_LENGTH and text.isprintable()
