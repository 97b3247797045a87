"""How far the log was followed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Events called `names` count, and those up to `event_id` are counted.

    `identity_revision`: what happened under ids that were joined up to there belongs to their persons. `may_say`: the
    attributes that could be said when all units were last due for that, each with the values that it may have (none
    named: any).
    """

    names: tuple[str, ...] = ()
    event_id: int = 0
    identity_revision: int = 0
    may_say: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
