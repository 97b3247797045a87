"""0002, over rows that the release before has left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, delete, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from experiments.domain.errors import AlreadyExists, RevisionMismatch
from experiments.domain.promotion import PromotionState
from experiments.storage import migrate
from experiments.storage.documents.promotion import promotion_from_document, promotion_to_document
from experiments.storage.engine import make_engine
from experiments.storage.unit_of_work import open_database
from tests.stores.frozen_documents import APPLIED_1, DEFINITION_2, REVERTED_1, SUPERSEDED_1
from tests.stores.promotions import promotion, step

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
LEFT = [
    SUPERSEDED_1 | {"id": "superseded"},
    REVERTED_1 | {"id": "reverted"},
    APPLIED_1 | {"id": "applied"},
    APPLIED_1 | {"id": "lost", "segment": "vip", "version_after": 7},
]
"""All in one segment but the last, whose version does not know it."""


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = make_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _table(connection: Connection, name: str) -> Table:
    return Table(name, MetaData(), autoload_with=connection, resolve_fks=False)


def _insert(connection: Connection, name: str, **values: Any) -> None:
    connection.execute(insert(_table(connection, name)).values(values))


def _rows(url: str, *columns: str) -> list[tuple[Any, ...]]:
    with _connected(url) as connection:
        table = _table(connection, "promotions")
        return [tuple(row) for row in connection.execute(select(*(table.c[name] for name in columns)).order_by("id"))]


def _insert_promotion(connection: Connection, document: dict[str, Any], **values: Any) -> None:
    names = {"promotion_id": "id", "experiment_key": "experiment", "segment": "segment", "state": "state"}
    parts = {column: document.get(name) for column, name in names.items()}
    _insert(connection, "promotions", **(parts | {"document": document} | values))


@pytest.fixture
def left_url(empty_sql_url: str) -> str:
    """A database as the release before has left it."""
    migrate.upgrade(empty_sql_url, "0001")
    with _connected(empty_sql_url) as connection:
        head = {"key": "sale", "status": "running", "version": 4, "epoch": 2, "revision": 5}
        _insert(connection, "experiments", **head, created_at=NOW, updated_at=NOW)
        version = {"number": 4, "epoch": 2, "paused": False, "document": DEFINITION_2}
        _insert(
            connection, "experiment_versions", experiment_key="sale", **version, created_at=NOW, created_by="worker"
        )
        texts = dict.fromkeys(("engine_version", "input_sha256", "report_sha256"), "1")
        numbers = {"version": 4, "exposure_id": 1, "event_id": 1, "watermark_at": NOW, "computed_at": NOW}
        _insert(connection, "snapshots", experiment_key="sale", moments={}, report={"n": 1}, **texts, **numbers)
        for document in LEFT:
            _insert_promotion(connection, document, version_after=document["version_after"])
    return empty_sql_url


def test_promotions_of_before_have_come_to_a_step(left_url):
    migrate.upgrade(left_url)
    assert migrate.check(left_url) == ()
    assert _rows(left_url, "promotion_id", "state", "revision") == [
        ("superseded", "superseded", 4),
        ("reverted", "reverted", 4),
        ("applied", "held", 3),
        ("lost", "held", 3),
    ]
    for state, revision, document in _rows(left_url, "state", "revision", "document"):
        read = promotion_from_document(document)
        assert (read.state, read.revision) == (state, revision)


def test_the_share_is_that_of_the_version(left_url):
    migrate.upgrade(left_url)
    found = [promotion_from_document(document) for (document,) in _rows(left_url, "document")]
    assert {one.id: [step.share_bp for step in one.shares] for one in found} == {
        "superseded": [9_800],
        "reverted": [9_800],
        "applied": [9_800],
        "lost": [9_500],
    }


def test_what_is_live_goes_on_from_there(left_url):
    migrate.upgrade(left_url)
    database = open_database(left_url)
    with database.unit_of_work() as unit:
        held = next(one for one in unit.promotions.standing("sale") if one.id == "applied")
        kept = held.step(step(PromotionState.KEPT))
        with pytest.raises(RevisionMismatch):
            unit.promotions.save(kept, expected_revision=kept.revision)
        unit.promotions.save(kept, expected_revision=held.revision)
        unit.commit()
    with database.unit_of_work(read_only=True) as unit:
        assert unit.promotions.get("applied") == kept
        page = unit.promotions.page(experiment="sale", state=PromotionState.HELD, after=None, limit=9)
        assert [one.id for one in page.items] == ["lost"]
    database.close()


def test_what_is_live_holds_its_segment(left_url):
    migrate.upgrade(left_url)
    another = promotion("another", experiment="sale")
    document = promotion_to_document(another)
    with pytest.raises(IntegrityError), _connected(left_url) as connection:
        _insert_promotion(connection, document, state="approved", revision=2)
    database = open_database(left_url)
    with database.unit_of_work() as unit:
        with pytest.raises(AlreadyExists):
            unit.promotions.add(another)
        unit.promotions.add(promotion("ended", PromotionState.REJECTED, experiment="sale"))
        unit.promotions.add(promotion("elsewhere", experiment="sale", segment="new"))
        unit.commit()
    database.close()


def test_a_promotion_without_revision_is_refused(left_url):
    migrate.upgrade(left_url)
    with pytest.raises(IntegrityError), _connected(left_url) as connection:
        _insert_promotion(connection, REVERTED_1 | {"id": "another"})


def test_snapshots_of_before_know_of_no_live_winner(left_url):
    migrate.upgrade(left_url)
    database = open_database(left_url)
    with database.unit_of_work(read_only=True) as unit:
        found = unit.snapshots.get("sale", 1)
    database.close()
    assert (found.report, found.realised) == ({"n": 1}, {})


def _give_and_take_id(url: str, name: str) -> int:
    """Store a row like the last one, and delete it again."""
    with _connected(url) as connection:
        table = _table(connection, name)
        last = connection.execute(select(table).order_by(table.c.id.desc()).limit(1)).one()._asdict()
        del last["id"]
        if name == "promotions":
            last |= {"promotion_id": "short-lived", "state": "expired"}
        number = connection.execute(insert(table).values(last).returning(table.c.id)).scalar_one()
        connection.execute(delete(table).where(table.c.id == number))
    return int(number)


@pytest.mark.parametrize("name", ["promotions", "snapshots"])
def test_no_id_is_given_twice_after_up_or_down(left_url, name):
    migrate.upgrade(left_url)
    first = _give_and_take_id(left_url, name)
    assert _give_and_take_id(left_url, name) == first + 1
    migrate.downgrade(left_url, "0001")
    first = _give_and_take_id(left_url, name)
    assert _give_and_take_id(left_url, name) == first + 1


def _shape(url: str) -> dict[str, Any]:
    with _connected(url) as connection:
        found = inspect(connection)
        return {
            name: (
                {one["name"]: (str(one["type"]), one["nullable"]) for one in found.get_columns(name)},
                {one["name"]: (one["column_names"], bool(one["unique"])) for one in found.get_indexes(name)},
                [one["name"] for one in found.get_unique_constraints(name)],
            )
            for name in ("promotions", "snapshots")
        }


def test_down_is_where_up_began(left_url):
    columns = ("id", "promotion_id", "experiment_key", "segment", "state", "version_after")
    before, rows = _shape(left_url), _rows(left_url, *columns)
    migrate.upgrade(left_url)
    migrate.downgrade(left_url, "0001")
    assert _shape(left_url) == before
    assert _rows(left_url, *columns) == rows
    found = [document for (document,) in _rows(left_url, "document")]
    assert [{name: one[name] for name in APPLIED_1} for one in found] == LEFT
    with pytest.raises(IntegrityError), _connected(left_url) as connection:
        _insert_promotion(connection, APPLIED_1 | {"id": "again"}, version_after=4)


def test_down_and_up_again_keeps_the_revisions(left_url):
    migrate.upgrade(left_url)
    database = open_database(left_url)
    newer = [promotion(f"{state} now", state, experiment="newer", segment=state) for state in PromotionState]
    with database.unit_of_work() as unit:
        for one in newer:
            unit.promotions.add(one)
        unit.commit()
    database.close()
    columns = ("id", "promotion_id", "state", "revision", "document")
    rows = _rows(left_url, *columns)
    migrate.downgrade(left_url, "0001")
    put_live = dict(_rows(left_url, "promotion_id", "version_after"))
    assert [put_live[f"{state} now"] for state in ("proposed", "ramping", "held", "kept")] == [0, 4, 4, 4]
    migrate.upgrade(left_url)
    assert _rows(left_url, *columns) == rows
    assert migrate.check(left_url) == ()
