r"""Which regexes may run in a request: those whose search is linear in the subject.

Python's `re` backtracks. A pattern is written out as *chains*: every choice made, leaving characters and loops in a
row. A chain is linear if no two of its loops can take over from each other on the same text; a search that is not tied
to the start by `^` counts as one more loop in front, over any character. What cannot be shown linear is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import combinations, pairwise, takewhile
from math import prod
from typing import Literal

from experiments.domain.condition import regex_charset as charset
from experiments.domain.condition.regex_chains import Chain, Element, Loop, UnsafeRegex, Word, are_apart, chains
from experiments.domain.condition.regex_tree import Anchor, Char, Sequence, UnsupportedConstruct, parse

MAX_PATTERN_LENGTH = 500
MAX_GROUPS = 50
MAX_LOOPS = 20
MAX_WAYS = 100

_LEADING_ANY = re.compile(r"\.(?P<count>[*+])\??(?![*+?{])")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexProblem:
    """Why a pattern is refused: not a regex at all, or one that may run away."""

    kind: Literal["invalid", "unsafe"]
    reason: str


_SEARCH = Loop(minimum=0, maximum=None, first=charset.EVERYTHING, alphabet=charset.EVERYTHING, width=1)


@lru_cache(maxsize=1_024)
def regex_problem(pattern: str, *, ignore_case: bool = False) -> RegexProblem | None:
    """Say what is wrong with a pattern, or `None` if a search with it takes time linear in the subject."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        return RegexProblem(kind="unsafe", reason=f"longer than {MAX_PATTERN_LENGTH} characters")
    if pattern.count("(") > MAX_GROUPS:
        return RegexProblem(kind="unsafe", reason=f"more than {MAX_GROUPS} groups")
    try:
        re.compile(pattern)
        _check(parse(_search_form(pattern), ignore_case=ignore_case))
    except UnsupportedConstruct as found:
        return RegexProblem(kind="unsafe", reason=f"uses {found}")
    except UnsafeRegex as found:
        return RegexProblem(kind="unsafe", reason=str(found))
    except (re.error, OverflowError, RecursionError, ValueError, FutureWarning, DeprecationWarning) as error:
        return RegexProblem(kind="invalid", reason=str(error))
    return None


def compile_safe(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str] | None:
    """Compile a pattern for `search`, or answer `None` where `regex_problem` finds something."""
    if regex_problem(pattern, ignore_case=ignore_case) is not None:
        return None
    return re.compile(_search_form(pattern), re.IGNORECASE if ignore_case else 0)


def _search_form(pattern: str) -> str:
    # A search that only asks "anywhere?" finds `.*x` where it finds `x`, and `.+x` where it finds `.x`; only the
    # shorter forms are linear.
    leading = _LEADING_ANY.match(pattern)
    if leading is None:
        return pattern
    return ("." if leading["count"] == "+" else "") + pattern[leading.end() :]


def _check(tree: Sequence) -> None:
    rows = [_without_optional_tail(chain) for chain in chains(tree)]
    weighted = [(_fixed_start(row), _ways(row)) for row in rows]
    for start, _ in weighted:
        if sum(ways for other, ways in weighted if not are_apart(start, other)) > MAX_WAYS:
            raise UnsafeRegex("repeats, options and alternatives that can share the same text in too many ways")


def _fixed_start(chain: Chain) -> Word:
    fixed = takewhile(lambda element: not isinstance(element, Loop), chain)
    return tuple(element.mask for element in fixed if isinstance(element, Char))


def _without_optional_tail(chain: Chain) -> Chain:
    # A search has succeeded as soon as only optional text is left: nothing after it can make it turn back.
    while chain and isinstance(chain[-1], Loop) and chain[-1].minimum == 0:
        chain = chain[:-1]
    if chain and isinstance(last := chain[-1], Loop):
        needed = last.minimum
        shortest = Loop(minimum=needed, maximum=needed, first=last.first, alphabet=last.alphabet, width=last.width)
        return (*chain[:-1], shortest)
    return chain


def _ways(chain: Chain) -> int:
    """Bound how many ways a chain can be reading one place of a text at once; raises `UnsafeRegex` without a bound."""
    row = chain if _is_anchored(chain) else (_SEARCH, *chain)
    opens = [index for index, element in enumerate(row) if isinstance(element, Loop) and element.is_open]
    if len(opens) > MAX_LOOPS:
        raise UnsafeRegex(f"more than {MAX_LOOPS} repeats")
    for left, right in combinations(opens, 2):
        _require_separated(row, left, right)
    return prod(_live_exits(row, left, right) for left, right in pairwise(opens)) * prod(_counted_ways(row))


def _is_anchored(chain: Chain) -> bool:
    for element in chain:
        if not isinstance(element, Anchor):
            return False
        if element.at_start:
            return True
    return False


def _require_separated(row: Chain, left: int, right: int) -> None:
    if _live_exits(row, left, right):
        return
    if row[left] is _SEARCH:
        raise UnsafeRegex(
            "a repeat that a search may enter from every position of the same text; tie the pattern to the start "
            "with ^, drop the leading repeat, or search for the parts separately under $and"
        )
    raise UnsafeRegex("two repeats that can match the same text, with nothing between them that ends the first")


def _live_exits(row: Chain, left: int, right: int) -> int:
    """Count the places where the left loop can have handed over, given where the right one stands; 0 is no limit."""
    before, after, gap = row[left], row[right], row[left + 1 : right]
    assert isinstance(before, Loop)
    assert isinstance(after, Loop)
    length = sum(map(_longest, gap))
    found = [] if before.alphabet & after.alphabet else [length + 1]
    start = 0
    for element in gap:
        needed = _mandatory(element)
        if needed and not needed & before.alphabet:
            found.append(start + 1)
        if needed and not needed & after.alphabet:
            found.append(max(1, length - start))
        start += _longest(element)
    return min(found, default=0)


def _longest(element: Element) -> int:
    match element:
        case Char():
            return 1
        case Loop():
            return element.longest
        case _:
            return 0


def _mandatory(element: Element) -> int:
    """Give the set one character of which must be read to pass this element; 0 if it can be passed without."""
    match element:
        case Char(mask):
            return mask
        case Loop(minimum=minimum, first=first) if minimum:
            return first
        case _:
            return 0


def _counted_ways(row: Chain) -> Iterator[int]:
    for index, element in enumerate(row):
        if isinstance(element, Loop) and not element.is_open and element.first & _following(row[index + 1 :]):
            yield element.counts


def _following(rest: Chain) -> int:
    """Hold every character that may come next."""

    def extend(state: tuple[int, bool], element: Element) -> tuple[int, bool]:
        held, closed = state
        if closed or isinstance(element, Anchor):
            return state
        entry = element.mask if isinstance(element, Char) else element.first
        return held | entry, bool(_mandatory(element))

    return reduce(extend, rest, (0, False))[0]
