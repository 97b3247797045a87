"""Segments of real customers (Hillstrom 2008) from templates: members, cards and results against SQL on the same file.

The conditions are compiled and asked row by row, as at assignment; the expected numbers are a group-by in DuckDB.
"""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pytest

from analysis.aggregate import aggregate_units
from analysis.effects.means import critical_value
from analysis.moments import MetricKey
from experiments.domain.condition import attributes_of, compile_condition
from experiments.domain.templates import template
from segmentation.card import CardBook, Question, Tables, Trial, make_cards, persona
from tests.stats.builders import metric, plan

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "hillstrom.csv.gz"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA.name} is not beside this checkout")

NUMBERS = {"recency": int, "history": float, "mens": int, "womens": int, "newbie": int}
OUTCOMES = ("visit", "conversion", "spend")
MADE: dict[str, tuple[str, dict[str, Any], str]] = {
    "high_spend": ("spent_between", {"least": 500}, "history >= 500"),
    "low_spend": ("spent_between", {"least": 0, "below": 100}, "history < 100"),
    "top_bands": (
        "spend_bands",
        {"values": ["6) $750 - $1,000", "7) $1,000 +"]},
        "history_segment LIKE '6)%' OR history_segment LIKE '7)%'",
    ),
    "recent": ("bought_within", {"most": 3}, "recency <= 3"),
    "middling": ("last_bought_between", {"least": 4, "most": 9}, "recency BETWEEN 4 AND 9"),
    "lapsed": ("not_bought_since", {"longer_than": 9}, "recency > 9"),
    "mens_only": ("bought_from", {"attribute": "mens", "without": ["womens"]}, "mens = 1 AND womens = 0"),
    "both_goods": ("bought_from_all", {"attributes": ["mens", "womens"]}, "mens = 1 AND womens = 1"),
    "new": ("new_customers", {}, "newbie = 1"),
    "known": ("known_customers", {}, "newbie = 0"),
    "country": ("place_type", {"values": ["Rural"]}, "zip_code = 'Rural'"),
    "town": ("place_type", {"values": ["Urban", "Surburban"]}, "zip_code IN ('Urban', 'Surburban')"),
    "web": ("buys_by_channel", {"values": ["Web"]}, "channel = 'Web'"),
    "many_channels": ("buys_by_channel", {"values": ["Multichannel"]}, "channel = 'Multichannel'"),
}
CONDITIONS = {key: template(name).condition(given) for key, (name, given, _) in MADE.items()}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    with gzip.open(DATA, "rt", newline="") as file:
        return [
            {name: NUMBERS[name](cell) if name in NUMBERS else cell for name, cell in row.items()}
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def members(rows: list[dict[str, Any]]) -> dict[str, list[bool]]:
    return {key: list(map(compile_condition(condition), rows)) for key, condition in CONDITIONS.items()}


@pytest.fixture(scope="module")
def sql() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(f"CREATE TABLE h AS SELECT * FROM read_csv('{DATA}')")
    return con


@pytest.fixture(scope="module")
def units(rows: list[dict[str, Any]], members: dict[str, list[bool]]) -> pa.Table:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    outcomes = {name: list(map(float, columns[name])) for name in OUTCOMES}
    numbered = {"unit_id": list(range(len(rows)))}
    return pa.table(numbered | columns | outcomes | {f"is_{key}": flags for key, flags in members.items()})


@pytest.fixture(scope="module")
def book(units: pa.Table) -> CardBook:
    bought = ibis.memtable(units)
    kinds: Any = {"recency": "number", "history": "number", "zip_code": "category", "channel": "category"}
    return make_cards(
        Tables(
            units=units,
            segments={key: f"is_{key}" for key in MADE},
            purchases=bought.filter(bought["spend"] > 0).select("unit_id", value="spend"),
            contacts=bought.filter(bought["channel"] != "Multichannel").select("unit_id", "channel"),
        ),
        Question(
            attributes=kinds,
            defined_by={key: attributes_of(condition) for key, condition in CONDITIONS.items()},
            trial=Trial(outcome="visit", kind="conversion", units_per_week=16_000),
        ),
    )


@pytest.mark.parametrize("key", MADE)
def test_who_is_in(key: str, members: dict[str, list[bool]], sql: duckdb.DuckDBPyConnection) -> None:
    expected = sql.sql(f"SELECT coalesce({MADE[key][2]}, false) FROM h").fetchall()
    assert members[key] == [flag for (flag,) in expected]
    assert 0 < sum(members[key]) < len(members[key])


@pytest.mark.parametrize("key", MADE)
def test_results_by_variant(key: str, units: pa.Table, sql: duckdb.DuckDBPyConnection) -> None:
    names = {"No E-Mail": "none", "Mens E-Mail": "mens", "Womens E-Mail": "womens"}
    flags = ["in" if flag else "out" for flag in units[f"is_{key}"].to_pylist()]
    table = units.select(OUTCOMES).append_column("segment", pa.array(flags))
    table = table.append_column("variant", pa.array([names[arm] for arm in units["segment"].to_pylist()]))
    question = plan(
        metric(key="visit"),
        metric(key="conversion", role="secondary"),
        metric(key="spend", kind="mean", role="secondary"),
        variants=("none", "mens", "womens"),
        segments=("in", "out"),
    )
    found = aggregate_units(ibis.memtable(table), question).moments
    expected = sql.sql(
        f"SELECT segment, {MADE[key][2]}, count(*), avg(visit), avg(conversion), avg(spend), var_samp(spend)"
        " FROM h GROUP BY 1, 2"
    ).fetchall()
    assert len(expected) == 6
    for arm, inside, count, visit, conversion, spend, variance in expected:
        of = {name: found[MetricKey(1, "in" if inside else "out", names[arm], name)] for name in OUTCOMES}
        assert {one.n for one in of.values()} == {count}
        assert of["visit"].mean == pytest.approx(visit, rel=1e-12)
        assert of["conversion"].mean == pytest.approx(conversion, rel=1e-12)
        assert of["spend"].mean == pytest.approx(spend, rel=1e-12)
        assert of["spend"].variance == pytest.approx(variance, rel=1e-10)


@pytest.mark.parametrize("key", MADE)
def test_size_and_value(key: str, book: CardBook, sql: duckdb.DuckDBPyConnection) -> None:
    count, total, buyers, error = sql.sql(
        f"SELECT count(*), sum(spend), count(*) FILTER (spend > 0), stddev_samp(spend) / sqrt(count(*)) FROM h"
        f" WHERE {MADE[key][2]}"
    ).fetchall()[0]
    ((everybody,),) = sql.sql("SELECT sum(spend) FROM h").fetchall()
    card, value = book.card(key), book.card(key).value
    assert value is not None
    assert (card.size.units, card.size.share) == (count, count / 64_000)
    assert (value.buyers, value.purchases) == (buyers, buyers)
    assert value.revenue == pytest.approx(total, rel=1e-12)
    assert value.revenue_per_unit == pytest.approx(total / count, rel=1e-12)
    assert value.purchase_value == pytest.approx(total / buyers, rel=1e-12)
    assert value.buyer_share == buyers / count
    assert value.revenue_share == pytest.approx(total / everybody, rel=1e-12)
    assert value.index == pytest.approx((total / count) / (everybody / 64_000), rel=1e-12)
    interval: Any = value.interval
    reach = 1.959964 * error
    assert (interval.low, interval.high) == pytest.approx((total / count - reach, total / count + reach), rel=1e-6)
    assert critical_value(0.05) == pytest.approx(1.959964, abs=1e-6)


def test_overlaps_both_ways(book: CardBook, sql: duckdb.DuckDBPyConnection) -> None:
    for key in MADE:
        for one in book.card(key).overlaps:
            mine, theirs = MADE[key][2], MADE[one.other][2]
            both, either, a, b = sql.sql(
                f"SELECT count(*) FILTER (({mine}) AND ({theirs})), count(*) FILTER (({mine}) OR ({theirs})),"
                f" count(*) FILTER ({mine}), count(*) FILTER ({theirs}) FROM h"
            ).fetchall()[0]
            assert one.both == both
            assert (one.jaccard, one.share_of_this, one.share_of_other) == (both / either, both / a, both / b)


def test_what_sets_them_apart(book: CardBook, sql: duckdb.DuckDBPyConnection) -> None:
    traits = {(trait.attribute, trait.value): trait for trait in book.card("recent").traits}
    assert traits["recency", None].by_definition
    assert not traits["history", None].by_definition
    (mean, variance), (other_mean, other_variance) = sql.sql(
        "SELECT avg(history), var_samp(history) FROM h GROUP BY recency <= 3 ORDER BY recency <= 3 DESC"
    ).fetchall()
    history = traits["history", None]
    assert (history.inside, history.elsewhere) == pytest.approx((mean, other_mean), rel=1e-12)
    assert history.size == pytest.approx((mean - other_mean) / ((variance + other_variance) / 2) ** 0.5, rel=1e-9)
    inside, elsewhere = (
        sql.sql(f"SELECT avg((channel = 'Multichannel')::INT) FROM h WHERE recency {side} 3").fetchall()[0][0]
        for side in ("<=", ">")
    )
    trait = traits["channel", "Multichannel"]
    assert (trait.inside, trait.elsewhere) == pytest.approx((inside, elsewhere), rel=1e-12)
    assert trait.lift == pytest.approx(inside / elsewhere - 1, rel=1e-9)


def test_reach(book: CardBook, sql: duckdb.DuckDBPyConnection) -> None:
    """Here who buys by several channels is taken to be reached by none."""
    for key in MADE:
        reached: Any = book.card(key).reached
        ((count, phone, web, none, all_phone),) = sql.sql(
            "SELECT count(*) FILTER (m), count(*) FILTER (m AND channel = 'Phone'),"
            " count(*) FILTER (m AND channel = 'Web'), count(*) FILTER (m AND channel = 'Multichannel'),"
            f" count(*) FILTER (channel = 'Phone') FROM (SELECT *, {MADE[key][2]} AS m FROM h)"
        ).fetchall()
        by = {one.channel: one for one in reached.channels}
        assert (by["Phone"].units, by["Web"].units) == (phone, web)
        assert by["Phone"].share == phone / count
        assert by["Phone"].index == pytest.approx((phone / count) / (all_phone / 64_000), rel=1e-12)
        assert reached.by_none == pytest.approx(none / count, abs=1e-12)


def test_the_baseline_of_a_trial_is_the_groups_own_rate(book: CardBook, sql: duckdb.DuckDBPyConnection) -> None:
    for key in MADE:
        ((rate, share),) = sql.sql(f"SELECT avg(visit), count(*) / 64000 FROM h WHERE {MADE[key][2]}").fetchall()
        outlook: Any = book.card(key).testability
        assert outlook.baseline == pytest.approx(rate, rel=1e-12)
        assert outlook.units_per_week == pytest.approx(16_000 * share, rel=1e-12)


def test_a_portrait_leaves_out_what_is_so_by_definition(book: CardBook) -> None:
    drawn = persona(book, "high_spend")
    assert [trait.attribute for trait in drawn.by_definition] == ["history"]
    assert "history" not in [trait.attribute for trait in drawn.distinguishing]
    assert drawn.distinguishing[0].attribute in ("recency", "channel")


def test_which_warnings_there_are(book: CardBook) -> None:
    """The top bands are spending of 750 and more, and so lie in spending of 500 and more; nothing else is nested."""
    told = {(key, one.code, one.other) for key in MADE for one in book.card(key).warnings if one.code != "too_small"}
    assert {one for one in told if one[1] in ("redundant", "unstable", "nearly_nobody", "nearly_everybody")} == set()
    assert ("top_bands", "inside", "high_spend") in told
