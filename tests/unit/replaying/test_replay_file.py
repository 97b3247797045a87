"""A results file, read row by row: what is good, and what is bad on which line."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.domain.errors import InvalidInput
from experiments.services.replaying.file import BadRow, Row, WideFile
from experiments.services.replaying.plan import read_plan
from tests.unit.replaying.replays import HEADER, PLAN, with_units

Read = Callable[..., list[Row | BadRow]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def reading(*lines: str, header: str = HEADER, plan: dict[str, object] = PLAN) -> list[Row | BadRow]:
        path = tmp_path / "results.csv"
        path.write_bytes("\n".join([header, *lines, ""]).encode())
        return list(WideFile(path, read_plan(plan)).rows())

    return reading


def lines_and_codes(found: list[Row | BadRow]) -> list[tuple[int, str | None, str]]:
    return [(row.line, row.column, row.code) for row in found if isinstance(row, BadRow)]


def test_a_row_becomes_a_unit_with_segment_variant_and_events(read: Read) -> None:
    (row,) = read("1,32.5,web,New,1,12.5")
    assert row == Row(
        number=1,
        id_in_file=None,
        unit_id="sale-1",
        attributes={"mens": 1, "history": 32.5, "channel": "web"},
        segment="mens",
        variant="new",
        outcomes=(("visit", 1.0), ("spend", 12.5)),
    )


@pytest.mark.parametrize(
    ("line", "segment"),
    [
        ("1,1000,web,Old,0,0", "mens"),
        ("0,1000,web,Old,0,0", "rich"),
        ("0,999,web,Old,0,0", "everyone"),
        (",,,Old,0,0", "everyone"),
    ],
    ids=["the first that matches", "the second", "none matches", "attributes left out"],
)
def test_the_segment_is_the_first_whose_condition_holds(read: Read, line: str, segment: str) -> None:
    (row,) = read(line)
    assert isinstance(row, Row)
    assert row.segment == segment


def test_zeros_make_no_events_and_a_negative_number_does(read: Read) -> None:
    nothing, refund = read("1,1,web,Old,0,0", "1,1,web,Old,false,-3.5")
    assert isinstance(nothing, Row)
    assert isinstance(refund, Row)
    assert (nothing.outcomes, refund.outcomes) == ((), (("spend", -3.5),))


@pytest.mark.parametrize(
    ("line", "column", "code"),
    [
        ("1,1,web,Newest,0,0", "arm", "variant_unknown"),
        ("one,1,web,New,0,0", "mens", "not_an_integer"),
        ("1_0,1,web,New,0,0", "mens", "not_an_integer"),
        ("1,1_0,web,New,0,0", "history", "not_a_number"),
        ("1,nan,web,New,0,0", "history", "not_a_number"),
        ("1,1,web,New,2,0", "visit", "not_a_flag"),
        ("1,1,web,New,,0", "visit", "not_a_flag"),
        ("1,1,web,New,0,inf", "spend", "not_a_number"),
        ("1,1,web,New,0,", "spend", "not_a_number"),
        ("1,1,web,New,0", None, "field_count"),
        ("1,1,web,New,0,0,0", None, "field_count"),
    ],
)
def test_a_bad_row_names_its_column_and_why(read: Read, line: str, column: str | None, code: str) -> None:
    assert lines_and_codes(read(line)) == [(2, column, code)]


def test_lines_are_those_of_the_file_also_after_quoted_line_breaks_and_blank_lines(read: Read) -> None:
    found = read('1,1,"two\nlines",New,0,0', "", "1,1,web,New,maybe,0", '1,1,"x\ny\nz",Never,0,0', "1,1,web,New,0,0")
    assert lines_and_codes(found) == [(5, "visit", "not_a_flag"), (6, "arm", "variant_unknown")]
    assert [row.number for row in found if isinstance(row, Row)] == [1, 4]


def test_all_bad_rows_are_told_not_just_the_first(read: Read) -> None:
    assert lines_and_codes(read("x,1,w,New,0,0", "1,1,w,New,0,0", "1,x,w,New,0,0")) == [
        (2, "mens", "not_an_integer"),
        (4, "history", "not_a_number"),
    ]


def test_a_unit_that_stands_twice_is_bad_and_names_the_first_line(read: Read) -> None:
    found = read("7,New,1", "8,New,1", "7,New,1", "8,Old,0", ",New,0", header="id,arm,visit", plan=with_units())
    assert [row.unit_id for row in found if isinstance(row, Row)] == ["sale-7", "sale-8"]
    assert lines_and_codes(found) == [
        (4, "id", "unit_repeated"),
        (5, "id", "unit_repeated"),
        (6, "id", "id_invalid"),
    ]
    repeated = found[2]
    assert isinstance(repeated, BadRow)
    assert "line 2" in repeated.message


@pytest.mark.parametrize(
    ("header", "found"), [(HEADER.replace("spend", "spent"), "nowhere"), (HEADER + ",spend", "twice")]
)
def test_a_header_that_lacks_a_column_is_refused(read: Read, header: str, found: str) -> None:
    with pytest.raises(InvalidInput, match=f"'spend' stands {found}") as refusal:
        read(header=header)
    assert refusal.value.code == "column_missing"


def test_packed_and_plain_files_with_or_without_a_mark_read_alike(tmp_path: Path) -> None:
    content = f"{HEADER}\n1,1,wéb,New,1,0\n".encode()
    files = {"plain": content, "packed": gzip.compress(content), "marked": b"\xef\xbb\xbf" + content}
    read = {}
    for name, raw in files.items():
        (tmp_path / name).write_bytes(raw)
        file = WideFile(tmp_path / name, read_plan(PLAN))
        read[name] = (list(file.rows()), file.sha256)
    assert read["plain"] == read["packed"]
    assert read["plain"][0] == read["marked"][0]
    assert read["plain"][1] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (gzip.compress(f"{HEADER}\n".encode() * 500)[:-12], "file_unreadable"),
        (b"\x1f\x8bnot gzip at all", "file_unreadable"),
        (f"{HEADER}\n1,1,w\xe9b,New,1,0\n".encode("latin-1"), "file_not_utf8"),
    ],
    ids=["cut off", "no gzip", "latin-1"],
)
def test_a_file_that_cannot_be_read_is_refused_whole(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as refusal:
        list(WideFile(path, read_plan(PLAN)).rows())
    assert refusal.value.code == code
