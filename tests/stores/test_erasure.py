"""Erasure: whoever was erased is nowhere any more, and does not come back with what was under way."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from sqlalchemy import MetaData, Text, cast, select

from api.app import create_app
from experiments.bootstrap import Winnow, build
from experiments.cli import main
from experiments.domain.activity import UnitActivity
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import NotFound, Unavailable
from experiments.domain.experiment import draft
from experiments.domain.purchases import Purchases
from experiments.domain.source import Source, SourceKind
from experiments.services.consent.consents import ConsentWord
from experiments.services.forgetting.erase import Eraser
from experiments.services.ports import UnitOfWork
from experiments.services.profiles.profiles import ProfileChange
from experiments.services.recording.lines import to_lines
from experiments.services.recording.ports import Watermark
from experiments.settings import Settings
from experiments.spool.file import SpoolFile
from experiments.spool.folder import spool_folder
from experiments.spool.hold import hold_new
from experiments.spool.spool import Spool
from experiments.storage.engine import identity, make_engine
from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock

PERSONS = ["erase-me-4711", "Zoë-löschen-🛒", "100%_wild\\card*'[x]"]
BYSTANDERS = ["erase-me-47110", "Zoé-löschen-🛒", "100%Xwild\\card*'[x]"]
EVERYTHING = 10**9


def needles(unit_id: str) -> set[str]:
    """The id as it stands in columns, in JSON, and in lines of a spool."""
    return {unit_id, json.dumps(unit_id)[1:-1], unit_id.replace("\\", "\\\\")}


def in_tables(url: str, unit_id: str) -> set[str]:
    """Name the tables of the database in which any column holds the id, followed by anything but another digit."""
    engine, found, metadata = make_engine(url), set(), MetaData()
    metadata.reflect(engine)
    assert len(metadata.tables) > 20
    with engine.connect() as connection:
        for table in metadata.tables.values():
            for row in connection.execute(select(*(cast(column, Text) for column in table.c))):
                if any(holds(value, unit_id) for value in row if value is not None):
                    found.add(table.name)
    engine.dispose()
    return found


def in_files(folder: Path, unit_id: str) -> set[str]:
    found = set()
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError, IsADirectoryError):  # what goes meanwhile holds nothing any more
            if holds(path.read_bytes().decode(errors="surrogateescape"), unit_id):
                found.add(path.name)
    return found


def holds(text: str, unit_id: str) -> bool:
    return any(needle in text.replace(needle + "0", "") for needle in needles(unit_id))


def bought(unit_id: str, at: datetime) -> Purchases:
    return Purchases(
        unit_id=unit_id,
        first_at=at,
        last_at=at,
        previous_at=None,
        frequency=1,
        unvalued=0,
        monetary_cents=990,
        due_at=at,
    )


class Gate:
    """A database that the drainer's thread finds away for as long as it is shut."""

    def __init__(self, url: str) -> None:
        self.database, self.shut = open_database(url), True

    def __call__(self, *, read_only: bool = False) -> UnitOfWork:
        if self.shut and threading.current_thread().name == "winnow-spool-drainer":
            raise Unavailable("database_unavailable", "The database does not answer.")
        return self.database.unit_of_work(read_only=read_only)


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def gate(sql_url: str) -> Iterator[Gate]:
    gate = Gate(sql_url)
    yield gate
    gate.database.close()


@pytest.fixture
def folder(sql_url: str, tmp_path: Path) -> Path:
    return spool_folder(tmp_path / "spool", identity(sql_url))


@pytest.fixture
def winnow(sql_url: str, gate: Gate, clock: FakeClock, tmp_path: Path, folder: Path) -> Iterator[Winnow]:
    settings = Settings(database_url=sql_url, secret_key="s" * 40, spool_dir=tmp_path / "spool", log_level="debug")
    winnow = build(settings, open_unit_of_work=gate, clock=clock, spooled=True)
    yield winnow
    assert winnow.spool is not None
    winnow.spool.close(within_seconds=5)


