"""Files of customers become profiles, row by row."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from experiments.bootstrap import Winnow, build
from experiments.cli import main
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import InvalidInput
from experiments.domain.source import Source, SourceKind
from experiments.services.profiles.customer_file import CustomerImporter, Imported, ImportWish
from experiments.settings import Settings

WRITTEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TYPES = {"city": "text", "orders": "number", "vip": "boolean", "since": "date", "channels": "texts"}
HEADER = "unit_id,city,orders,vip,since,channels,shoe\n"


@pytest.fixture
def winnow(sqlite_url: str) -> Winnow:
    made = build(Settings(database_url=sqlite_url))
    for place, key in enumerate(("platform", "crm")):
        source = Source(key=key, name=key, kind=SourceKind.FIRST_PARTY, precedence=place)
        made.author.sources.create(source, actor="test")
    for key, kind in TYPES.items():
        allowed = ("mail", "app") if key == "channels" else ()
        made.author.attributes.create(
            Attribute(key=key, name=key, type=AttributeType(kind), allowed=allowed), actor="test"
        )
    return made


def run(winnow: Winnow, path: Path, **wish: Any) -> Imported:
    importer = CustomerImporter(winnow.open_unit_of_work, winnow.profiles, winnow.clock)
    return importer.run(ImportWish(**{"path": path, "source": "crm", **wish}))


def csv(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    return path


def attributes(winnow: Winnow, unit_id: str) -> dict[str, Any]:
    return dict(winnow.profiles.get(unit_id).laid.attributes)


def counts(done: Imported) -> tuple[int, int, int, int, int]:
    return done.rows, done.accepted, done.unchanged, done.outdated, done.rejected


def test_cells_are_read_as_the_registry_says(winnow: Winnow, tmp_path: Path) -> None:
    path = csv(tmp_path, "007,012,3,true,2026-01-31,mail|app,43", 'u2,"Köln, Süd",1.5,0,,"[""app""]",', "u3,,,,,,")
    done = run(winnow, path)
    assert counts(done) == (3, 2, 1, 0, 0)
    assert (done.attributes, done.left_out) == (tuple(TYPES), ("shoe",))
    assert attributes(winnow, "007") == {
        "city": "012",
        "orders": 3,
        "vip": True,
        "since": "2026-01-31",
        "channels": ["mail", "app"],
    }
    assert attributes(winnow, "u2") == {"city": "Köln, Süd", "orders": 1.5, "vip": False, "channels": ["app"]}
    assert winnow.profiles.get("007").laid.known["city"].at == WRITTEN


def test_unfit_rows_are_told_by_line_and_the_others_stored(winnow: Winnow, tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "u1,Bonn,many,,,,",
        'u2,"two\nlines",1,,,,',
        "u3,Bonn,1,,,sms,",
        ",Bonn,1,,,,",
        "u5,Bonn,1,perhaps,,,",
        "u6,Bonn",
        "u7,Bonn,1,,31.1.2026,,",
    )
    done = run(winnow, path)
    assert [(row.line, row.column, row.code) for row in done.bad_rows] == [
        (2, "orders", "attribute_value_invalid"),
        (5, "channels", "value_not_allowed"),
        (6, "unit_id", "id_invalid"),
        (7, "vip", "attribute_value_invalid"),
        (8, None, "field_count"),
        (9, "since", "attribute_value_invalid"),
    ]
    assert counts(done) == (7, 1, 0, 0, 6)
    assert attributes(winnow, "u2") == {"city": "two\nlines", "orders": 1}
    for secret in ("many", "sms", "perhaps", "31.1.2026"):
        assert secret not in repr(done)
    assert len(run(winnow, path, most_bad_rows=2).bad_rows) == 2


@pytest.mark.parametrize("cell", ["[" * 3_000, "[" * 100_000, "[app]", "[" + "1" * 5_000 + "]"])
def test_a_list_that_cannot_be_read_rejects_its_row_alone(winnow: Winnow, tmp_path: Path, cell: str) -> None:
    path = csv(tmp_path, "u1,app", f"u2,{cell}", header="unit_id,channels\n")
    done = run(winnow, path)
    assert [(row.line, row.column, row.code) for row in done.bad_rows] == [(3, "channels", "attribute_value_invalid")]
    assert attributes(winnow, "u1") == {"channels": ["app"]}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1e309", "The number is out of range."),
        ("-1e309", "The number is out of range."),
        ("nan", "It is no number."),
        ("many", "A number is wanted, no text."),
        ("1_000", "A number is wanted, no text."),
    ],
)
def test_what_is_wrong_with_a_number_is_told(winnow: Winnow, tmp_path: Path, cell: str, message: str) -> None:
    done = run(winnow, csv(tmp_path, f"u1,{cell}", header="unit_id,orders\n"))
    assert [(row.line, row.code, row.message) for row in done.bad_rows] == [(2, "attribute_value_invalid", message)]


def test_the_same_file_again_stores_nothing(winnow: Winnow, tmp_path: Path) -> None:
    path = csv(tmp_path, *(f"u{number},Bonn,{number},,,," for number in range(20)))
    assert counts(run(winnow, path)) == (20, 20, 0, 0, 0)
    with winnow.open_unit_of_work(read_only=True) as work:
        before = work.profiles.revision()
    assert counts(run(winnow, path)) == (20, 0, 20, 0, 0)
    with winnow.open_unit_of_work(read_only=True) as work:
        assert work.profiles.revision() == before
    assert counts(run(winnow, path, at=WRITTEN - timedelta(seconds=1))) == (20, 0, 0, 20, 0)


def test_what_was_ended_goes_on(winnow: Winnow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.services.profiles.customer_file.BATCH", 5)
    path = csv(tmp_path, *(f"u{number},Bonn,{number},,,," for number in range(20)))

    def killed(done: int, _total: int | None) -> None:
        if done == 10:
            raise KeyboardInterrupt

    importer = CustomerImporter(winnow.open_unit_of_work, winnow.profiles, winnow.clock)
    with pytest.raises(KeyboardInterrupt):
        importer.run(ImportWish(path=path, source="crm"), killed)
    assert counts(run(winnow, path)) == (20, 10, 10, 0, 0)
    assert [attributes(winnow, f"u{number}")["orders"] for number in range(20)] == list(range(20))


def test_columns_of_other_names_packed_files_and_precedence(winnow: Winnow, tmp_path: Path) -> None:
    plain = csv(tmp_path, "7;Bonn;2", header="Nr;Ort;orders\n")
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    run(winnow, packed, id_column="Nr", columns={"Ort": "city"}, delimiter=";")
    other = csv(tmp_path, "7;Ulm;3", header="Nr;Ort;orders\n")
    run(winnow, other, source="platform", id_column="Nr", columns={"Ort": "city"}, delimiter=";")
    assert attributes(winnow, "7") == {"city": "Bonn", "orders": 2}


def test_what_parquet_has_and_python_has_not_is_an_error_of_its_row(winnow: Winnow, tmp_path: Path) -> None:
    """Days far beyond 9999 stand for "never ends" in many a database; zones and texts may be of nobody's making."""
    far = pa.array([3_000_000, 20_484, None], pa.int32()).cast(pa.date32())
    broken = pa.array([[b"mail"], [b"\xff"], []], pa.list_(pa.binary())).view(pa.list_(pa.string()))
    nowhere = pa.array([0, 0, None], pa.int64()).cast(pa.timestamp("us", "Mars/Olympus"))
    path = tmp_path / "customers.parquet"
    bad = []
    for column, values in (("since", far), ("channels", broken), ("city", nowhere)):
        pq.write_table(pa.table({"unit_id": ["u1", "u2", "u3"], column: values}), path)
        bad.append([(row.line, row.column, row.code) for row in run(winnow, path).bad_rows])
    assert bad == [
        [(1, "since", "attribute_value_invalid")],
        [(2, "channels", "attribute_value_invalid")],
        [(line, "city", "attribute_value_invalid") for line in (1, 2)],
    ]
    assert attributes(winnow, "u2") == {"since": "2026-01-31"}
    assert attributes(winnow, "u1") == {"channels": ["mail"]}


