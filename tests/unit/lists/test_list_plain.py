"""Lines that are read as columns give what a record by record reading gives, whatever stands in them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.services.lists import csv_file as list_csv
from experiments.services.lists.file import Layout, Position, open_list

HEADER = b"note,unit_id,city\n"
LAYOUT = Layout(id_column="unit_id", attributes=("city",), types={})
START = Position()
_bytes = st.sampled_from(
    [
        b"a",
        b"7",
        b",",
        b",",
        b",,",
        b'"',
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"\t",
        b"\xc3\xa9",
        b"\xe9",
        b"\0",
        b"\xef\xbb\xbf",
        b"true",
    ]
)
_rows = st.lists(st.tuples(*[st.sampled_from([b"", b"a", b"x y", b"7", b"\xc3\xa9"])] * 3).map(b",".join), max_size=9)
_bodies = st.one_of(
    st.lists(_bytes, max_size=40).map(b"".join),
    _rows.map(b"\n".join),
    _rows.map(b"\r\n".join),
    st.tuples(_rows.map(b"\n".join), st.lists(_bytes, max_size=8).map(b"".join)).map(b"\n".join),
)


def read(path: Path, rows: int, start: Position = START) -> list[Any]:
    """Return all there is of each batch."""
    return [
        (
            list(chunk.ids),
            list(chunk.lines),
            [chunk.columns["city"].values[code] for code in chunk.columns["city"].codes],
            list(chunk.rejected),
            chunk.next,
        )
        for chunk in open_list(path, ",").chunks(LAYOUT, start, rows)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(_bodies, st.integers(1, 5))
def test_columns_are_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, rows: int) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(HEADER + body)
    quick = read(path, rows)
    with monkeypatch.context() as slow:
        slow.setattr(list_csv, "_plain_chunk", lambda *_: None)
        assert quick == read(path, rows)
    for place, (*_, position) in enumerate(quick):
        assert read(path, rows, position) == quick[place + 1 :]


def test_plain_lines_are_read_as_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would compare nothing."""
    path = tmp_path / "list.csv"
    path.write_bytes(HEADER + b",u1,Bonn\r\n,u2,\n" + b"x,u3,K\xc3\xb6ln")
    monkeypatch.setattr(list_csv, "_Batch", None)
    [(ids, lines, cities, rejected, position)] = read(path, 9)
    assert (ids, lines, cities, rejected) == (["u1", "u2", "u3"], [2, 3, 4], ["Bonn", None, "Köln"], [])
    assert position == Position(offset=path.stat().st_size, line=4)


def test_a_field_that_is_too_long_is_refused_whatever_stands_beside_it(tmp_path: Path) -> None:
    """As a record by record reading refuses it; else a quote in another row would decide."""
    path, long = tmp_path / "list.csv", b"x" * (csv.field_size_limit() + 1)
    found = []
    for other in (b"7", b'"7"'):
        path.write_bytes(HEADER + b"a," + other + b",Bonn\n" + long + b",8,Ulm\n")
        (chunk,) = open_list(path, ",").chunks(LAYOUT, START, 10)
        found.append((chunk.ids, [(one.line, one.code) for one in chunk.rejected]))
    assert found == [(["7"], [(3, "row_unreadable")])] * 2
