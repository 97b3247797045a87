"""Everybody who bought, on CDNOW's customers of 1997 as they would rest: published counts, and a loop over them."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime

import pytest

from analysis.estimate import Undefined
from experiments.domain.purchases import Followed, Purchases
from experiments.services.segments.customers import CustomerPicture, customer_picture
from experiments.storage.unit_of_work import open_database
from tests.customers.builders import CDNOW_END, cdnow_lines, needs_cdnow

END = CDNOW_END


def rows() -> list[Purchases]:
    """One row per customer, as following the log makes them."""
    last: dict[str, datetime] = {}
    first: dict[str, datetime] = {}
    frequency: Counter[str] = Counter()
    cents: dict[str, int] = defaultdict(int)
    for customer, at, dollars in cdnow_lines():
        first[customer], last[customer] = min(at, first.get(customer, at)), max(at, last.get(customer, at))
        frequency[customer] += 1
        cents[customer] += int(dollars * 100)
    return [
        Purchases(
            unit_id=customer,
            first_at=first[customer],
            last_at=at,
            previous_at=None,
            frequency=frequency[customer],
            unvalued=0,
            monetary_cents=cents[customer],
            due_at=END,
        )
        for customer, at in last.items()
    ]


def score(values: list[int]) -> list[int]:
    """One more than the ⌈n·k/5⌉-th smallest values that a value is above."""
    ordered = sorted(values)
    cuts = [ordered[-(-len(ordered) * k // 5) - 1] for k in (1, 2, 3, 4)]
    return [1 + sum(value > cut for cut in cuts) for value in values]


@needs_cdnow
def test_cdnow_as_it_rests() -> None:
    customers = rows()
    with open_database("memory://").unit_of_work() as work:
        work.behaviour.put(customers)
        work.behaviour.advance(Followed(names=("purchase",)))
        found = customer_picture(work, END)
    assert isinstance(found, CustomerPicture)
    summary = found.summary
    assert (summary.customers, summary.purchases, summary.bought_once) == (23_570, 69_659, 11_908)
    assert summary.revenue_cents == 250_031_563
    assert summary.median_recency_days == 472
    assert summary.median_monetary_cents == pytest.approx(4_340, abs=0.5)
    assert summary.top_fifth_share == pytest.approx(0.678, abs=0.0005)
    recency = [6 - one for one in score([(END - row.last_at).days for row in customers])]
    frequency = score([row.frequency for row in customers])
    cells: Counter[tuple[int, int]] = Counter(zip(recency, frequency, strict=True))
    money: Counter[tuple[int, int]] = Counter()
    for cell, row in zip(zip(recency, frequency, strict=True), customers, strict=True):
        money[cell] += row.monetary_cents
    assert {(one.r, one.f): (one.customers, one.revenue_cents) for one in found.heat_map} == {
        (r, f): (cells[r, f], money[r, f]) for r in range(1, 6) for f in range(1, 6)
    }
    assert sum(one.customers for one in found.groups) == 23_570


def test_what_cannot_be_drawn_says_why() -> None:
    with open_database("memory://").unit_of_work() as work:
        reasons = [customer_picture(work, END)]
        work.behaviour.advance(Followed(names=("purchase",)))
        reasons.append(customer_picture(work, END))
    assert [one.reason for one in reasons if isinstance(one, Undefined)] == ["not_followed", "no_customers"]
