"""`winnow assign`: lists in, answers out; what is refused, what is told, and what is stored."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine, text

from experiments.bootstrap import build
from experiments.cli import main
from experiments.domain.definition import ExposurePolicy, Variant
from experiments.domain.errors import Unavailable
from experiments.domain.layer import Layer, LayerClaim
from experiments.domain.metric import MetricRole
from experiments.domain.segment import Segment
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.services.lists.bulk_run import ListAssigner, ListWish
from experiments.settings import Settings
from experiments.storage.engine import normalised
from tests.golden.reference import IDS, bucket
from tests.unit.builders import VISIT

WISH = ExperimentWish(
    key="banner",
    name="Banner",
    variants=(
        Variant(key="a", name="A", is_control=True),
        Variant(key="b", name="B", content={"text": 'say "ü", 👋'}),
    ),
    segments=(SegmentWish(segment="mens"), SegmentWish(segment="new", traffic_bp=5_000)),
    metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
)


class Shop:
    """A database with one experiment, and the command line over it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.winnow = build(Settings(database_url=url))
        for key, condition in (("mens", {"mens": 1}), ("new", {"recency": {"$lte": 1}})):
            self.winnow.author.segments.create(Segment(key=key, name=key, condition=condition), actor="test")
        self.winnow.author.metrics.create(VISIT, actor="test")

    def start(self, wish: ExperimentWish = WISH) -> None:
        self.winnow.author.create(wish, actor="test")
        self.winnow.author.step(wish.key, "start", actor="test")

    def __call__(self, file: Path, out: str, *more: str) -> Result:
        arguments = ("assign", str(file), "-e", "banner", "-o", str(self.folder / out), *more)
        return CliRunner(env={"WINNOW_DATABASE_URL": self.url}).invoke(main, arguments)

    def csv(self, text: str | bytes, name: str = "list.csv") -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def left(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if ".sqlite" not in path.name)

    def stored(self) -> list[tuple[str, ...]]:
        engine = create_engine(normalised(self.url))
        try:
            with engine.connect() as connection:
                rows = connection.execute(text("SELECT unit_id, variant, segment FROM exposures ORDER BY unit_id"))
                return [tuple(row) for row in rows]
        finally:
            engine.dispose()

    def by_api(self, units: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, str]]:
        """What the assigner answers that the API asks, as rows of CSV."""
        self.winnow.catalog.refresh()
        asked = [Unit(unit_id=unit_id, attributes=attributes) for unit_id, attributes in units]
        return [
            {
                "unit_id": unit.unit_id,
                "experiment": answer.experiment,
                "version": str(answer.version),
                "epoch": str(answer.epoch),
                "segment": answer.segment or "",
                "variant": answer.variant,
                "reason": answer.reason.value,
                "counted": "true" if answer.reason == "assigned" else "false",
                "content": json.dumps(answer.content, ensure_ascii=False),
            }
            for unit, (answer,) in zip(asked, self.winnow.assigner.assign(asked, "banner"), strict=True)
        ]


@pytest.fixture
def shop(sqlite_url: str, tmp_path: Path) -> Shop:
    return Shop(sqlite_url, tmp_path)


@pytest.fixture
def there(sqlite_template: Path, tmp_path: Path) -> Shop:
    """Another database, which assigns lists in the same folder."""
    path = tmp_path / "there.sqlite"
    copyfile(sqlite_template, path)
    return Shop(f"sqlite:///{path}", tmp_path)


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def listed(rows: Sequence[Sequence[object]], delimiter: str = ",") -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows(rows)
    return written.getvalue()


UNITS: list[tuple[str, dict[str, Any]]] = [
    *((unit_id, {"mens": 1, "recency": 3}) for unit_id in IDS.values()),
    *((f"c{n}", {"mens": n % 2, "recency": n % 4}) for n in range(500)),
    *((f'q"{n},x', {"recency": 1}) for n in range(50)),
]
CSV = listed([("name", "unit_id", "mens", "recency"), *(("Zoë\nX", i, a.get("mens"), a["recency"]) for i, a in UNITS)])


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


