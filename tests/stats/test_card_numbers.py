"""Cards against pandas, numpy, scipy and statsmodels on the same tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import asin, sqrt
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportions_ztest

from analysis.estimate import Undefined
from segmentation.behaviour.money import cents
from segmentation.card import Question, Tables, Trial, make_cards, stability_of
from segmentation.refusal import Refused

NOW = datetime(2026, 3, 1, tzinfo=UTC)
N = 4_000


def table(**columns: Any) -> pa.Table:
    return pa.table(columns)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(20260301)
    tall = rng.random(N) < 0.3
    frame = pd.DataFrame(
        {
            "unit_id": [f"u{number}" for number in range(N)],
            "tall": tall,
            "age": rng.normal(40 + 5 * tall, 10),
            "noise": rng.normal(size=N),
            "country": np.where(tall & (rng.random(N) < 0.4), "NL", rng.choice(["DE", "FR", "NL"], N)),
            "flag": rng.integers(0, 2, N),
            "member": rng.random(N) < 0.5,
        }
    )
    frame.loc[rng.random(N) < 0.1, "age"] = np.nan
    frame.loc[rng.random(N) < 0.1, "country"] = None
    return frame


@pytest.fixture(scope="module")
def traits(frame: pd.DataFrame) -> dict[tuple[str, str | None], Any]:
    units = pa.Table.from_pandas(frame, preserve_index=False)
    book = make_cards(Tables(units=units, segments={"tall": "tall"}), Question())
    return {(trait.attribute, trait.value): trait for trait in book.card("tall").traits}


def test_which_attributes_are_compared(traits: dict[tuple[str, str | None], Any]) -> None:
    """Of two values one says it all; the segment's own column is no attribute."""
    compared = sorted((attribute, value or "") for attribute, value in traits)
    assert [attribute for attribute, _ in compared] == [
        "age",
        "country",
        "country",
        "country",
        "flag",
        "member",
        "noise",
    ]
    assert {value for attribute, value in traits if attribute == "country"} == {"DE", "FR", "NL"}


@pytest.mark.parametrize("name", ["age", "noise"])
def test_means(name: str, frame: pd.DataFrame, traits: dict[tuple[str, str | None], Any]) -> None:
    trait = traits[name, None]
    inside, elsewhere = (frame.loc[side, name].dropna() for side in (frame.tall, ~frame.tall))
    assert (trait.units_inside, trait.units_elsewhere) == (len(inside), len(elsewhere))
    assert (trait.inside, trait.elsewhere) == pytest.approx((inside.mean(), elsewhere.mean()), rel=1e-10)
    assert trait.size == pytest.approx((inside.mean() - elsewhere.mean()) / sqrt((inside.var() + elsewhere.var()) / 2))


@pytest.mark.parametrize("value", ["DE", "FR", "NL"])
def test_shares(value: str, frame: pd.DataFrame, traits: dict[tuple[str, str | None], Any]) -> None:
    trait = traits["country", value]
    known = frame.dropna(subset="country")
    inside, elsewhere = ((known.loc[side, "country"] == value).mean() for side in (known.tall, ~known.tall))
    assert (trait.inside, trait.elsewhere) == pytest.approx((inside, elsewhere))
    assert trait.lift == pytest.approx(inside / elsewhere - 1)
    assert trait.size == pytest.approx(2 * asin(sqrt(inside)) - 2 * asin(sqrt(elsewhere)))


def test_p_values_are_holms_over_the_whole_card(frame: pd.DataFrame, traits: dict[tuple[str, str | None], Any]) -> None:
    raw = []
    for attribute, value in traits:
        known = frame.dropna(subset=attribute)
        if value is None:
            raw.append(stats.ttest_ind(known[attribute][known.tall], known[attribute][~known.tall], equal_var=False)[1])
        else:
            has = known[attribute].astype(str).str.lower() == value.lower()
            counts = [has[known.tall].sum(), has[~known.tall].sum()]
            raw.append(proportions_ztest(counts, [known.tall.sum(), (~known.tall).sum()])[1])
    adjusted = multipletests(raw, method="holm")[1]
    assert [trait.p_value for trait in traits.values()] == pytest.approx(list(adjusted), rel=1e-6)
    told = {key for key, trait in traits.items() if trait.distinguishing}
    assert told == {("age", None), ("country", "NL")} | ({("country", "DE"), ("country", "FR")} & told)
    assert not traits["noise", None].distinguishing


