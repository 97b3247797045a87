"""Where drift is kept: beside snapshots, as what it tells of changes with every profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Who of a snapshot's units was in another segment at an instant; `document` is what is served."""

    experiment: str
    snapshot_id: int
    computed_at: datetime
    document: Mapping[str, Any]


class DriftStore(Protocol):
    """One per snapshot: computed again, it takes the place of the former."""

    def put(self, drift: Drift) -> None: ...

    def latest(self, experiment: str) -> Drift | None:
        """Return that of the newest snapshot that has one."""
