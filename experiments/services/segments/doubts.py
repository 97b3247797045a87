"""What is doubtful about a segment as soon as it is made, from what is registered and stored: nobody is counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from experiments.domain.condition import attributes_of
from experiments.domain.membership import condition_digest
from experiments.domain.segment import Segment

Doubt = Mapping[str, Any]
"""`code`, `severity`, `sentence`, and `other` where it speaks of another segment."""


def unregistered_doubt(names: Sequence[str], *, is_registry_used: bool) -> Doubt:
    """Return the doubt about a condition that looks at what no profile can have.

    Where nothing is registered requests bring everything, and it is no more than a remark.
    """
    told = (
        f"It looks at {', '.join(names)}, which no profile has: only requests can bring it, and nobody can be counted."
    )
    return {"code": "unregistered", "severity": "warning" if is_registry_used else "info", "sentence": told}


def doubts_at_once(segments: Sequence[Segment], attributes: Collection[str]) -> Mapping[str, tuple[Doubt, ...]]:
    """Return by segment what is known at once: attributes that nobody registered, a condition that is there already."""
    by_condition: dict[str, list[str]] = {}
    for one in segments:
        by_condition.setdefault(condition_digest(one.condition), []).append(one.key)
    return {one.key: tuple(_doubts(one, by_condition[condition_digest(one.condition)], attributes)) for one in segments}


def _doubts(segment: Segment, alike: Sequence[str], attributes: Collection[str]) -> Iterator[Doubt]:
    for other in alike:
        if other != segment.key:
            sentence = f"The same as {other}: both have the same condition."
            yield {"code": "redundant", "severity": "warning", "sentence": sentence, "other": other}
    if unknown := sorted(attributes_of(segment.condition).difference(attributes)):
        yield unregistered_doubt(unknown, is_registry_used=bool(attributes))
