"""Looking again when somebody else changed the experiment in between: the second look decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from experiments.domain.errors import RevisionMismatch

T = TypeVar("T")
TRIES = 5


def retried(act: Callable[[], T]) -> T:
    """Do a whole unit of work, again after each RevisionMismatch, at most five times in all."""
    for _ in range(TRIES - 1):
        try:
            return act()
        except RevisionMismatch:
            continue
    return act()