LIST = "unit_id,mens,recency\nu1,1,1\n"


@pytest.mark.parametrize(
    ("text", "more", "code"),
    [
        ("unit,mens,recency\nu1,1,1\n", (), "column_missing"),
        ("unit_id,unit_id,mens,recency\nu1,u1,1,1\n", (), "column_missing"),
        ("unit_id,mens\nu1,1\n", (), "attribute_missing"),
        (LIST, ("--attributes", "mens,age"), "column_missing"),
        (LIST, ("--types", "mens=date"), "type_unknown"),
        (LIST, ("--types", "age=number"), "column_missing"),
        (LIST, ("--types", "nowhere.toml"), "types_unreadable"),
        (b"\xe9,mens\nu1,1\n", (), "file_not_utf8"),
        (b"PAR1 and nothing else", (), "file_unreadable"),
        (b"\x1f\x8b and nothing else", (), "file_unreadable"),
        (b"", (), "attribute_missing"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_leaves_nothing(
    shop: Shop, text: str | bytes, more: tuple[str, ...], code: str
) -> None:
    shop.start()
    refused = shop(shop.csv(text), "out.csv", *more)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"winnow: {code}: ")
    assert shop.left() == ["list.csv"]


def test_attributes_may_be_left_out_by_name(shop: Shop) -> None:
    shop.start()
    assert shop(shop.csv("unit_id,mens\nu1,0\nu2,1\n"), "out.csv", "--attributes", "mens").exit_code == 0
    # For `$lte` what is missing is zero.
    assert [row["segment"] for row in rows_of(shop.folder / "out.csv")] == ["new", "mens"]


def test_only_what_is_live_is_assigned(shop: Shop) -> None:
    file = shop.csv(LIST)
    assert shop(file, "out.csv").stderr == "winnow: experiment_not_found: There is no experiment 'banner'.\n"
    shop.winnow.author.create(WISH, actor="test")
    draft = shop(file, "out.csv")
    assert draft.stderr == "winnow: experiment_not_live: Experiment 'banner' is draft: nobody is assigned.\n"
    shop.winnow.author.step("banner", "start", actor="test")
    shop.winnow.author.step("banner", "pause", actor="test")
    assert shop(file, "out.csv").exit_code == 0
    assert [(row["variant"], row["reason"]) for row in rows_of(shop.folder / "out.csv")] == [("a", "paused")]
    assert shop(file, "out.txt").stderr.startswith("winnow: output_unknown: ")
    assert shop(file, "nowhere/out.csv").stderr.startswith("winnow: output_unwritable: ")


def test_layers_keep_units_out(shop: Shop) -> None:
    shop.winnow.author.layers.create(Layer(key="home", name="Home", salt="home", holdout_bp=2_000), actor="test")
    shop.start(replace(WISH, layer=LayerClaim(layer="home", share_bp=3_000)))
    shop(shop.csv(CSV), "out.csv")
    rows = rows_of(shop.folder / "out.csv")
    assert rows == shop.by_api(UNITS)
    for row in rows:
        place = bucket("home", row["unit_id"])
        assert (row["reason"] == "holdout") == (place >= 8_000)
        assert (row["reason"] == "other_experiment") == (3_000 <= place < 8_000)


def test_exposures_are_recorded_once_and_only_of_those_who_count(shop: Shop) -> None:
    shop.start(replace(WISH, forced={"c1": "b"}))
    file = shop.csv(CSV)
    counted = sorted(
        (row["unit_id"], row["variant"], row["segment"]) for row in shop.by_api(UNITS) if row["counted"] == "true"
    )
    assert 400 < len(counted) < len(UNITS)
    done = shop(file, "out.csv", "--expose", "--batch", "100")
    assert done.stdout == f"out.csv: 568 of 568 rows assigned, {len(counted):,} exposed.\n"
    assert shop.stored() == counted
    assert shop(file, "out.csv", "--expose", "--restart").exit_code == 0
    assert shop.stored() == counted


@pytest.mark.parametrize(("more", "exposed"), [((), 1), (("--no-expose",), 0)])
def test_where_asking_is_showing_it_is_so_for_lists(shop: Shop, more: tuple[str, ...], exposed: int) -> None:
    shop.start(replace(WISH, exposure_policy=ExposurePolicy.ON_ASSIGNMENT))
    shop(shop.csv(LIST), "out.csv", *more)
    assert len(shop.stored()) == exposed


def test_ids_that_were_joined_see_what_their_person_sees_and_in_which_channel(shop: Shop) -> None:
    shop.start()
    alone = {row["unit_id"]: row["variant"] for row in shop.by_api(UNITS)}
    for number in range(0, 100, 2):
        shop.winnow.identifier.identify(f"c{number}", f"c{number + 1}", trusted=True)
    expected = shop.by_api(UNITS)
    assert sum(alone[row["unit_id"]] != row["variant"] for row in expected) > 10
    done = shop(shop.csv(CSV), "out.csv", "--expose", "--channel", "email")
    assert done.exit_code == 0, done.output
    assert rows_of(shop.folder / "out.csv") == expected
    engine = create_engine(normalised(shop.url))
    with engine.connect() as connection:
        channels = connection.execute(text("SELECT DISTINCT channel FROM exposures")).scalars().all()
    engine.dispose()
    assert channels == ["email"]


class Interrupted(Exception):
    pass


def interrupt(shop: Shop, file: Path, out: str, rows: int, **wished: Any) -> None:
    """Stop in the middle, as if the process had ended there."""

    def progress(step: str, done: int, total: int | None) -> None:
        if step == "assign" and done >= rows:
            raise Interrupted

    shop.winnow.catalog.refresh()
    assigner = ListAssigner(shop.winnow.catalog, shop.winnow.assigner, shop.winnow.open_unit_of_work)
    wish = ListWish(source=file, experiment="banner", out=shop.folder / out, types={}, batch=50, **wished)
    with pytest.raises(Interrupted):
        assigner.assign(wish, progress)


@pytest.mark.parametrize("source", ["csv", "csv.gz", "parquet"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_run_goes_on_where_it_stopped(shop: Shop, source: str, kind: str) -> None:
    shop.start()
    file = shop.csv(gzip.compress(CSV.encode()) if source == "csv.gz" else CSV, f"list.{source}")
    if source == "parquet":
        columns = {name: [attributes.get(name) for _, attributes in UNITS] for name in ("mens", "recency")}
        # Batches of 50 over groups of 60: 200 rows end in the middle of the fourth group.
        pq.write_table(pa.table({"unit_id": [u for u, _ in UNITS], **columns}), file, row_group_size=60)
    assert shop(file, f"straight.{kind}", "--batch", "50").exit_code == 0
    interrupt(shop, file, f"out.{kind}", 200)
    assert shop.left() == [f"list.{source}", f"out.{kind}.parts", f"straight.{kind}"]
    done = shop(file, f"out.{kind}", "--batch", "50")
    assert done.stdout == f"out.{kind}: 568 of 568 rows assigned (200 of them in an earlier run).\n"
    assert (shop.folder / f"out.{kind}").read_bytes() == (shop.folder / f"straight.{kind}").read_bytes()
    assert shop.left() == [f"list.{source}", f"out.{kind}", f"straight.{kind}"]
    again = shop(file, f"out.{kind}", "--batch", "50")
    assert (again.exit_code, again.stderr[:24]) == (1, "winnow: output_exists: o")


def test_another_input_version_or_wish_is_not_gone_on_with(shop: Shop) -> None:
    shop.start()
    file = shop.csv(CSV)
    interrupt(shop, file, "out.csv", 100)

    def refusal(*more: str) -> str:
        told = shop(file, "out.csv", *more)
        assert (told.exit_code, told.stdout) == (1, "")
        return told.stderr

    assert "options_changed: out.csv.parts was begun with other options (batch 50 → 60)" in refusal("--batch", "60")
    assert "options_changed" in refusal("--batch", "50", "--expose")
    assert "options_changed" in refusal("--batch", "50", "--types", "mens=integer")
    shop.csv(CSV + "one-more,1,1,1\n")
    assert "input_changed: Since out.csv.parts was begun, the input has changed" in refusal("--batch", "50")
    shop.csv(CSV)
    shop.winnow.author.step("banner", "pause", actor="test")
    assert "experiment_changed: Since out.csv.parts was begun, the experiment has changed (version 1 → 2" in refusal(
        "--batch", "50"
    )
    assert shop(file, "out.csv", "--restart").exit_code == 0
    assert {row["reason"] for row in rows_of(shop.folder / "out.csv")} == {"paused"}


FORCED = replace(WISH, forced={"c1": "b", "c2": "b"})
IN_LAYER = replace(WISH, layer=LayerClaim(layer="home", share_bp=3_000))


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (WISH, replace(WISH, variants=(WISH.variants[0], replace(WISH.variants[1], content={"text": "x"}))), "plan"),
        (WISH, replace(WISH, salt="another"), "plan"),
        (WISH, replace(WISH, bucketing=2), "plan"),
        (WISH, replace(WISH, segments=(WISH.segments[0], SegmentWish(segment="new", traffic_bp=4_000))), "plan"),
        (WISH, replace(WISH, segments=(WISH.segments[0],)), "plan"),
        (FORCED, replace(FORCED, forced={"c1": "b", "c3": "b"}), "plan"),
        (WISH, IN_LAYER, "layer"),
        (IN_LAYER, WISH, "layer"),
    ],
)
def test_a_run_is_not_gone_on_with_against_another_database(
    shop: Shop, there: Shop, one: ExperimentWish, other: ExperimentWish, told: str
) -> None:
    def started(there: Shop, wish: ExperimentWish) -> None:
        there.winnow.author.layers.create(Layer(key="home", name="Home", salt="home"), actor="test")
        there.start(wish)

    started(shop, one)
    file = shop.csv(CSV)
    interrupt(shop, file, "out.csv", 100)
    started(there, other)
    refused = there(file, "out.csv", "--batch", "50")
    begun = "winnow: experiment_changed: Since out.csv.parts was begun, the experiment has changed"
    assert refused.stderr == f"{begun} ({told}); --restart begins anew.\n"
    assert shop(file, "out.csv", "--batch", "50").stdout.endswith("(100 of them in an earlier run).\n")


@pytest.mark.parametrize("change", [{"salt": "away"}, {"holdout_bp": 500}, {"bucketing": 2}])
def test_a_run_is_not_gone_on_with_in_another_layer(shop: Shop, there: Shop, change: dict[str, Any]) -> None:
    layer = Layer(key="home", name="Home", salt="home")
    shop.winnow.author.layers.create(layer, actor="test")
    shop.start(IN_LAYER)
    file = shop.csv(CSV)
    interrupt(shop, file, "out.csv", 100)
    there.winnow.author.layers.create(replace(layer, **change), actor="test")
    there.start(IN_LAYER)
    refused = there(file, "out.csv", "--batch", "50")
    assert "experiment_changed: " in refused.stderr
    assert "the experiment has changed (layer); " in refused.stderr


def test_another_name_in_another_database_makes_no_difference(shop: Shop, there: Shop) -> None:
    shop.start()
    file = shop.csv(CSV)
    interrupt(shop, file, "out.csv", 100)
    there.start(replace(WISH, name="The banner"))
    assert there(file, "out.csv", "--batch", "50").exit_code == 0


def test_a_file_that_changes_while_it_is_read_gives_no_output(shop: Shop) -> None:
    shop.start()
    file = shop.csv(CSV)

    def progress(step: str, done: int, total: int | None) -> None:
        if done == 100:
            file.write_text(CSV + "x")

    shop.winnow.catalog.refresh()
    assigner = ListAssigner(shop.winnow.catalog, shop.winnow.assigner, shop.winnow.open_unit_of_work)
    wish = ListWish(source=file, experiment="banner", out=shop.folder / "out.csv", types={}, batch=50)
    with pytest.raises(Exception, match="changed while it was read"):
        assigner.assign(wish, progress)
    assert not (shop.folder / "out.csv").exists()


def test_two_runs_do_not_write_the_same_output(shop: Shop) -> None:
    shop.start()
    file = shop.csv(CSV)
    told: list[str] = []

    def progress(step: str, done: int, total: int | None) -> None:
        if done == 100:
            told.append(shop(file, "out.csv", "--batch", "50").stderr)

    shop.winnow.catalog.refresh()
    assigner = ListAssigner(shop.winnow.catalog, shop.winnow.assigner, shop.winnow.open_unit_of_work)
    assigner.assign(
        ListWish(source=file, experiment="banner", out=shop.folder / "out.csv", types={}, batch=50), progress
    )
    assert told == ["winnow: already_running: Another run is writing out.csv.\n"]
    assert len(rows_of(shop.folder / "out.csv")) == len(UNITS)


def test_when_the_database_goes_away_the_next_run_exposes_the_rest(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.start()
    file = shop.csv(CSV)
    expose, calls = type(shop.winnow.assigner).expose, []

    def failing(self: Any, shown: Sequence[Any], channel: Any) -> None:
        calls.append(len(shown))
        if len(calls) == 4:
            raise Unavailable("database_unavailable", "Gone.")
        expose(self, shown, channel)

    monkeypatch.setattr(type(shop.winnow.assigner), "expose", failing)
    assert shop(file, "out.csv", "--batch", "50", "--expose").stderr == "winnow: database_unavailable: Gone.\n"
    assert len(shop.stored()) == sum(calls[:3])
    done = shop(file, "out.csv", "--batch", "50", "--expose")
    assert "(150 of them in an earlier run)" in done.stdout
    counted = [row for row in rows_of(shop.folder / "out.csv") if row["counted"] == "true"]
    assert [unit for unit, _, _ in shop.stored()] == sorted(row["unit_id"] for row in counted)


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


@pytest.mark.parametrize("link", [None, Path.symlink_to, Path.hardlink_to], ids=["itself", "symbolic", "hard"])
def test_the_list_is_never_written_over(shop: Shop, link: Any) -> None:
    shop.start()
    file = shop.csv(CSV)
    out = file.with_name("other.csv") if link else file
    if link:
        link(out, file)
    before = file.read_bytes()
    refused = shop(file, out.name, "--restart")
    assert (refused.exit_code, refused.stderr[:25]) == (1, "winnow: output_is_input: ")
    assert file.read_bytes() == before


@pytest.mark.parametrize("link", [None, Path.symlink_to, Path.hardlink_to], ids=["itself", "symbolic", "hard"])
@pytest.mark.parametrize("more", [(), ("--restart",)])
def test_nor_is_it_with_what_was_rejected(shop: Shop, link: Any, more: tuple[str, ...]) -> None:
    shop.start()
    rejected = shop.folder / "out.csv.rejected.csv"
    file = shop.csv(CSV, "list.csv" if link else rejected.name)
    if link:
        link(rejected, file)
    refused = shop(file, "out.csv", *more)
    assert (refused.exit_code, refused.stderr[:47]) == (1, "winnow: output_is_input: out.csv.rejected.csv, ")
    assert rejected.read_bytes() == file.read_bytes() == CSV.encode()


@pytest.mark.parametrize("is_link", [False, True])
def test_nor_is_a_list_among_the_parts(shop: Shop, is_link: bool) -> None:
    shop.start()
    interrupt(shop, shop.csv(CSV), "out.csv", 100)
    file = shop.folder / "out.csv.parts" / "000001.csv"
    file.write_bytes(CSV.encode())
    named = shop.folder / "link.csv" if is_link else file
    if is_link:
        named.symlink_to(file)
    refused = shop(named, "out.csv", "--restart")
    assert (refused.exit_code, refused.stderr[:25]) == (1, "winnow: output_is_input: ")
    assert file.read_bytes() == CSV.encode()


def test_ctrl_c_says_how_to_go_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: Any) -> None:
        raise KeyboardInterrupt

    shop.start()
    monkeypatch.setattr(ListAssigner, "assign", ended)
    ctrl_c = shop(shop.csv(CSV), "out.csv")
    assert (ctrl_c.exit_code, "the same command goes on" in ctrl_c.stderr) == (130, True)


@pytest.mark.parametrize(
    "names", [("notes.txt",), ("000000.csv",), ("lock", "notes.txt"), ("manifest.json", "icon.png"), ("deeper/a.csv",)]
)
@pytest.mark.parametrize("more", [(), ("--restart",)])
def test_a_folder_that_somebody_else_made_is_refused_and_left(
    shop: Shop, names: tuple[str, ...], more: tuple[str, ...]
) -> None:
    shop.start()
    folder = shop.folder / "out.csv.parts"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}", encoding="utf-8")
    refused = shop(shop.csv(CSV), "out.csv", *more)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("winnow: parts_not_ours: out.csv.parts is there and ")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == sorted(names)
    assert {(folder / name).read_text(encoding="utf-8") for name in names} == {"{}"}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_neither_a_file_nor_a_link_is_a_folder_of_ours(shop: Shop, kind: str) -> None:
    shop.start()
    parts = shop.folder / "out.csv.parts"
    if kind == "file":
        parts.write_text("mine", encoding="utf-8")
    else:
        parts.symlink_to(shop.folder / "nowhere")
    assert shop(shop.csv(CSV), "out.csv").stderr.startswith("winnow: parts_not_ours: ")
    assert shop.left() == ["list.csv", "out.csv.parts"]


@pytest.mark.parametrize("left", [(), ("lock",)])
def test_what_a_run_leaves_that_ends_before_its_first_word_is_taken_over(shop: Shop, left: tuple[str, ...]) -> None:
    shop.start()
    folder = shop.folder / "out.csv.parts"
    folder.mkdir()
    for name in left:
        (folder / name).touch()
    assert shop(shop.csv(CSV), "out.csv").exit_code == 0
    assert shop.left() == ["list.csv", "out.csv"]


def test_what_a_run_leaves_that_ends_while_it_clears_up_is_taken_over(shop: Shop) -> None:
    shop.start()
    file = shop.csv(CSV)
    interrupt(shop, file, "out.csv", 100)
    (shop.folder / "out.csv.parts" / "manifest.json").unlink()
    assert shop(file, "out.csv").exit_code == 0
    assert shop.left() == ["list.csv", "out.csv"]


def test_what_others_put_among_the_parts_stays(shop: Shop) -> None:
    shop.start()
    file = shop.csv(CSV)
    interrupt(shop, file, "out.csv", 100)
    notes = shop.folder / "out.csv.parts" / "notes.txt"
    notes.write_text("mine", encoding="utf-8")
    assert shop(file, "out.csv", "--batch", "50").exit_code == 0
    assert [path.name for path in notes.parent.iterdir()] == ["notes.txt"]
    assert shop(file, "out.csv", "--restart").stderr.startswith("winnow: parts_not_ours: ")
    assert notes.read_text(encoding="utf-8") == "mine"
