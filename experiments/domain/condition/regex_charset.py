"""Sets of characters as bit masks, for asking whether two parts of a regex can meet on one character.

Bits 0-127 are the ASCII characters; everything beyond falls into four classes (decimal, other word character,
space, rest). A mask may hold more than the regex matches, never less, so "disjoint" can be relied upon.
"""

import re
from collections.abc import Callable, Iterable

_BEYOND_ASCII = 128
ASCII = (1 << _BEYOND_ASCII) - 1
_DECIMAL, _WORD, _SPACE, _REST = (1 << (_BEYOND_ASCII + i) for i in range(4))
BEYOND = _DECIMAL | _WORD | _SPACE | _REST
EVERYTHING = ASCII | BEYOND


def _ascii_matching(test: Callable[[str], object]) -> int:
    return sum(1 << code for code in range(_BEYOND_ASCII) if test(chr(code)))


DIGITS = _ascii_matching(re.compile(r"\d").match) | _DECIMAL
WORDS = _ascii_matching(re.compile(r"\w").match) | _DECIMAL | _WORD
SPACES = _ascii_matching(re.compile(r"\s").match) | _SPACE
ANY_BUT_NEWLINE = EVERYTHING & ~(1 << ord("\n"))

_UPPER = _ascii_matching(str.isupper)
_LOWER = _ascii_matching(str.islower)
# k, s and i have partners beyond ASCII when case is ignored: the Kelvin sign, the long s, the dotless and dotted i.
_PARTNERED = sum(1 << ord(letter) for letter in "kKsSiI")


def single(code: int) -> int:
    """Hold one character."""
    if code < _BEYOND_ASCII:
        return 1 << code
    char = chr(code)
    if char.isdecimal():
        return _DECIMAL
    if char.isspace():
        return _SPACE
    return _WORD if char.isalnum() else _REST


def span(low: int, high: int) -> int:
    """Hold every character from `low` to `high`, both included."""
    ascii_part = ascii_span(low, high)
    return ascii_part | BEYOND if high >= _BEYOND_ASCII else ascii_part


def ascii_span(low: int, high: int) -> int:
    """Hold the ASCII characters from `low` to `high`, both included."""
    return ((1 << (high + 1)) - 1) & ~((1 << low) - 1) & ASCII if low < _BEYOND_ASCII else 0


def union(masks: Iterable[int]) -> int:
    """Hold whatever any of the masks holds."""
    result = 0
    for mask in masks:
        result |= mask
    return result


def both_cases(mask: int) -> int:
    """Add the other case of every ASCII letter held."""
    return mask | (mask & _UPPER) << 32 | (mask & _LOWER) >> 32


def ignoring_case(mask: int) -> int:
    """Add every character that may match when case is ignored."""
    folded = both_cases(mask)
    if folded & _PARTNERED:
        folded |= _WORD
    return folded | _PARTNERED if mask & _WORD else folded
