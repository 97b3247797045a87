"""Portraits: drawn from the card, told as a table."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from segmentation.card import CardBook, Question, Tables, Won, make_cards, persona, persona_csv

N = 2_000


@pytest.fixture(scope="module")
def book() -> CardBook:
    """The young are in; four in five of them are in a big town (elsewhere one in five), and they buy twice as often."""
    at = np.arange(N)
    young = at < N // 2
    big_town = np.where(young, at % 5 != 0, at % 5 == 0)
    buyers = at[np.where(young, at % 5 < 2, at % 5 < 1)]
    units = {
        "unit_id": at,
        "age": np.where(young, 20 + at % 10, 50 + at % 10),
        "town": np.where(big_town, "=BIG()", "small"),
        "unrelated": at % 7,
        "young": young,
    }
    return make_cards(
        Tables(
            units=pa.table(units),
            segments={"young": "young"},
            purchases=pa.table({"unit_id": buyers, "value": np.full(len(buyers), 30.0)}),
            contacts=pa.table({"unit_id": np.repeat(at[at % 4 != 0], 2), "channel": ["e-mail"] * (N * 3 // 2)}),
        ),
        Question(defined_by={"young": ["age"]}),
    )


def test_the_portrait(book: CardBook) -> None:
    drawn = persona(book, "young", won=[Won(experiment="banner", variant="b", lift=0.12)])
    assert (drawn.units, drawn.share) == (1_000, 0.5)
    typical: dict[str, Any] = {one.attribute: one for one in drawn.typical}
    assert (typical["town"].value, typical["town"].share) == ("=BIG()", 0.8)
    assert (typical["age"].lower, typical["age"].median, typical["age"].upper) == (22.0, 24.5, 27.0)
    assert [trait.attribute for trait in drawn.by_definition] == ["age"]
    (town,) = drawn.distinguishing
    assert (town.attribute, town.value, town.inside, town.elsewhere) == ("town", "=BIG()", 0.8, 0.2)
    habits = {one.name: (one.inside, one.everybody) for one in drawn.habits}
    assert habits == {"revenue_per_unit": (12.0, 9.0), "buyer_share": (0.4, 0.3), "purchase_value": (30.0, 30.0)}
    assert [(one.channel, one.share) for one in drawn.channels] == [("e-mail", 0.75)]
    assert drawn.won[0].lift == 0.12


def test_as_a_table(book: CardBook) -> None:
    text = persona_csv(persona(book, "young", won=[Won(experiment="banner", variant="b", lift=0.12)]))
    rows = list(csv.DictReader(io.StringIO(text)))
    found = {(row["section"], row["name"]): row for row in rows}
    assert {row["segment"] for row in rows} == {"young"}
    assert [row["section"] for row in rows] == [
        "size", "size", "typical", "typical", "typical", "by_definition", "distinguishing", "habit", "habit", "habit",
        "channel", "won",
    ]  # fmt: skip
    town = found["distinguishing", "town"]
    assert (town["value"], float(town["inside"]), float(town["elsewhere"])) == ("'=BIG()", 0.8, 0.2)
    assert float(town["lift"]) == pytest.approx(3.0)
    age = found["typical", "age"]
    assert (float(age["inside"]), float(age["low"]), float(age["high"]), age["value"]) == (24.5, 22.0, 27.0, "")
    assert float(found["habit", "revenue_per_unit"]["elsewhere"]) == 9.0
    assert float(found["won", "banner"]["lift"]) == 0.12


def test_nothing_is_made_up() -> None:
    """Without purchases no habits, without differences no traits."""
    units = pa.table({"unit_id": range(100), "even": [n % 2 == 0 for n in range(100)], "same": ["x"] * 100})
    drawn = persona(make_cards(Tables(units=units, segments={"even": "even"})), "even")
    assert (drawn.habits, drawn.distinguishing, drawn.by_definition, drawn.channels) == ((), (), (), ())
    with pytest.raises(KeyError):
        persona(make_cards(Tables(units=units, segments={"even": "even"})), "odd")