def test_nothing_sets_random_halves_apart() -> None:
    """The chance that any of a card's differences is called one: at most alpha, in 100 cards of four attributes."""
    rng = np.random.default_rng(7)
    units = {f"x{at}": rng.normal(size=2_000) for at in range(2)}
    units |= {f"c{at}": rng.choice(["a", "b", "c"], 2_000) for at in range(2)}
    flags = {f"s{at}": rng.random(2_000) < 0.3 for at in range(100)}
    book = make_cards(
        Tables(units=table(unit_id=range(2_000), **units, **flags), segments={key: key for key in flags}),
        Question(least_size=0.0),
    )
    wrong = sum(any(trait.distinguishing for trait in card.traits) for card in book.cards)
    assert {len(card.traits) for card in book.cards} == {8}
    assert wrong <= stats.binom.ppf(0.999, 100, 0.05)
    assert wrong > 0


def test_few_units_are_neither_compared_nor_named() -> None:
    units = table(
        unit_id=range(200),
        segment=[number < 60 for number in range(200)],
        city=["Rome" if number % 2 else "Bonn" for number in range(170)]
        + [f"village {number}" for number in range(30)],
        rare=[None] * 171 + [float(number) for number in range(29)],
    )
    card = make_cards(Tables(units=units, segments={"s": "segment"})).card("s")
    assert {trait.value for trait in card.traits} == {"Rome", "Bonn"}
    (profile,) = card.profiles
    assert profile.attribute == "city"
    assert dict(profile.shares) == {"Rome": 0.5, "Bonn": 0.5}


def test_profiles(frame: pd.DataFrame) -> None:
    units = pa.Table.from_pandas(frame, preserve_index=False)
    card = make_cards(Tables(units=units, segments={"old": ibis._.age >= 45})).card("old")
    profiles: dict[str, Any] = {profile.attribute: profile for profile in card.profiles}
    old = frame[frame.age >= 45]
    assert card.size.units == len(old)
    age = profiles["age"]
    assert (age.lower, age.median, age.upper) == pytest.approx(tuple(old.age.quantile([0.25, 0.5, 0.75])))
    assert dict(profiles["country"].shares) == pytest.approx(dict(old.country.value_counts(normalize=True)))
    shares = [share for _, share in profiles["country"].shares]
    assert shares == sorted(shares, reverse=True)
    assert profiles["country"].known == old.country.notna().sum()


def test_a_missing_membership_is_none_and_an_unusable_number_is_missing() -> None:
    units = table(
        unit_id=range(90),
        recency=[1.0] * 40 + [None] * 10 + [9.0] * 40,
        spend=[float("nan"), float("inf"), *[2.0] * 88],
    )
    card = make_cards(Tables(units=units, segments={"s": ibis._.recency <= 3})).card("s")
    assert card.size.units == 40
    profiles: dict[str, Any] = {profile.attribute: profile for profile in card.profiles}
    assert (profiles["spend"].known, profiles["spend"].mean) == (38, 2.0)


def test_purchases_of_strangers_and_without_a_value() -> None:
    units = table(unit_id=["a", "b", "c"], s=[True, True, False])
    purchases = table(unit_id=["a", "a", "b", "nobody"], value=[10.0, 5.0, None, 99.0])
    book = make_cards(Tables(units=units, segments={"s": "s"}, purchases=purchases))
    value, everybody = book.card("s").value, book.everybody
    assert value is not None
    assert everybody is not None
    assert (value.revenue, value.purchases, value.buyers, value.purchase_value) == (15.0, 3, 2, 7.5)
    assert (everybody.revenue, everybody.revenue_per_unit) == (15.0, 5.0)
    assert (value.revenue_per_unit, value.index, value.revenue_share) == (7.5, 1.5, 1.0)


