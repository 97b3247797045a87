"""`winnow spool`: what waits, and taking it over by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from experiments.cli import main
from experiments.domain.errors import InvalidInput
from experiments.spool.folder import spool_folder
from experiments.spool.spool import Spool
from experiments.storage.engine import identity
from experiments.storage.unit_of_work import open_database
from tests.spool.conftest import NOW, event, exposure


def test_what_a_dead_process_left_is_listed_and_drained(sqlite_url: str, tmp_path: Path) -> None:
    root = tmp_path / "spool"
    environment = {"WINNOW_DATABASE_URL": sqlite_url, "WINNOW_SPOOL_DIR": str(root)}
    for url, rows in ((sqlite_url, 3), ("postgresql://elsewhere/winnow", 5)):
        left = Spool(spool_folder(root, identity(url)), open_database(sqlite_url).unit_of_work)
        left.append([event(f"e{number}") for number in range(rows - 1)], [exposure("x")], received_at=NOW)
        left.close(within_seconds=0)
    listed = CliRunner().invoke(main, ["spool"], env=environment)
    cells = [line.split("│") for line in listed.output.splitlines() if ".sqlite" in line and "│" in line]
    assert sorted((row[2].strip(), row[3].strip()) for row in cells) == [("no", "3"), ("no", "5")]
    assert "postgresql elsewhere 5432 winnow" in listed.output
    drained = CliRunner().invoke(main, ["spool", "drain"], env=environment)
    assert drained.output.endswith("3 rows are in the database.\n")
    with create_engine(sqlite_url).connect() as connection:
        stored = connection.execute(text("SELECT event_id FROM events ORDER BY event_id")).scalars().all()
    assert stored == ["e0", "e1"], "rows of another database are not ours"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("postgresql://ann:secret@db/winnow", "postgresql://bob:other@db:5432/winnow", True),
        ("postgresql://db/winnow", "postgresql://db/other", False),
        ("postgresql://db:5433/winnow", "postgresql://db/winnow", False),
        ("postgresql://db/winnow", "postgresql://db2/winnow", False),
        ("postgresql:///winnow?host=/run/a", "postgresql:///winnow?host=/run/b", False),
        ("postgresql://db/winnow?hostaddr=10.0.0.1", "postgresql://db/winnow?hostaddr=10.0.0.2", False),
        ("postgresql:///?service=one", "postgresql:///?service=two", False),
        ("postgresql://db/winnow?options=-csearch_path%3Da", "postgresql://db/winnow", False),
        (
            "postgresql://db/winnow?sslmode=require&hostaddr=::1",
            "postgresql://db/winnow?hostaddr=::1&sslmode=require",
            True,
        ),
        ("postgresql://db/winnow?password=secret&sslpassword=secret", "postgresql://db/winnow?password=other", True),
        ("postgresql://db/winnow?password=secret", "postgresql://db/winnow", True),
        ("sqlite:////a/../b/w.sqlite", "sqlite:////b/w.sqlite", True),
        ("sqlite:////a/w.sqlite", "sqlite:////b/w.sqlite", False),
    ],
)
def test_a_database_is_known_by_where_it_is(one: str, other: str, same: bool) -> None:
    assert (identity(one) == identity(other)) is same
    assert "secret" not in identity(one)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://ann:secret@db/winnow", "postgresql db 5432 winnow"),
        ("postgresql:///winnow?host=/run/a&port=5433", "postgresql /run/a 5433 winnow"),
        ("sqlite:////a/w.sqlite", "sqlite /a/w.sqlite"),
    ],
)
def test_plain_addresses_keep_their_folders(url: str, name: str) -> None:
    assert identity(url) == name


def test_no_database_in_memory_has_a_place() -> None:
    with pytest.raises(InvalidInput):
        identity("memory://")
