"""What a key may report: exposures of experiments that it sees."""

from __future__ import annotations

from collections.abc import Container

from experiments.domain.errors import InvalidInput, NotFound
from experiments.domain.event import ExposureClaim
from experiments.services.recording.record import Item, rejected


def seen_only(item: Item, live: Container[str]) -> Item:
    """Return the item, or the verdict on an exposure of an experiment that is not among the live ones a key sees.

    It is the verdict on an experiment that there is not, so nobody learns from it which there are.
    """
    if not isinstance(item, ExposureClaim) or item.experiment in live:
        return item
    missing = NotFound("experiment", item.experiment)
    return rejected(item.event_id, InvalidInput("experiment_unknown", missing.message, path="/experiment"))
