"""What may have been meant by a key that there is not: told to keys that manage experiments, and to no others."""

from __future__ import annotations

from contextlib import suppress

from flask import g

from api.current import winnow
from experiments.domain.errors import DomainError, NotFound, Unavailable
from experiments.services.authoring.meant import meant
from experiments.services.keys import Scope

_MANAGEMENT = frozenset({Scope.READ, Scope.WRITE, Scope.ADMIN})
"""Scopes of views that keys for frontends never reach."""


def hint(refusal: DomainError) -> str:
    """Return a sentence to append to the refusal, or nothing."""
    if isinstance(refusal, NotFound) and g.get("scope") in _MANAGEMENT:
        with suppress(Unavailable):
            return meant(refusal, winnow().open_unit_of_work)
    return ""
