"""`winnow assign`: lists in, answers out, and what is told of them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.domain.segment import Segment
from experiments.services.authoring.wishes import SegmentWish
from tests.golden.reference import bucket
from tests.unit.lists.shop import CSV, LIST, UNITS, WISH, Shop, listed, rows_of


def test_a_csv_file_is_answered_as_the_api_answers(shop: Shop) -> None:
    shop.start(replace(WISH, forced={"customer-42": "b"}))
    done = shop(shop.csv(CSV), "out.csv", "--batch", "37")
    assert (done.exit_code, done.stdout) == (0, "out.csv: 568 of 568 rows assigned.\n")
    assert done.stderr == "Read mens as number, recency as number.\n"
    rows = rows_of(shop.folder / "out.csv")
    assert rows == shop.by_api(UNITS)
    assert {row["reason"] for row in rows} == {"assigned", "not_in_traffic", "forced"}
    assert shop.left() == ["list.csv", "out.csv"]
    mens = [row for row in rows if row["segment"] == "mens"]
    assert [row["variant"] for row in mens] == [
        "a" if bucket("banner/variant", row["unit_id"]) < 5_000 else "b" for row in mens
    ]
    assert shop.stored() == []


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_byte_order_mark_a_delimiter_and_gzip_make_no_difference(shop: Shop, packed: bool, delimiter: str) -> None:
    shop.start()
    text = b"\xef\xbb\xbf" + CSV.replace("name", '"name"', 1).encode()
    if delimiter == ";":
        rows = list(csv.reader(io.StringIO(CSV)))
        text = b"\xef\xbb\xbf" + listed(rows, ";").encode()
    file = shop.csv(gzip.compress(text) if packed else text, "list.csv.gz" if packed else "list.csv")
    assert shop(file, "out.csv", "--delimiter", delimiter, "--batch", "100").exit_code == 0
    assert rows_of(shop.folder / "out.csv", delimiter) == shop.by_api(UNITS)


def test_parquet_in_and_out(shop: Shop) -> None:
    shop.start()
    columns = {name: [attributes.get(name) for _, attributes in UNITS] for name in ("mens", "recency")}
    table = pa.table({"who": [unit_id for unit_id, _ in UNITS], **columns, "other": list(range(len(UNITS)))})
    path = shop.folder / "list.parquet"
    pq.write_table(table, path, row_group_size=90)
    for batch in ("40", "90", "1000"):
        done = shop(path, "out.parquet", "--id-column", "who", "--batch", batch, "--restart")
        assert (done.exit_code, done.stderr) == (0, "Read mens as number, recency as number.\n")
        found = pq.read_table(shop.folder / "out.parquet").to_pylist()
        assert [
            {**row, "version": str(row["version"]), "epoch": str(row["epoch"]), "counted": str(row["counted"]).lower()}
            for row in found
        ] == shop.by_api(UNITS)
    # The same from CSV to Parquet: bytes of the content are bytes of the content.
    assert shop(shop.csv(CSV), "again.parquet").exit_code == 0
    assert pq.read_table(shop.folder / "again.parquet").to_pylist() == found


def test_parquet_values_are_what_json_would_be(shop: Shop) -> None:
    conditions: dict[str, dict[str, Any]] = {
        "when": {"day": {"$gte": "2026-02-01"}},
        "paid": {"price": 12},
        "tagged": {"tags": {"$all": ["x"]}},
        "home": {"home.city": "Köln"},
        "yes": {"vip": True},
        "land": {"land": "DE"},
        "at": {"at": "2026-01-31T12:00:00+00:00"},
    }
    for key, condition in conditions.items():
        shop.winnow.author.segments.create(Segment(key=key, name=key, condition=condition), actor="test")
    shop.start(replace(WISH, segments=tuple(SegmentWish(segment=key) for key in conditions)))
    nothing = dict.fromkeys(("day", "price", "tags", "home", "vip", "land", "at"))
    rows = [
        {**nothing, "unit_id": 1, "day": date(2026, 2, 1)},
        {**nothing, "unit_id": 2, "day": date(2026, 1, 31), "price": Decimal("12.00")},
        {**nothing, "unit_id": 3, "tags": ["y", "x"]},
        {**nothing, "unit_id": 4, "home": {"city": "Köln"}},
        {**nothing, "unit_id": 5, "vip": True},
        {**nothing, "unit_id": 6, "land": "DE"},
        {**nothing, "unit_id": 7, "at": datetime(2026, 1, 31, 12, tzinfo=UTC)},
        {**nothing, "unit_id": 8},
    ]
    schema = pa.schema(
        [
            ("unit_id", pa.int64()),
            ("day", pa.date32()),
            ("price", pa.decimal128(10, 2)),
            ("tags", pa.list_(pa.string())),
            ("home", pa.struct([("city", pa.string())])),
            ("vip", pa.bool_()),
            ("land", pa.dictionary(pa.int8(), pa.string())),
            ("at", pa.timestamp("ns", "UTC")),
        ]
    )
    path = shop.folder / "list.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    assert shop(path, "out.csv").exit_code == 0
    found = [(row["unit_id"], row["segment"]) for row in rows_of(shop.folder / "out.csv")]
    assert found == [
        ("1", "when"),
        ("2", "paid"),
        ("3", "tagged"),
        ("4", "home"),
        ("5", "yes"),
        ("6", "land"),
        ("7", "at"),
        ("8", "everyone"),
    ]


def test_types_are_declared_where_a_cell_does_not_tell(shop: Shop) -> None:
    for key, condition in (("zip", {"zip": "12"}), ("vip", {"vip": True})):
        shop.winnow.author.segments.create(Segment(key=key, name=key, condition=condition), actor="test")
    shop.start(replace(WISH, segments=(SegmentWish(segment="zip"), SegmentWish(segment="vip"))))
    file = shop.csv("unit_id,zip,vip\n1,12,1\n2,,1\n3,,no\n4,,\n")
    types = shop.csv('zip = "text"\n', "types.toml")

    def segments(*more: str) -> list[str]:
        shop(file, "out.csv", "--restart", *more)
        return [row["segment"] for row in rows_of(shop.folder / "out.csv")]

    assert segments() == ["everyone", "everyone", "everyone", "everyone"]
    assert segments("--types", "zip=text,vip=boolean") == ["zip", "vip", "everyone"]
    assert segments("--types", str(types)) == ["zip", "everyone", "everyone", "everyone"]
    assert segments("--types", str(types), "--types", "vip=boolean") == ["zip", "vip", "everyone"]
    assert rows_of(shop.folder / "out.csv.rejected.csv") == [
        {"line": "4", "column": "vip", "code": "not_a_flag", "message": "'no' is neither 0 or 1 nor true or false."}
    ]


def test_bad_rows_are_listed_by_line_and_everything_else_is_answered(shop: Shop) -> None:
    shop.start()
    body = (
        b"unit_id,mens,recency,note\n"
        b'ok-1,1,1,"two\nlines"\n'
        b",1,1,\n"
        b"caf\xe9,1,1,\n"
        b"\n"
        b"tab\tbed,1,1,\n"
        b"short,1\n"
        b"ok-2,0,1,caf\xe9\n"
        b"%b,1,1,\n"
        b'"x"y,1,1,\n'
        b"ok-1,0,3,again\n" % (b"x" * 513)
    )
    for batch in ("1", "3", "100"):
        done = shop(shop.csv(body), "out.csv", "--batch", batch, "--restart")
        assert done.exit_code == 3
        assert done.stdout == "out.csv: 2 of 9 rows assigned.\n"
        assert done.stderr.endswith("7 rows were rejected: out.csv.rejected.csv says why.\n")
        refused = rows_of(shop.folder / "out.csv.rejected.csv")
        assert [(row["line"], row["code"]) for row in refused] == [
            ("4", "id_invalid"),
            ("5", "not_utf8"),
            ("7", "id_invalid"),
            ("8", "field_count"),
            ("9", "not_utf8"),
            ("10", "id_invalid"),
            ("11", "row_unreadable"),
        ]
        rows = rows_of(shop.folder / "out.csv")
        assert [(row["unit_id"], row["segment"]) for row in rows] == [("ok-1", "mens"), ("ok-1", "everyone")]
        assert len({row["variant"] for row in rows}) == 1
    assert shop(shop.csv("unit_id,mens,recency\nok,1,1\n"), "out.csv", "--restart").exit_code == 0
    assert shop.left() == ["list.csv", "out.csv"]


def test_bad_rows_of_parquet(shop: Shop) -> None:
    shop.start()
    broken = pa.array([b"ok", b"caf\xe9", b"", None, b"t\tb"], type=pa.binary()).view(pa.string())
    table = pa.table({"unit_id": broken, "mens": [1.0, 1.0, 1.0, 1.0, 1.0], "recency": [np.nan, 1, 1, 1, 1]})
    path = shop.folder / "list.parquet"
    pq.write_table(table, path)
    assert shop(path, "out.csv").exit_code == 3
    refused = rows_of(shop.folder / "out.csv.rejected.csv")
    assert [(row["line"], row["code"]) for row in refused] == [
        ("2", "not_utf8"),
        ("3", "id_invalid"),
        ("4", "id_invalid"),
        ("5", "id_invalid"),
    ]
    assert [(row["unit_id"], row["segment"]) for row in rows_of(shop.folder / "out.csv")] == [("ok", "mens")]


def test_attributes_may_be_left_out_by_name(shop: Shop) -> None:
    shop.start()
    assert shop(shop.csv("unit_id,mens\nu1,0\nu2,1\n"), "out.csv", "--attributes", "mens").exit_code == 0
    # For `$lte` what is missing is zero.
    assert [row["segment"] for row in rows_of(shop.folder / "out.csv")] == ["new", "mens"]


def test_the_result_as_json(shop: Shop) -> None:
    shop.start()
    done = shop(shop.csv(LIST), "out.csv", "--json")
    assert json.loads(done.stdout) == {
        "rows": 1,
        "assigned": 1,
        "rejected": 0,
        "exposed": 0,
        "resumed": 0,
        "kinds": {"mens": ["number"], "recency": ["number"]},
    }
