"""Warnings: each fires where its cause was planted, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from segmentation.card import CardBook, Question, Tables, Thresholds, make_cards

N = 20_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def book() -> CardBook:
    """Ten segments with one thing wrong each; `sound` has none."""
    at = np.arange(N)
    flags = {
        "sound": at % 4 == 0,
        "twin": (at % 4 == 0) & (at % 100 != 0),
        "part": (at % 4 == 0) & (at % 8 == 0),
        "nobody": at < 0,
        "few": (at % 21 == 1),
        "hardly": at % 400 == 2,
        "nearly_all": at % 50 != 3,
        "restless": at % 5 == 4,
        "calm": at % 5 == 3,
        "offline": at % 7 == 6,
    }
    restless, calm = (np.flatnonzero(flags[key]) for key in ("restless", "calm"))
    stays = [
        ("restless", unit, NOW - (70 - 7 * (i % 9)) * DAY, NOW - (40 - 7 * (i % 9)) * DAY)
        for i, unit in enumerate(restless)
    ]
    stays += [("calm", unit, NOW - 90 * DAY, None if i % 20 else NOW - 10 * DAY) for i, unit in enumerate(calm)]
    memberships = pa.table(
        {
            "segment": [key for key, *_ in stays],
            "unit_id": pa.array([int(unit) for _, unit, *_ in stays], pa.int64()),
            "entered_at": pa.array([start for *_, start, _ in stays], pa.timestamp("us", "UTC")),
            "left_at": pa.array([end for *_, end in stays], pa.timestamp("us", "UTC")),
        }
    )
    online = at[~flags["offline"] | (at % 3 == 0)]
    contacts = pa.table({"unit_id": online, "channel": np.where(online % 2, "e-mail", "post")})
    return make_cards(
        Tables(
            units=pa.table({"unit_id": at} | flags),
            segments={key: key for key in flags},
            memberships=memberships,
            contacts=contacts,
        ),
        Question(as_of=NOW, weeks=4, thresholds=Thresholds(few_units=960)),
    )


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("sound", [("redundant", "warning", "twin")]),
        ("twin", [("redundant", "warning", "sound")]),
        ("part", [("inside", "info", "sound"), ("inside", "info", "twin")]),
        ("nobody", [("empty", "critical", None)]),
        ("few", [("too_small", "warning", None)]),
        ("hardly", [("nearly_nobody", "warning", None), ("too_small", "warning", None)]),
        ("nearly_all", [("nearly_everybody", "warning", None)]),
        ("restless", [("unstable", "warning", None)]),
        ("calm", []),
        ("offline", [("hard_to_reach", "warning", None)]),
    ],
)
def test_what_is_told(book: CardBook, segment: str, expected: list[tuple[str, str, str | None]]) -> None:
    assert [(one.code, one.severity, one.other) for one in book.card(segment).warnings] == expected


def test_they_are_told_with_their_numbers(book: CardBook) -> None:
    def sentence(segment: str) -> str:
        return book.card(segment).warnings[0].sentence

    assert sentence("twin") == "Nearly the same as sound: of those in either, 96% are in both."
    assert sentence("part") == "It lies in sound: 100% of its customers are there too."
    assert sentence("hardly") == "Nearly nobody: 0.25% of all customers are in it."
    assert sentence("few") == "Too small to test in: it has 953 customers, and should have 960."
    assert sentence("offline") == "Hard to reach: 67% of its customers were not seen in any channel."
    stability: Any = book.card("restless").stability
    assert sentence("restless").startswith(f"Unstable: {stability.leaving:.0%} of its customers leave it each week")


@pytest.mark.parametrize(("seen", "told"), [(6, 0), (99, 0), (100, 1)])
def test_where_hardly_anybody_was_seen_a_segment_is_not_hard_to_reach(seen: int, told: int) -> None:
    """Of 6,000 that were imported so many were seen, all of them outside of the segment."""
    at = np.arange(6_000)
    contacts = pa.table({"unit_id": at[:seen], "channel": ["web"] * seen})
    units = pa.table({"unit_id": at, "s": at >= 3_000})
    made = make_cards(Tables(units=units, segments={"s": "s"}, contacts=contacts)).card("s")
    sentences = [one.sentence for one in made.warnings if one.code == "hard_to_reach"]
    assert sentences == ["Hard to reach: none of its customers was seen in any channel."] * told