@pytest.fixture
def fill(*, winnow: Winnow, gate: Gate, folder: Path, clock, event, exposure, definition):
    """Put units everywhere: profile, log, forced testers, the spools of this process, another one and a dead one."""

    def everywhere(units: list[str]) -> Spool:
        def rows(part: str) -> tuple[list, list]:
            return (
                [event(f"{part}-e{place}", unit) for place, unit in enumerate(units)],
                [exposure(f"{part}-x{place}", unit) for place, unit in enumerate(units)],
            )

        with gate() as work:
            work.sources.add(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=1), now=clock())
            work.attributes.add(Attribute(key="city", name="City", type=AttributeType.TEXT), now=clock())
            work.experiments.add(draft(definition(forced={units[0]: "b"}), by="ada", now=clock()))
            happened, shown = rows("log")
            work.log.append_events(happened, received_at=clock())
            work.log.append_exposures(shown, received_at=clock())
            work.behaviour.put([bought(unit, clock()) for unit in units])
            work.activity.put([UnitActivity(unit_id=unit, by_day={20_458: 1}, due_at=clock()) for unit in units])
            work.commit()
        for unit in units:
            winnow.profiles.patch(ProfileChange(unit_id=unit, source="crm", attributes={"city": "Bonn"}))
        assert winnow.spool is not None
        winnow.spool.append(*rows("own"), received_at=clock())
        dead = SpoolFile(hold_new(folder))
        dead.write([to_lines(*rows("orphan"), received_at=clock())], forget=0)
        for place, unit in enumerate(units):
            dead.bury(to_lines([event(f"dead{place}", unit)], [], received_at=clock()), "refused")
        other = Spool(folder, gate)
        dead.close()
        other.append(*rows("other"), received_at=clock())
        return other

    return everywhere


def stored(gate: Gate) -> dict[str, int]:
    """Count the rows of the log by unit."""
    with gate(read_only=True) as work:
        mark = Watermark(exposure_id=EVERYTHING, event_id=EVERYTHING, at=None)  # type: ignore[arg-type]
        rows = [row for batch in work.log.exposures("checkout", mark) for row in batch]
    return {unit: sum(row[0] == unit for row in rows) for unit in {row[0] for row in rows}}


