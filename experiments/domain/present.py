"""Present segment: where a request that brings nothing along would find a unit now, by its profile alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.domain.condition import attributes_of, compile_condition
from experiments.domain.segment import Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """Why nobody but a request can tell who is in a segment now: a stable code, and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentSegments:
    """The segments of a version in their order, as far as profiles can tell them apart.

    A condition that names an attribute which is not registered cannot be decided: from that segment on, nobody whom
    an earlier one does not take has a segment that is known. `hidden` are those segments. `attributes` are the
    registered ones that the conditions name.
    """

    decidable: tuple[tuple[str, Callable[[Mapping[str, Any]], bool]], ...]
    last: str | None
    hidden: Mapping[str, Hidden]
    attributes: frozenset[str]

    def of(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the first segment that takes a unit of these attributes; None where that cannot be known."""
        return next((key for key, matches in self.decidable if matches(attributes)), self.last)


def present_segments(segments: Sequence[Segment], registered: Collection[str]) -> PresentSegments:
    """Compile the segments of a version, of which the last one takes everybody."""
    *conditional, everybody = segments
    missing = [attributes_of(segment.condition).difference(registered) for segment in conditional]
    known = next((place for place, names in enumerate(missing) if names), len(conditional))
    return PresentSegments(
        decidable=tuple((one.key, compile_condition(one.condition)) for one in conditional[:known]),
        last=everybody.key if known == len(conditional) else None,
        hidden=dict(_hidden(segments[known:], missing[known:])) if known < len(conditional) else {},
        attributes=frozenset(
            name for one in conditional[:known] for name in attributes_of(one.condition).intersection(registered)
        ),
    )


def _hidden(segments: Sequence[Segment], missing: Sequence[frozenset[str]]) -> Iterator[tuple[str, Hidden]]:
    first, *others = segments
    names = ", ".join(sorted(missing[0]))
    sentence = f"It looks at {names}, which profiles do not hold: who is in it shows only when a customer comes along."
    yield first.key, Hidden(code="needs_request", message=sentence)
    for one in others:
        behind = f"It takes those who are not in “{first.name}”, and who is in that one is not known from the profiles."
        yield one.key, Hidden(code="behind_hidden", message=behind)
