"""How long anything may take: what is added to an instant has to stay a date, in every database."""

from __future__ import annotations

MAX_SECONDS = 100 * 365 * 86_400
"""Some hundred years."""
