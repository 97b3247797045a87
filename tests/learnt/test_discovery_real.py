"""Hillstrom's e-mails: what is proposed for the women's e-mail, by a direct group-by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from segmentation.discovery import Search, discover, proposing_half

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "hillstrom.csv.gz"


@pytest.mark.skipif(not DATA.exists(), reason="Hillstrom's e-mails are not here (../shared/data)")
def test_the_womens_email_brings_those_who_bought_womens_merchandise() -> None:
    """Of 42,693 customers in the two arms; visits within two weeks."""
    table = pa.csv.read_csv(DATA)
    arms = np.array(table["segment"].to_pylist())
    kept = (arms == "Womens E-Mail") | (arms == "No E-Mail")
    assert kept.sum() == 42_693
    rows, treated = table.filter(pa.array(kept)), arms[kept] == "Womens E-Mail"
    ids = [f"customer {index}" for index in np.flatnonzero(kept)]
    visits = rows["visit"].to_numpy().astype(float)
    known = rows.select(["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"])
    said = discover(ids, treated, visits, known, Search(seed=1, comparisons=2, least_arm=500))
    assert said.outcome == "proposals"
    best = max(said.proposals, key=lambda leaf: leaf.difference)
    assert best.condition == {"womens": {"$gt": 0}}
    estimating = ~proposing_half(ids, treated, 1)
    womens = rows["womens"].to_numpy() == 1
    inside = visits[estimating & womens & treated].mean() - visits[estimating & womens & ~treated].mean()
    assert best.units == (estimating & womens).sum()
    assert best.effect == pytest.approx(inside)
    assert best.difference_interval.low > 0
