"""How far the log was followed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Events called `names` count, and those up to `event_id` are counted.

    `identity_revision`: what happened under ids that were joined up to there belongs to their persons.
    """

    names: tuple[str, ...] = ()
    event_id: int = 0
    identity_revision: int = 0
