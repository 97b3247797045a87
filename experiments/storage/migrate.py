"""Migrations as functions: `winnow db upgrade` and `winnow db check` stand on these.

The scripts lie in `alembic/` beside the `experiments` package and are described in `[tool.alembic]` of
`pyproject.toml`. They are not packaged: the service is installed editable, from a checkout or an image of one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from experiments.domain.errors import Unavailable
from experiments.storage.engine import make_engine
from experiments.storage.model import metadata

ROOT = Path(__file__).resolve().parents[2]
STATEMENT_SECONDS = 300


def upgrade(url: str, revision: str = "head", *, statement_seconds: int = STATEMENT_SECONDS) -> None:
    """Bring the database to the newest revision; at once with others, one does it and the others find it done.

    `statement_seconds`: how long one statement may take on PostgreSQL; 0 is as long as it takes.
    """
    _with_connection(
        url, lambda connection: command.upgrade(_config(connection, statement_seconds=statement_seconds), revision)
    )


def downgrade(url: str, revision: str) -> None:
    """Take the database back to an older revision; `base` leaves none of our tables."""
    _with_connection(url, lambda connection: command.downgrade(_config(connection), revision))


def check(url: str) -> tuple[str, ...]:
    """Return what is wrong, a sentence each: not at the newest revision, or tables unlike the model."""
    problems: list[str] = []
    _with_connection(url, lambda connection: problems.extend(_problems(connection)))
    return tuple(problems)


def head() -> str:
    """Return the newest revision there is a script for."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    if found is None:
        raise _scripts_missing()
    return found


def _problems(connection: Connection) -> list[str]:
    context = MigrationContext.configure(connection)
    found, newest = context.get_current_revision(), head()
    if found != newest:
        where = "is empty" if found is None else f"is at revision {found}"
        return [f"The database {where}; the newest revision is {newest}. Run `winnow db upgrade`."]
    return [f"The database differs from the model: {difference}" for difference in compare_metadata(context, metadata)]


def _with_connection(url: str, use: Callable[[Connection], object]) -> None:
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            use(connection)
    finally:
        engine.dispose()


def _config(connection: Connection | None = None, *, statement_seconds: int = STATEMENT_SECONDS) -> Config:
    if not (ROOT / "alembic" / "env.py").is_file():
        raise _scripts_missing()
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["connection"] = connection
    config.attributes["statement_seconds"] = statement_seconds
    return config


def _scripts_missing() -> Unavailable:
    return Unavailable(
        "migrations_missing", f"There are no migration scripts in {ROOT / 'alembic'}; install from a whole checkout."
    )
