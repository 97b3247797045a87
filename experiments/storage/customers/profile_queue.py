"""The queue of those who write what is known of units: profiles, and whether they consent."""

from __future__ import annotations

from sqlalchemy import Connection, update

from experiments.storage.customers.tables import profile_revision


def join_queue(connection: Connection) -> int:
    """Take the counter's row until the end of the transaction, and return a revision that is ours alone."""
    counted = update(profile_revision).values(number=profile_revision.c.number + 1)
    number: int = connection.execute(counted.returning(profile_revision.c.number)).scalar_one()
    return number
