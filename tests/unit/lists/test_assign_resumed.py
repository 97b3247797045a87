"""`winnow assign`: a run that was ended goes on, and with nothing but what it began with."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.domain.errors import Unavailable
from experiments.domain.layer import Layer, LayerClaim
from experiments.services.authoring.wishes import ExperimentWish, SegmentWish
from experiments.services.consent.consents import ConsentWord
from experiments.services.lists.bulk_run import ListAssigner, ListWish
from tests.unit.lists.shop import CSV, UNITS, WISH, Shop, interrupt, listed, rows_of


@pytest.fixture
def there(sqlite_template: Path, tmp_path: Path) -> Shop:
    """Another database, which assigns lists in the same folder."""
    path = tmp_path / "there.sqlite"
    copyfile(sqlite_template, path)
    return Shop(f"sqlite:///{path}", tmp_path)


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


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_who_refuses_while_a_run_is_ended_gets_the_default(shop: Shop, kind: str) -> None:
    shop.start()
    units = [*UNITS[::-1], ("Zoë 🛒", {"mens": 1, "recency": 3})]
    file = shop.csv(listed([("unit_id", "mens", "recency"), *((i, a.get("mens"), a["recency"]) for i, a in units)]))
    interrupt(shop, file, f"out.{kind}", 200)
    done_before = [unit_id for unit_id, _ in units[:200]]
    refusing = ['q"7,x', "c490", units[250][0], "Zoë 🛒"]
    assert [unit_id in done_before for unit_id in refusing] == [True, True, False, False]
    for unit_id in refusing:
        shop.winnow.consents.say(ConsentWord(unit_id=unit_id, granted=False), by="test")
    assert shop(file, f"out.{kind}", "--batch", "50").exit_code == 0
    out = shop.folder / f"out.{kind}"
    rows = rows_of(out) if kind == "csv" else pq.read_table(out).to_pylist()
    assert [row["unit_id"] for row in rows] == [unit_id for unit_id, _ in units]
    told = {row["unit_id"]: (row["variant"], row["segment"] or None) for row in rows if row["reason"] == "no_consent"}
    assert told == dict.fromkeys(refusing, ("a", None))
    assert shop(file, f"straight.{kind}", "--batch", "50").exit_code == 0
    assert out.read_bytes() == (shop.folder / f"straight.{kind}").read_bytes()


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


def test_ctrl_c_says_how_to_go_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: Any) -> None:
        raise KeyboardInterrupt

    shop.start()
    monkeypatch.setattr(ListAssigner, "assign", ended)
    ctrl_c = shop(shop.csv(CSV), "out.csv")
    assert (ctrl_c.exit_code, "the same command goes on" in ctrl_c.stderr) == (130, True)
