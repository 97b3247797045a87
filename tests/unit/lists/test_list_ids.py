"""Ids that came as floats are the whole numbers they were, or the list is refused before anything is stored."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from experiments.cli import main
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import InvalidInput
from experiments.domain.source import Source, SourceKind
from experiments.services.lists.ids import ids_of
from tests.unit.lists.shop import Shop, interrupt, rows_of

UNFIT: dict[str, tuple[Any, str]] = {
    "fraction": (2.5, "id_not_whole"),
    "beyond": (2.0**53 + 2, "id_not_exact"),
    "its neighbour is the same float": (float(2**53 + 1), "id_not_exact"),
    "infinite": (float("inf"), "id_not_exact"),
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.0, "12"),
        (0.0, "0"),
        (-0.0, "0"),
        (-7.0, "-7"),
        (1e15, "1000000000000000"),
        (9007199254740991.0, "9007199254740991"),  # 2**53 - 1
        (float("nan"), None),
        (None, None),
        ("012", "012"),
        ("12.0", "12.0"),
        (9223372036854775807, "9223372036854775807"),
    ],
)
def test_the_text_of_an_id(value: Any, text: str | None) -> None:
    assert ids_of([value], 1) == [text]


@pytest.mark.parametrize(("value", "code"), [*UNFIT.values(), (True, "id_column_type"), (b"1", "id_column_type")])
def test_what_is_no_id_is_told_by_its_row_and_not_repeated(value: Any, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        ids_of(["u1", value], 7)
    assert (refusal.value.code, "row 8" in refusal.value.message) == (code, True)
    assert str(value) not in refusal.value.message


def table(shop: Shop, ids: Any, name: str = "list.parquet") -> Path:
    path = shop.folder / name
    column = ids if isinstance(ids, pa.Array) else pa.array(ids, pa.float64())
    ones = [1] * len(column)
    pq.write_table(pa.table({"unit_id": column, "mens": ones, "recency": ones}), path, row_group_size=60)
    return path


def command(shop: Shop, *arguments: str) -> Result:
    return CliRunner(env={"WINNOW_DATABASE_URL": shop.url}).invoke(main, arguments)


def profiles(shop: Shop) -> list[str]:
    with shop.winnow.open_unit_of_work(read_only=True) as work:
        return [one.profile.unit_id for one in work.profiles.page(after=None, limit=1_000)]


def with_orders(shop: Shop) -> None:
    source = Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=0)
    shop.winnow.author.sources.create(source, actor="test")
    shop.winnow.author.attributes.create(
        Attribute(key="recency", name="Recency", type=AttributeType.NUMBER), actor="test"
    )


@pytest.mark.parametrize("kind", ["float64", "float32", "coded"])
def test_lists_are_assigned_by_whole_numbers_and_missing_ids_rejected(shop: Shop, kind: str) -> None:
    shop.start()
    ids = pa.array([12.0, None, 7.0, float("nan")], pa.float32() if kind == "float32" else pa.float64())
    file = table(shop, ids.dictionary_encode() if kind == "coded" else ids)
    assert shop(file, "out.csv").exit_code == 3
    units = [(unit_id, {"mens": 1, "recency": 1}) for unit_id in ("12", "7")]
    assert rows_of(shop.folder / "out.csv") == shop.by_api(units)
    refused = rows_of(shop.folder / "out.csv.rejected.csv")
    assert [(row["line"], row["code"]) for row in refused] == [("2", "id_invalid"), ("4", "id_invalid")]


UUID_TEXT = "0189f7a4-3c5e-7b1d-9f00-0c5e1b9d7f10"


@pytest.mark.parametrize(
    ("ids", "texts"),
    [
        pytest.param(pa.array([Decimal(12), None, Decimal(10**30)], pa.decimal128(38, 0)), ["12", f"{10**30}"], id="d"),
        pytest.param(
            pa.array([Decimal(12), None, Decimal(-7)], pa.decimal256(50, 0)), ["12", "-7"], id="long decimals"
        ),
        pytest.param(pa.array([UUID(UUID_TEXT).bytes, None], pa.uuid()), [UUID_TEXT], id="uuid"),
    ],
)
def test_exact_types_are_ids_as_they_are_written(shop: Shop, ids: pa.Array, texts: list[str]) -> None:
    shop.start()
    assert shop(table(shop, ids), "out.csv", "--batch", "2").exit_code == 3
    assert rows_of(shop.folder / "out.csv") == shop.by_api([(text, {"mens": 1, "recency": 1}) for text in texts])
    refused = rows_of(shop.folder / "out.csv.rejected.csv")
    assert [(row["line"], row["code"]) for row in refused] == [("2", "id_invalid")]


@pytest.mark.parametrize(
    "ids",
    [pa.array([Decimal("12.50")], pa.decimal128(10, 2)), pa.array([b"1" * 16], pa.binary(16)), pa.array([True])],
    ids=["places", "bytes", "flags"],
)
def test_other_types_are_no_ids(shop: Shop, ids: pa.Array) -> None:
    shop.start()
    refused = shop(table(shop, ids), "out.csv")
    told = f"Ids are texts, whole numbers or UUIDs; column 'unit_id' is of type {ids.type}."
    assert (refused.exit_code, refused.stderr) == (1, f"winnow: id_column_type: {told}\n")


def test_a_run_that_was_ended_goes_on_with_the_same_ids(shop: Shop) -> None:
    shop.start()
    file = table(shop, [float(number) for number in range(200)])
    assert shop(file, "straight.csv", "--batch", "50").exit_code == 0
    interrupt(shop, file, "out.csv", 100)
    done = shop(file, "out.csv", "--batch", "50")
    assert done.stdout == "out.csv: 200 of 200 rows assigned (100 of them in an earlier run).\n"
    assert (shop.folder / "out.csv").read_bytes() == (shop.folder / "straight.csv").read_bytes()
    assert [row["unit_id"] for row in rows_of(shop.folder / "out.csv")] == [str(number) for number in range(200)]


@pytest.mark.parametrize(("value", "code"), UNFIT.values(), ids=UNFIT)
def test_one_unfit_id_far_behind_and_nothing_is_written(shop: Shop, value: float, code: str) -> None:
    shop.start()
    file = table(shop, [*map(float, range(150)), value])
    refused = shop(file, "out.csv", "--batch", "50", "--expose")
    assert (refused.exit_code, refused.stderr.startswith(f"winnow: {code}: ")) == (1, True)
    assert "row 151" in refused.stderr
    assert (shop.left(), shop.stored()) == (["list.parquet"], [])


def test_floats_of_32_bits_are_exact_for_shorter_numbers_only(shop: Shop) -> None:
    shop.start()
    fit, unfit = (pa.array([number], pa.float32()) for number in (2.0**24 - 1, 2.0**24))
    assert shop(table(shop, fit), "out.csv").exit_code == 0
    assert shop(table(shop, unfit), "out.csv", "--restart").stderr.startswith("winnow: id_not_exact: ")


@pytest.mark.parametrize("what", ["list", "customers"])
def test_imports_read_them_alike(shop: Shop, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.services.profiles.customer_file.BATCH", 50)
    monkeypatch.setattr("experiments.services.lists.import_list.BATCH", 50)
    with_orders(shop)
    given = {"list": ("segments", "import"), "customers": ("import", "customers")}[what]
    named = {"list": "vip", "customers": "crm"}[what]
    for value, code in UNFIT.values():
        file = table(shop, [*map(float, range(150)), value], "bad.parquet")
        refused = command(shop, *given, str(file), "--as", named)
        assert (refused.exit_code, refused.stderr.startswith(f"winnow: {code}: ")) == (1, True)
        assert profiles(shop) == []
    assert command(shop, *given, str(table(shop, [12.0, None, 7.0])), "--as", named).exit_code == 3
    assert sorted(profiles(shop)) == ["12", "7"]
