"""Asking is showing, for some experiments: then the answer is held until the exposures are on disk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from api.lane.answers import Written
from api.lane.asked import Held, Reply
from api.metrics.counts import Decisions
from experiments.domain.event import Channel
from experiments.services.assigning.implied import Fresh, Implied, ImpliedExposures
from experiments.services.ports import Clock

Shown = Sequence[tuple[str, Implied]]


class Exposing:
    """Counts what was decided, when the answer may be given."""

    def __init__(self, exposures: ImpliedExposures, clock: Clock, decisions: Decisions) -> None:
        self._exposures = exposures
        self._clock = clock
        self._by_slot = decisions.by_slot

    def told(
        self, reply: Reply, given: Sequence[Written], shown: Shown, channel: Channel | None = None
    ) -> Reply | Held:
        """Return the reply that gives these answers; held, where something is shown that was not stored before."""
        fresh = self._exposures.fresh(shown, now=self._clock(), channel=channel) if shown else None
        if fresh is not None:
            return Held(reply, fresh.lines, partial(self._stored, given, fresh))
        self._count(given)
        return reply

    def _stored(self, given: Sequence[Written], fresh: Fresh) -> None:
        self._exposures.remember(fresh)
        self._count(given)

    def _count(self, given: Sequence[Written]) -> None:
        for written in given:
            self._by_slot[written.slot] += 1
