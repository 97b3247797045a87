"""What waits in the spool, as numbers."""

from __future__ import annotations

from api.metrics.metrics import Numbers
from experiments.spool.spool import Spool


def spool_numbers(spool: Spool) -> Numbers:
    """Return what asks the spool, when somebody looks."""

    def numbers() -> dict[str, float]:
        status = spool.status()
        return {
            "spool_items": status.rows,
            "spool_bytes": status.bytes,
            "spool_oldest_seconds": status.age_seconds,
            "spool_dead_items": status.dead_rows,
            "spool_moves": status.moves,
        }

    return numbers
