"""What goes wrong at the driver's own cursor, in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection

from experiments.domain.errors import RowsRefused
from experiments.storage.engine import is_gone, told, unavailable


@contextmanager
def driver_errors(connection: Connection) -> Iterator[None]:
    """Do for the driver's own cursor what the engine does for statements (`engine.py`)."""
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise RowsRefused(str(error).partition("\n")[0]) from None
    except psycopg.Error as error:
        if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not is_gone(error):
            raise
        connection.invalidate()
        raise unavailable(told(connection.engine.url, error)) from None
