"""How long to wait before trying again."""

from __future__ import annotations

import random

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 60.0


def backoff_seconds(failures: int, asked_for: float | None = None) -> float:
    """Return a doubling wait, drawn from its upper half so that many clients do not come back at once.

    `asked_for` is the server's own wish (Retry-After), which is never cut short.
    """
    wait = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 16)) * random.uniform(0.5, 1.0)
    return max(wait, asked_for or 0.0)