def test_money_is_what_the_rows_of_customers_call_money() -> None:
    """By hand: of six purchases three have a value. What a customer's row sums in cents, the card sums."""
    values = [10.0, 1e12, -1e12, 1.1e12, float("inf"), None]
    units = table(unit_id=["a", "b", "c"])
    purchases = table(unit_id=["a", "a", "a", "a", "b", "b"], value=values)
    segments = {one: ibis._.unit_id == one for one in "abc"}
    book = make_cards(Tables(units=units, segments=segments, purchases=purchases))
    a, b, c = (book.card(one).value for one in "abc")
    assert a is not None
    assert b is not None
    assert c is not None
    assert a.revenue == sum(cents(value) or 0 for value in values) / 100 == 10.0
    assert (a.purchases, a.purchase_value) == (4, pytest.approx(10 / 3))
    assert (b.revenue, b.purchases, b.buyers) == (0.0, 2, 1)
    assert [one.reason for one in (b.purchase_value, c.purchase_value) if isinstance(one, Undefined)] == [
        "no_values",
        "no_purchases",
    ]


def test_where_refunds_outweigh_a_part_is_no_share() -> None:
    """By hand: t gave back 90 of the 100 that s spent."""
    units = table(unit_id=["a", "b"], s=[True, False])
    purchases = table(unit_id=["a", "b"], value=[100.0, -90.0])
    book = make_cards(
        Tables(units=units, segments={"s": "s", "t": ~ibis._.s, "all": ibis._.s | True}, purchases=purchases)
    )
    shares: dict[str, Any] = {card.segment: card.value.revenue_share for card in book.cards if card.value}
    assert (shares["s"].reason, shares["t"].reason, shares["all"]) == ("refunds_outweigh", "refunds_outweigh", 1.0)


def test_what_does_not_exist_says_why() -> None:
    units = table(unit_id=["a", "b"], s=[False, False])
    purchases = table(unit_id=pa.array([], pa.string()), value=pa.array([], pa.float64()))
    book = make_cards(Tables(units=units, segments={"s": "s", "t": ~ibis._.s}, purchases=purchases))
    value: Any = book.card("s").value
    reasons = [value.revenue_per_unit, value.interval, value.purchase_value, value.revenue_share]
    assert [one.reason for one in reasons] == ["no_units", "no_units", "no_purchases", "no_revenue"]
    overlap: Any = book.card("s").overlaps[0]
    assert (overlap.both, overlap.jaccard, overlap.share_of_other) == (0, 0.0, 0.0)
    assert overlap.share_of_this.reason == "no_units"
    assert (book.card("s").stability, book.card("s").reached, book.card("s").testability) == (None, None, None)


STAYS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["x", "y"]), st.integers(-30, 30), st.integers(0, 40) | st.none()),
    max_size=25,
)


@given(stays=STAYS, naive=st.booleans())
@settings(max_examples=25, deadline=None)
def test_who_enters_and_leaves(stays: list[tuple[int, str, int, int | None]], naive: bool) -> None:
    """Against sets of units at each instant, stays that overlap or touch included."""
    made = [
        (unit, key, NOW + timedelta(days=start), None if days is None else NOW + timedelta(days=start + days))
        for unit, key, start, days in stays
    ]
    kind = pa.timestamp("us", None if naive else "UTC")
    columns = list(zip(*made, strict=True)) or [(), (), (), ()]
    bare = [[one and one.replace(tzinfo=None) for one in column] if naive else column for column in columns[2:]]
    memberships = table(
        unit_id=pa.array(columns[0], pa.int64()),
        segment=pa.array(columns[1], pa.string()),
        entered_at=pa.array(bare[0], kind),
        left_at=pa.array(bare[1], kind),
    )
    units = table(unit_id=range(6), x=[True] * 6, y=[False] * 6)
    book = make_cards(
        Tables(units=units, segments={"x": "x", "y": "y"}, memberships=memberships), Question(as_of=NOW, weeks=3)
    )

    def members(key: str, instant: datetime) -> set[int]:
        return {u for u, k, start, end in made if k == key and start <= instant and (end is None or end > instant)}

    for key in ("x", "y"):
        found: Any = book.card(key).stability
        before_all = entered_all = left_all = 0
        for place, week in enumerate(found.weeks):
            starts_at = NOW - timedelta(weeks=3 - place)
            before, after = members(key, starts_at), members(key, starts_at + timedelta(weeks=1))
            assert (week.starts_at, week.ends_at) == (starts_at, starts_at + timedelta(weeks=1))
            assert (week.before, week.after) == (len(before), len(after))
            assert (week.entered, week.left) == (len(after - before), len(before - after))
            before_all, entered_all = before_all + len(before), entered_all + len(after - before)
            left_all += len(before - after)
        if before_all:
            assert (found.entering, found.leaving) == (entered_all / before_all, left_all / before_all)
        else:
            assert found.leaving == Undefined(reason="no_members", message=found.leaving.message)
    counted_before = {key: stability_of(book.card(key).stability.weeks) for key in ("x", "y")}  # type: ignore[union-attr]
    again = make_cards(Tables(units=units, segments={"x": "x", "y": "y"}, steadiness=counted_before))
    assert again.cards == book.cards


