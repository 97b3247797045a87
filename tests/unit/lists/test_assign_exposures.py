"""`winnow assign`: what is refused, who is assigned, and what is stored of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from experiments.domain.definition import ExposurePolicy
from experiments.domain.layer import Layer, LayerClaim
from experiments.storage.engine import normalised
from tests.golden.reference import bucket
from tests.unit.lists.shop import CSV, LIST, UNITS, WISH, Shop, rows_of


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
        (b"", (), "header_missing"),
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


def test_a_type_without_its_column_is_no_file_that_is_missing(shop: Shop) -> None:
    shop.start()
    refused = shop(shop.csv(LIST), "out.csv", "--types", "orders")
    told = "There is no file 'orders': COL=TYPE is wanted (such as age=integer), or a TOML file."
    assert refused.stderr == f"winnow: types_unreadable: {told}\n"


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


@pytest.mark.parametrize("batch", ["1", "100"])
def test_whom_a_list_names_twice_is_exposed_once_and_counted_once(shop: Shop, batch: str) -> None:
    shop.start()
    file = shop.csv("unit_id,mens,recency\nu1,1,1\nu2,1,1\nu1,1,1\n")
    done = shop(file, "out.csv", "--expose", "--batch", batch)
    assert done.stdout == "out.csv: 3 of 3 rows assigned, 2 exposed.\n"
    assert [unit for unit, *_ in shop.stored()] == ["u1", "u2"]
    assert shop.left() == ["list.csv", "out.csv"]


def test_what_the_list_lacks_is_told_with_what_to_type(shop: Shop) -> None:
    shop.start()
    some = shop(shop.csv("unit_id,mens\nu1,1\n"), "out.csv")
    assert some.stderr == (
        "winnow: attribute_missing: The conditions look at 'recency', which list.csv has not. Where that is meant, "
        "name those that it has: --attributes mens\n"
    )
    none = shop(shop.csv("unit_id\nu1\n"), "out.csv")
    assert none.stderr.endswith(
        "'mens' and 'recency', which list.csv has not. Where that is meant, name none: --attributes ''\n"
    )
    assert shop(shop.csv("unit_id\nu1\n"), "out.csv", "--attributes", "").stdout == "out.csv: 1 of 1 row assigned.\n"
