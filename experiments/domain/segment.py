"""Segments: audiences defined by a condition on attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from experiments.domain.condition import check_condition
from experiments.domain.errors import InvalidInput
from experiments.domain.names import check_key, check_text
from experiments.domain.segment_kind import SegmentKind

EVERYONE = "everyone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """An audience; `condition` is a document as in `experiments.domain.condition`, `kind` a label for people."""

    key: str
    name: str
    condition: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    kind: SegmentKind | None = None

    def __post_init__(self) -> None:
        check_key(self.key)
        check_text(self.name, "/name", least=1, most=200)
        check_text(self.description, "/description")
        try:
            check_condition(self.condition)
        except InvalidInput as refusal:
            raise refusal.at("/condition") from None


def everyone() -> Segment:
    """Return the segment that takes whoever no other segment took."""
    return Segment(key=EVERYONE, name="Everyone else")