def test_tables_of_a_database_and_arrow_tables_say_the_same(frame: pd.DataFrame, tmp_path: Path) -> None:
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(arrow, tmp_path / "units.parquet")
    stored = ibis.duckdb.connect().read_parquet(tmp_path / "units.parquet")
    segments = {"tall": ibis._.tall, "old": ibis._.age > 40}
    trial = Trial(outcome="flag", kind="mean", units_per_week=100)
    books = [make_cards(Tables(units=units, segments=segments), Question(trial=trial)) for units in (arrow, stored)]
    assert [card.size for card in books[0].cards] == [card.size for card in books[1].cards]
    assert [card.overlaps for card in books[0].cards] == [card.overlaps for card in books[1].cards]


TWO = table(unit_id=["a", "b"], s=[True, False], n=[1, 2], text=["x", "y"])


@pytest.mark.parametrize(
    ("code", "tables", "question"),
    [
        ("no_segments", {"segments": {}}, {}),
        ("no_units", {"units": TWO.slice(0, 0)}, {}),
        ("unit_missing", {"units": table(unit_id=["a", None], s=[True, True])}, {}),
        ("units_repeat", {"units": table(unit_id=["a", "a"], s=[True, True])}, {}),
        ("missing_columns", {"units": TWO.drop_columns("unit_id")}, {}),
        ("missing_columns", {"segments": {"s": "nobody"}}, {}),
        ("missing_columns", {"purchases": table(unit_id=["a"])}, {}),
        ("missing_columns", {}, {"trial": Trial(outcome="nothing", kind="mean", units_per_week=1)}),
        ("ids_differ", {"purchases": table(unit_id=[1], value=[1.0])}, {}),
        ("ids_differ", {"contacts": table(unit_id=[1], channel=["web"])}, {}),
        ("segment_not_boolean", {"segments": {"s": "n"}}, {}),
        ("name_reserved", {"units": TWO.append_column("winnow_in_0", pa.array([1, 2]))}, {}),
        ("attribute_unknown", {}, {"attributes": {"m": "number"}}),
        ("attribute_not_numeric", {}, {"attributes": {"text": "number"}}),
        ("outcome_not_numeric", {}, {"trial": Trial(outcome="text", kind="mean", units_per_week=1)}),
        ("question_invalid", {"memberships": TWO}, {}),
        ("question_invalid", {"memberships": TWO, "steadiness": {}}, {"as_of": NOW}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(code: str, tables: dict[str, Any], question: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        make_cards(Tables(**{"units": TWO, "segments": {"s": "s"}} | tables), Question(**question))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "changes",
    [
        {"units_per_week": -1.0},
        {"units_per_week": {"s": float("nan")}},
        {"minimum_lift": 0.0},
        {"weeks": ()},
        {"weeks": (4, 2)},
        {"longest_weeks": 0},
        {"variants": 1},
        {"alpha": 1.0},
        {"power": 0.4},
    ],
    ids=str,
)
def test_trials_that_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        Trial(**{"outcome": "x", "kind": "mean", "units_per_week": 10.0} | changes)
    assert caught.value.code == "question_invalid"


def test_an_instant_needs_its_zone() -> None:
    with pytest.raises(Refused) as caught:
        Question(as_of=datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    assert caught.value.code == "instant_without_zone"