def test_who_is_erased_is_found_nowhere(*, sql_url, winnow, gate, fill, folder, tmp_path, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    other = fill([*BYSTANDERS[:1], *PERSONS, *BYSTANDERS[1:]])
    app = create_app(winnow=winnow)
    key = winnow.keys.create("crm", frozenset({"profiles"}), actor="test").text
    client, headers = app.test_client(), {"Authorization": f"Bearer {key}"}
    for person in PERSONS:
        assert in_tables(sql_url, person) == {"profiles", "exposures", "events", "behaviour", "activity"}
        assert len({name.partition(".")[0] for name in in_files(folder, person)}) == 3
    receipts = []
    for person in PERSONS:
        answer = client.delete(f"/v1/units/{quote(person, safe='')}", headers=headers)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        receipts.append(answer.json)
    gate.shut = False
    other.start()
    # A file that is read before its log is folded in, and the log after that, look clean: look again.
    eventually(lambda: not any(in_files(folder, person) for _ in range(5) for person in PERSONS))
    other.close(within_seconds=5)
    for person, receipt in zip(PERSONS, receipts, strict=True):
        assert receipt["deleted"] == {"profiles": 1, "exposures": 1, "events": 1, "behaviour": 1, "activity": 1}
        assert receipt["waiting"] == {"spooled": 6, "dead": 1}
        assert (receipt["unreadable_files"], receipt["forced_in"]) == (0, [])
        assert in_tables(sql_url, person) == set()
        assert in_files(folder, person) == set()
        assert not holds(json.dumps(receipt), person)
        assert not holds(caplog.text + "".join(capfd.readouterr()), person)
    eventually(lambda: stored(gate) == dict.fromkeys(BYSTANDERS, 4))
    for bystander in BYSTANDERS:
        assert in_tables(sql_url, bystander) >= {"profiles", "exposures", "events", "behaviour", "activity"}
        assert in_files(folder, bystander)  # its dead row waits for somebody to see it
    if sql_url.startswith("sqlite"):
        assert not any(path.name.startswith("winnow.sqlite") and in_one(path) for path in tmp_path.iterdir())
    audited = winnow_audit(gate)
    assert [entry.detail["unit_digest"] for entry in audited] == [one["unit_digest"] for one in reversed(receipts)]
    assert {entry.actor for entry in audited} == {"key:crm"}


def in_one(path: Path) -> bool:
    text = path.read_bytes().decode(errors="surrogateescape")
    return any(holds(text, person) for person in PERSONS)


def winnow_audit(gate: Gate) -> list:
    with gate(read_only=True) as work:
        page = work.audit.page(subject=None, after=None, limit=50)
    return [entry for entry in page.items if entry.action == "unit.erase"]


def test_forced_testers_stay_where_versions_name_them(winnow, fill, gate) -> None:
    fill(PERSONS).close(within_seconds=0)
    receipt = winnow.eraser.erase(PERSONS[0], actor="test")
    assert [(one.experiment, one.versions) for one in receipt.forced_in] == [("checkout", (1,))]
    assert winnow.eraser.erase(PERSONS[1], actor="test").forced_in == ()
    gate.shut = False


def test_again_there_is_nothing_to_erase(winnow, fill, clock, gate) -> None:
    fill(PERSONS)
    first = winnow.eraser.erase(PERSONS[2], actor="test")
    again = winnow.eraser.erase(PERSONS[2], actor="test")
    assert set(first.deleted.values()) == {1}
    assert set(again.deleted.values()) | set(again.waiting.values()) == {0}
    assert (again.id == first.id, again.unit_digest == first.unit_digest) == (False, True)
    gate.shut = False


def test_what_followers_say_meanwhile_goes_as_well(winnow, fill, gate, clock, monkeypatch) -> None:
    """Between the mark and the deletion the worker writes what it had counted before."""
    fill(PERSONS)
    person, find = PERSONS[2], winnow.eraser._find

    def following(unit_id: str):
        found = find(unit_id)
        clock.now += timedelta(seconds=1)
        winnow.profiles.patch(ProfileChange(unit_id=person, source="crm", attributes={"city": "Bonn"}))
        assert winnow.profiles.get(person).laid.attributes == {"city": "Bonn"}
        return found

    monkeypatch.setattr(winnow.eraser, "_find", following)
    winnow.eraser.erase(person, actor="test")
    with pytest.raises(NotFound):
        winnow.profiles.get(person)
    with gate(read_only=True) as work:
        assert work.behaviour.some([person]) == {}
        assert work.activity.some([person]) == {}
    gate.shut = False


def test_the_command_cleans_what_a_dead_process_left(sqlite_url, event, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("WINNOW_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WINNOW_SPOOL_DIR", str(tmp_path / "spool"))
    person, received_at = PERSONS[2], datetime(2026, 1, 5, tzinfo=UTC)
    folder = spool_folder(tmp_path / "spool", identity(sqlite_url))
    left = SpoolFile(hold_new(folder))
    left.write([to_lines([event("e1", person), event("e2", "other")], [], received_at=received_at)], forget=0)
    left.bury(to_lines([event("e3", person)], [], received_at=received_at), "refused")
    left.close()
    done = CliRunner().invoke(main, ["customers", "erase", person, "--json"])
    assert done.exit_code == 0, done.output
    receipt = json.loads(done.stdout)
    assert (receipt["waiting"], receipt["deleted"]["events"]) == ({"spooled": 1, "dead": 1}, 0)
    assert not holds(done.output, person)
    assert in_tables(sqlite_url, person) == set()
    assert in_tables(sqlite_url, "other") == {"events"}
    assert not list(folder.glob("*.sqlite"))  # nothing is left in it, so it is gone
    told = CliRunner().invoke(main, ["customers", "erase", person])
    assert "Deleted: 0 profiles, 0 exposures, 0 events, 0 behaviour, 0 activity" in told.output


@pytest.fixture
def eraser(open_unit_of_work, clock) -> Eraser:
    return Eraser(open_unit_of_work, clock, lambda units: None, None)


def counts(open_unit_of_work, now) -> tuple[int, int]:
    with open_unit_of_work(read_only=True) as work:
        return work.log.counts("checkout", ["purchase"], Watermark(exposure_id=99, event_id=99, at=now))


@pytest.mark.parametrize("way", ["load", "append"])
def test_what_was_received_before_is_dropped_and_what_comes_later_is_somebody_new(
    *, open_unit_of_work, eraser, clock, event, exposure, way
) -> None:
    eraser.erase("u1", actor="test")
    at = {"before": clock() - timedelta(seconds=1), "then": clock(), "after": clock() + timedelta(microseconds=1)}
    expected = {"before": (1, 1), "then": (1, 1), "after": (2, 2)}
    for name, received_at in at.items():
        shown = [exposure(f"{name}-x1", "u1"), exposure(f"{name}-x2", "u2")][: 2 if name == "before" else 1]
        happened = [replace(event(f"{name}-e{one.unit_id}", one.unit_id)) for one in shown]
        with open_unit_of_work() as work:
            if way == "load":
                work.log.load(to_lines(happened, shown, received_at=received_at))
            else:
                work.log.append_exposures(shown, received_at=received_at)
                work.log.append_events(happened, received_at=received_at)
            work.commit()
        assert counts(open_unit_of_work, clock()) == expected[name]


def test_rows_that_are_being_stored_meanwhile_are_erased_too(open_unit_of_work, eraser, clock, exposure) -> None:
    with open_unit_of_work() as work:
        work.log.append_exposures([exposure("x1", "u1"), exposure("x2", "u2")], received_at=clock())
        thread = threading.Thread(target=eraser.erase, args=["u1"], kwargs={"actor": "test"})
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        work.commit()
    thread.join(10)
    assert counts(open_unit_of_work, clock())[0] == 1


def test_rows_of_others_keep_their_ids_and_new_ones_get_new_ids(open_unit_of_work, eraser, clock, exposure) -> None:
    with open_unit_of_work() as work:
        work.log.append_exposures([exposure(f"x{place}", f"u{place}") for place in (1, 2, 3)], received_at=clock())
        work.commit()
    eraser.erase("u3", actor="test")
    clock.advance(seconds=1)
    with open_unit_of_work() as work:
        work.log.append_exposures([exposure("x3", "u3")], received_at=clock())
        work.commit()
    with open_unit_of_work(read_only=True) as work:
        assert work.log.watermark(now=clock()).exposure_id == 4
        assert work.log.counts("checkout", ["purchase"], Watermark(exposure_id=3, event_id=0, at=clock())) == (2, 0)


def test_who_follows_profiles_hears_of_it(open_unit_of_work, eraser) -> None:
    with open_unit_of_work(read_only=True) as work:
        before = work.profiles.revision()
    eraser.erase("u1", actor="test")
    with open_unit_of_work(read_only=True) as work:
        assert work.profiles.changed_since(before, most=10).unit_ids is None
        present = work.profiles.revision()
        assert work.profiles.changed_since(present, most=10).unit_ids == ()


def test_every_id_of_a_person_is_found_nowhere(*, sql_url, winnow, gate, fill, folder) -> None:
    ids = [*PERSONS, BYSTANDERS[1]]
    other = fill([BYSTANDERS[0], *ids])
    winnow.catalog.refresh()
    for device in ids[1:]:
        winnow.identifier.identify(device, ids[0], trusted=True)
    winnow.identifier.identify("phone", BYSTANDERS[0], trusted=True)
    receipt = winnow.eraser.erase(ids[2], actor="test")
    assert receipt.deleted == {
        "profiles": 4,
        "exposures": 4,
        "events": 4,
        "behaviour": 4,
        "activity": 4,
        "identities": 4,
    }
    gate.shut = False
    other.start()
    eventually(lambda: not any(in_files(folder, one) for _ in range(5) for one in ids))
    other.close(within_seconds=5)
    for one in ids:
        assert in_tables(sql_url, one) == set()
        assert in_files(folder, one) == set()
    assert in_tables(sql_url, "phone") == {"identities"}


NAMED_BY_UNIT = {"profiles", "exposures", "events", "behaviour", "activity", "identities"}
"""Tables with rows of units: whoever adds one has `everywhere` fill it, and erasing find it."""
NAMES_NO_UNIT = {
    *("alembic_version", "api_keys", "audit", "catalog_version", "deliveries", "leases", "notices", "webhooks"),
    *("attributes", "layers", "metrics", "segments", "sources", "experiments"),
    *("adoptions", "imported_lists", "studies", "drifts", "snapshots", "promotions"),
    *("behaviour_followed", "activity_followed", "identity_revision", "profile_revision", "erasure_salt"),
}
"""What people write, sums over many, and how far somebody has come."""
NAMES_DIGESTS = {"consents", "erasures", "segment_members", "segment_reports", "segment_weeks"}
WRITTEN_BY_HAND = {"experiment_versions"}
"""Forced testers, which the receipt tells of."""


def test_every_table_of_the_model_is_known_to_who_erases(sql_url, winnow, gate, fill) -> None:
    """A table that is added later fails here, until somebody has said what of units it holds."""
    engine, metadata = make_engine(sql_url), MetaData()
    metadata.reflect(engine)
    assert set(metadata.tables) == NAMED_BY_UNIT | NAMES_NO_UNIT | NAMES_DIGESTS | WRITTEN_BY_HAND
    assert {name for name, table in metadata.tables.items() if "unit_id" in table.c} == NAMED_BY_UNIT
    engine.dispose()
    fill(PERSONS).close(within_seconds=0)
    winnow.catalog.refresh()
    for device in PERSONS[1:]:
        winnow.identifier.identify(device, PERSONS[0], trusted=True)
    winnow.consents.say(ConsentWord(unit_id=PERSONS[1], granted=True), by="test")
    held = {table for person in PERSONS for table in in_tables(sql_url, person)}
    assert held == NAMED_BY_UNIT | WRITTEN_BY_HAND
    winnow.eraser.erase(PERSONS[1], actor="test")
    assert {table for person in PERSONS for table in in_tables(sql_url, person)} == WRITTEN_BY_HAND
    gate.shut = False
