"""Requests that were committed together lie together."""

from __future__ import annotations

import pytest

from experiments.services.recording.lines import Lines
from experiments.spool.entries import ENTRY_BYTES, packed


def lines(size: int, letter: str = "x") -> Lines:
    return Lines(events=letter.encode() * size, event_rows=2, exposures=letter.encode(), exposure_rows=1)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([10], [10]),
        ([10, 20, 30], [60]),
        ([ENTRY_BYTES + 5], [ENTRY_BYTES + 5]),
        ([ENTRY_BYTES - 20, 20], [ENTRY_BYTES]),
        ([ENTRY_BYTES - 20, 21], [ENTRY_BYTES - 20, 21]),
        ([10, ENTRY_BYTES + 5, 10, 20], [10, ENTRY_BYTES + 5, 30]),
        ([40_000, 20_000, 40_000, 20_000], [60_000, 60_000]),
    ],
    ids=["none", "one", "small", "large", "full", "too-much", "mixed", "two"],
)
def test_small_ones_share_an_entry_up_to_its_size(sizes: list[int], expected: list[int]) -> None:
    made = packed([lines(size - 1) for size in sizes])
    assert [entry.size for entry in made] == expected
    assert sum(entry.rows for entry in made) == 3 * len(sizes)


def test_rows_stay_in_order_and_of_their_kind() -> None:
    (entry,) = packed([lines(2, "a"), lines(1, "b"), lines(3, "c")])
    assert entry == Lines(events=b"aabccc", event_rows=6, exposures=b"abc", exposure_rows=3)
