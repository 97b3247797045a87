"""Statements about a whole table may take longer than those of requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import func, select, text

from experiments.storage.engine import make_engine
from experiments.storage.following.activity_store import SqlActivityStore
from experiments.storage.following.behaviour_store import SqlBehaviourStore

FILL = {
    SqlBehaviourStore: "INSERT INTO behaviour (unit_id, first_at, last_at, frequency, unvalued, monetary_cents, due_at)"
    " SELECT 'u' || number, now(), now(), 1, 0, 1, now() FROM generate_series(1, 20000) AS number",
    SqlActivityStore: "INSERT INTO activity (unit_id, by_day, due_at)"
    " SELECT 'u' || number, '{}', now() FROM generate_series(1, 20000) AS number",
}


@pytest.mark.slow
@pytest.mark.parametrize("what", ["restart", "make_all_due"])
@pytest.mark.parametrize("store", list(FILL))
def test_rows_of_everybody_are_changed_past_the_limit_of_a_statement(
    postgres_url: str, now: datetime, store: Any, what: str
) -> None:
    """PostgreSQL ends what takes longer than a millisecond here; twenty thousand rows do."""
    engine = make_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text(FILL[store]))
        connection.execute(select(func.set_config("statement_timeout", "1ms", True)))
        getattr(store(connection), what)(now)
    with engine.connect() as connection:
        table = "behaviour" if store is SqlBehaviourStore else "activity"
        changed = connection.execute(text(f"SELECT count(*) FROM {table} WHERE due_at = :now"), {"now": now})
        assert changed.scalar_one() == 20_000
    engine.dispose()
