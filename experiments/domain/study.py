"""Studies: looks for groups of customers that nobody had named. A clustering looks at what is known of them, a
discovery at where a treatment did something else. What a study found goes live only as a segment's condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from experiments.domain.errors import InvalidInput, NotFound
from experiments.domain.names import check_key
from experiments.domain.segment_kind import SegmentKind


class StudyKind(StrEnum):
    """A clustering is named by who makes it, a discovery like the experiment that it looks into."""

    CLUSTERING = "clustering"
    DISCOVERY = "discovery"

    @property
    def noun(self) -> str:
        """What it calls the groups that it finds."""
        return "cluster" if self is StudyKind.CLUSTERING else "leaf"

    @property
    def segment_kind(self) -> SegmentKind:
        """The kind of the segments that are made of them."""
        return SegmentKind.LEARNT if self is StudyKind.CLUSTERING else SegmentKind.DISCOVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A cluster, or a leaf of a tree: who is in it, as a condition; None: no rule stands for it.

    `refusal` says why it cannot become a segment; `sentence` describes it for people.
    """

    key: str
    condition: Mapping[str, Any] | None
    refusal: str | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One version of it, which never changes; `document` is what docs/segmentation/learnt.md writes down."""

    kind: StudyKind
    name: str
    version: int
    made_at: datetime
    made_by: str
    document: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_key(self.name, "/name")

    @property
    def outcome(self) -> str:
        """What came of it, in one word."""
        return str(self.document["outcome"])

    @property
    def groups(self) -> tuple[Group, ...]:
        """Return what was found, none where nothing was."""
        return tuple(
            Group(key=one["key"], condition=one["condition"], refusal=one["refusal"], sentence=one["sentence"])
            for one in self.document["groups"]
        )

    def group(self, key: str) -> Group:
        """Raise NotFound."""
        found = next((one for one in self.groups if one.key == key), None)
        if found is None:
            raise NotFound(self.kind.noun, key, [one.key for one in self.groups])
        return found

    def adoptable(self, key: str) -> Mapping[str, Any]:
        """Return the condition of a group that may become a segment. Raises NotFound, InvalidInput."""
        found = self.group(key)
        if found.refusal is not None or found.condition is None:
            raise InvalidInput(
                f"{self.kind.noun}_not_adoptable", found.refusal or "There is no rule that stands for it."
            )
        return found.condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """A library segment that was made of a group, and of which version."""

    segment: str
    kind: StudyKind
    name: str
    version: int
    group: str
    adopted_at: datetime
    adopted_by: str