def test_parquet_says_its_types_itself(winnow: Winnow, tmp_path: Path) -> None:
    table = pa.table(
        {
            "unit_id": [1, 2, 3],
            "city": ["Bonn", None, "Ulm"],
            "orders": [2, None, 7],
            "vip": [True, False, None],
            "since": pa.array([None, 0, 1], pa.date32()),
            "channels": [["mail"], None, ["sms"]],
        }
    )
    path = tmp_path / "customers.parquet"
    pq.write_table(table, path)
    done = run(winnow, path)
    assert [(row.line, row.column, row.code) for row in done.bad_rows] == [(3, "channels", "value_not_allowed")]
    assert attributes(winnow, "1") == {"city": "Bonn", "orders": 2, "vip": True, "channels": ["mail"]}
    assert attributes(winnow, "2") == {"vip": False, "since": "1970-01-01"}


@pytest.mark.parametrize(
    ("header", "wish", "code"),
    [
        (HEADER, {"source": "nobody"}, "source_unknown"),
        ("unit_id,shoe\n", {}, "columns_unknown"),
        ("id,city\n", {}, "column_missing"),
        (HEADER, {"columns": {"shoe": "size"}}, "attribute_unknown"),
        (HEADER, {"columns": {"shoe": "city"}}, "attribute_repeated"),
        (HEADER, {"columns": {"nowhere": "city", "city": "since"}}, "attribute_repeated"),
        ("unit_id,orders\n", {"columns": {"nowhere": "city"}}, "column_missing"),
        ("unit_id,city,city\n", {}, "column_missing"),
        (HEADER, {"at": datetime(2999, 1, 1, tzinfo=UTC)}, "at_in_future"),
    ],
)
def test_what_is_unfit_as_a_whole_stores_nothing(
    winnow: Winnow, tmp_path: Path, header: str, wish: dict[str, Any], code: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        run(winnow, csv(tmp_path, "u1,Bonn", header=header), **wish)
    assert refusal.value.code == code
    assert ("--id-column" in str(refusal.value)) is (header == "id,city\n")
    assert ("winnow attributes add" in str(refusal.value)) is (code in {"attribute_unknown", "columns_unknown"})
    with winnow.open_unit_of_work(read_only=True) as work:
        assert work.profiles.revision() == 0


def test_rows_that_the_registry_refuses_meanwhile_are_told_by_line(
    winnow: Winnow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.services.profiles.customer_file.BATCH", 2)
    path = csv(tmp_path, "u1,Bonn", "u2,Bonn", "u3,", "u4,Ulm", ",Ulm", "u6,Ulm", header="unit_id,city\n")

    def close(done: int, _total: int | None) -> None:
        if done == 2:
            city = Attribute(key="city", name="city", type=AttributeType.TEXT, allowed=("Bonn",))
            winnow.author.attributes.edit("city", city, expected_revision=1, actor="test")

    importer = CustomerImporter(winnow.open_unit_of_work, winnow.profiles, winnow.clock)
    done = importer.run(ImportWish(path=path, source="crm"), close)
    assert counts(done) == (6, 2, 1, 0, 3)
    assert [(row.line, row.code) for row in done.bad_rows] == [
        (5, "value_not_allowed"),
        (6, "id_invalid"),
        (7, "value_not_allowed"),
    ]
    assert "Ulm" not in repr(done)


def test_the_command(winnow: Winnow, tmp_path: Path, sqlite_url: str) -> None:
    path = csv(tmp_path, "u1,Bonn,1,,,,", "u2,Bonn,many,,,,")
    command = ["import", "customers", str(path), "--source", "crm"]
    environment = {"WINNOW_DATABASE_URL": sqlite_url}
    done = CliRunner().invoke(main, command, env=environment)
    assert done.exit_code == 3
    assert "2 rows of city, orders, vip, since, channels: 1 stored, 0 known, 0 outdated, 1 rejected." in done.output
    assert "line 3: attribute_value_invalid: orders: A number is wanted, no text." in done.output
    assert "many" not in done.output
    again = CliRunner().invoke(main, [*command, "--json", "--at", "2026-01-01T00:00:00Z"], env=environment)
    report = json.loads(again.output.splitlines()[0])
    assert (report["outdated"], report["rejected"], report["left_out"]) == (1, 1, ["shoe"])
    assert attributes(winnow, "u1") == {"city": "Bonn", "orders": 1}
    refused = CliRunner().invoke(main, [*command[:3], "--source", "nobody"], env=environment)
    assert (refused.exit_code, "source_unknown" in refused.output) == (1, True)
    ahead = CliRunner().invoke(main, [*command, "--at", "2999-01-01T00:00:00Z"], env=environment)
    assert (ahead.exit_code, "at_in_future" in ahead.output, "rejected" in ahead.output) == (1, True, False)
    for wrong in (["--column", "x"], ["--at", "soon"], ["--delimiter", ";;"]):
        assert CliRunner().invoke(main, [*command, *wrong], env=environment).exit_code == 2


def test_every_line_that_a_quote_takes_in_is_accounted_for(winnow: Winnow, tmp_path: Path) -> None:
    """Not closed at the end; and closed where what it takes in is no number."""
    header = "unit_id,orders\n"
    for last in ("q4,4", 'q4,4"'):
        done = run(winnow, csv(tmp_path, "q1,1", 'q2,"2', "q3,3", last, header=header))
        assert (done.rows, done.accepted + done.unchanged, done.rejected) == (4, 1, 3)
        (bad,) = done.bad_rows
        assert (bad.line, bad.lines) == (3, 3)
        assert bad.message.endswith("A quote makes one row of lines 3 to 5.")


def test_a_row_may_take_several_lines(winnow: Winnow, tmp_path: Path) -> None:
    done = run(winnow, csv(tmp_path, 'q1,"Bonn', 'am Rhein"', "q2,Ulm", header="unit_id,city\n"))
    assert (done.rows, done.accepted, done.rejected) == (2, 2, 0)
    assert attributes(winnow, "q1") == {"city": "Bonn\nam Rhein"}


def test_rows_of_joined_ids_are_stored_where_they_say_and_told(winnow: Winnow, sqlite_url: str, tmp_path: Path) -> None:
    winnow.identifier.identify("device", "ann", trusted=True)
    winnow.identifier.identify("tablet", "ann", trusted=True)
    path = csv(tmp_path, "ann,Bonn", "device,Ulm", "bob,Trier", "tablet,Köln", "u1,", header="unit_id,city\n")
    done = run(winnow, path)
    assert (done.accepted, done.joined, done.joined_lines) == (4, 2, (3, 5))
    assert run(winnow, path, most_bad_rows=1).joined_lines == (3,)
    assert [attributes(winnow, one)["city"] for one in ("ann", "device")] == ["Bonn", "Ulm"]
    command = ["import", "customers", str(path), "--source", "crm"]
    told = CliRunner().invoke(main, command, env={"WINNOW_DATABASE_URL": sqlite_url})
    assert told.exit_code == 0
    assert "joined_ids: 2 rows of ids that were joined to another one" in told.stderr
    assert "(line 3, 5)" in told.stderr
