"""A regex written out as chains: every choice made, so that only characters, anchors and loops are left in a row."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from experiments.domain.condition import regex_charset as charset
from experiments.domain.condition.regex_tree import Anchor, Branch, Char, Node, Repeat, Sequence

MAX_COUNT = 100
MAX_CHAINS = 256
MAX_CHAIN_LENGTH = 500
MAX_UNROLLED = 8
MAX_WORDS = 64
_SMALL_SPAN = 16


class UnsafeRegex(Exception):
    """The pattern cannot be shown to be linear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A repeat of words of which, at any place, at most one can come next: there is one way to read a text with it."""

    minimum: int
    maximum: int | None
    first: int
    alphabet: int
    width: int

    @property
    def is_open(self) -> bool:
        """Tell whether it can go round so often that it counts as unlimited."""
        return self.maximum is None or self.maximum - self.minimum >= _SMALL_SPAN

    @property
    def longest(self) -> int:
        """Give the most characters a limited loop reads; an open one counts as none."""
        return 0 if self.maximum is None else self.maximum * self.width

    @property
    def counts(self) -> int:
        """Count how many different numbers of rounds a limited loop may make."""
        return 1 if self.maximum is None else self.maximum - self.minimum + 1


Element = Char | Anchor | Loop
Chain = tuple[Element, ...]
Word = tuple[int, ...]
_Words = tuple[Word, ...] | None


def chains(sequence: Sequence) -> tuple[Chain, ...]:
    """Write a regex out as chains, or raise `UnsafeRegex` where that would be endless or ambiguous."""
    written: tuple[Chain, ...] = ((),)
    for node in sequence:
        written = _bounded(written, _ways_through(node))
    return written


def _bounded(heads: tuple[Chain, ...], tails: tuple[Chain, ...]) -> tuple[Chain, ...]:
    if len(heads) * len(tails) > MAX_CHAINS:
        raise UnsafeRegex(f"choices that multiply to more than {MAX_CHAINS} combinations")
    if max(map(len, heads)) + max(map(len, tails)) > MAX_CHAIN_LENGTH:
        raise UnsafeRegex(f"counted repeats that write out to more than {MAX_CHAIN_LENGTH} characters")
    return tuple(head + tail for head in heads for tail in tails)


def _ways_through(node: Node) -> tuple[Chain, ...]:
    match node:
        case Branch(options):
            return _limited(chain for option in options for chain in chains(option))
        case Repeat():
            return _ways_through_repeat(node)
        case _:
            return ((node,),)


def _limited(written: Iterator[Chain]) -> tuple[Chain, ...]:
    kept: list[Chain] = []
    for chain in written:
        kept.append(chain)
        if len(kept) > MAX_CHAINS:
            raise UnsafeRegex(f"choices that multiply to more than {MAX_CHAINS} combinations")
    return tuple(kept)


def _ways_through_repeat(repeat: Repeat) -> tuple[Chain, ...]:
    if max(repeat.minimum, repeat.maximum or 0) > MAX_COUNT:
        raise UnsafeRegex(f"a counted repeat above {MAX_COUNT}")
    words = _words(repeat.body)
    if words is not None and all(words) and all(are_apart(*pair) for pair in combinations(words, 2)):
        return (_loop(repeat, words),)
    if repeat.maximum is not None and repeat.maximum <= MAX_UNROLLED:
        return _unrolled(repeat.minimum, repeat.maximum, chains(repeat.body))
    raise UnsafeRegex("a repeat over a repeat, over alternatives that overlap, or over something that may be empty")


def _loop(repeat: Repeat, words: tuple[Word, ...]) -> Chain:
    if repeat.minimum == repeat.maximum and len(words) == 1:
        return tuple(Char(mask) for mask in words[0]) * repeat.minimum
    loop = Loop(
        minimum=repeat.minimum,
        maximum=repeat.maximum,
        first=charset.union(word[0] for word in words),
        alphabet=charset.union(mask for word in words for mask in word),
        width=max(map(len, words)),
    )
    return (loop,)


def _unrolled(minimum: int, maximum: int, body: tuple[Chain, ...]) -> tuple[Chain, ...]:
    by_count: list[tuple[Chain, ...]] = [((),)]
    for _ in range(maximum):
        by_count.append(_bounded(by_count[-1], body))
    return _limited(chain for written in by_count[minimum:] for chain in written)


def _words(sequence: Sequence) -> _Words:
    """Write a sequence out as words of sets, if it has neither variable repeats nor anchors."""
    words: _Words = ((),)
    for node in sequence:
        words = _followed_by(words, _word_options(node))
    return words


def _followed_by(words: _Words, options: _Words) -> _Words:
    if words is None or options is None or len(words) * len(options) > MAX_WORDS:
        return None
    longer = tuple(word + option for word in words for option in options)
    return longer if max(map(len, longer)) <= MAX_COUNT else None


def _word_options(node: Node) -> _Words:
    match node:
        case Char(mask):
            return ((mask,),)
        case Branch(options):
            written = [_words(option) for option in options]
            known = [words for words in written if words is not None]
            return tuple(word for words in known for word in words) if len(known) == len(written) else None
        case Repeat(minimum, maximum, body) if minimum == maximum and minimum <= MAX_COUNT:
            return _repeated(_words(body), minimum)
        case _:
            return None


def _repeated(words: _Words, times: int) -> _Words:
    result: _Words = ((),)
    for _ in range(times):
        result = _followed_by(result, words)
    return result


def are_apart(left: Word, right: Word) -> bool:
    """Tell whether no text can begin with both."""
    return any(not one & other for one, other in zip(left, right, strict=False))
