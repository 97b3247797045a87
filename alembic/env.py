"""How migrations run: in one transaction, one process at a time, and never waiting long behind the service."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from experiments.settings import Settings
from experiments.storage.engine import make_engine
from experiments.storage.migrate import STATEMENT_SECONDS
from experiments.storage.model import metadata

_MIGRATION_LOCK = 0x57_69_6E_6E_6F_77_02
_LOCK_TIMEOUT = "5s"


def main() -> None:
    """Use the connection that the caller hands over; the alembic command line gets one from the settings."""
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        _migrate(given)
        return
    engine = make_engine(Settings.from_environment().database_url)
    with engine.connect() as connection:
        _migrate(connection)
    engine.dispose()


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        transaction_per_migration=False,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            _mind_the_others(connection)
        context.run_migrations()


def _mind_the_others(connection: Connection) -> None:
    """Queue behind another migration as long as it takes, but give up on a table lock that the service holds.

    A migration that waits for a lock makes every later reader wait behind it.
    """
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
    seconds = int(context.config.attributes.get("statement_seconds", STATEMENT_SECONDS))
    connection.execute(text(f"SET LOCAL statement_timeout = '{seconds}s'"))


main()
