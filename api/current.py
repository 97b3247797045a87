"""What a view needs of the present request: the services, and who is asking."""

from __future__ import annotations

from typing import cast

from flask import current_app, g

from api.metrics.metrics import Metrics
from experiments.bootstrap import Winnow
from experiments.services.keys import Principal


def winnow() -> Winnow:
    """Return the services of this app."""
    return cast(Winnow, current_app.extensions["winnow"])


def principal() -> Principal:
    """Return who is asking."""
    return cast(Principal, g.principal)


def metrics() -> Metrics:
    """Return what this process counts."""
    return cast(Metrics, current_app.extensions["metrics"])


def actor() -> str:
    """Return the name under which the audit trail remembers this request."""
    return f"key:{principal().name}"
