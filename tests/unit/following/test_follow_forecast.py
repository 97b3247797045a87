"""Following the log: what customers are expected to buy, beside the closed form and beside a planted future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

import numpy as np
import pytest
from scipy.special import hyp2f1

from experiments.bootstrap import Winnow
from experiments.domain.event import Event
from experiments.services.following import purchases
from experiments.services.following.purchase_attributes import next_due
from segmentation.behaviour.history import History
from tests.conftest import FakeClock
from tests.unit.following.test_follow import CUTS, DAY, IN_MEMORY, buy, catch_up, follower, known, record, shop

__all__ = ["shop"]

Bought: TypeAlias = list[tuple[float, int]]
"""Weeks since the shop opened, and cents."""

WEEKS, HORIZON = 60, 90 / 7
PURCHASES = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
AMOUNTS = {"p": 6.25, "q": 3.74, "v": 1_544.0}


def planted(customers: int, seed: int) -> list[Bought]:
    """The story of both models told customer by customer, to the end of the horizon."""
    rng = np.random.default_rng(seed)
    told = []
    for _ in range(customers):
        rate, leaves = rng.gamma(1.2, 1 / 12), rng.beta(0.9, 3.0)
        scale = rng.gamma(5.0, 1 / 9_000)
        time, bought = rng.uniform(0, WEEKS / 2), []
        while time <= WEEKS + HORIZON:
            bought.append((time, max(1, round(rng.gamma(6.0, 1 / scale)))))
            if len(bought) > 1 and rng.random() < leaves:
                break
            time += rng.exponential(1 / rate)
        told.append(bought)
    return told


def closed_form(by: dict[str, float], x: float, last: float, age: float, time: float) -> float:
    """Fader, Hardie & Lee 2005, eq. (10), with its hypergeometric function."""
    r, alpha, a, b = (by[name] for name in ("r", "alpha", "a", "b"))
    inside = hyp2f1(r + x, b + x, a + b + x - 1, time / (alpha + age + time))
    above = (a + b + x - 1) / (a - 1) * (1 - ((alpha + age) / (alpha + age + time)) ** (r + x) * inside)
    gone = a / (b + x - 1) * ((alpha + age) / (alpha + last)) ** (r + x) if x else 0.0
    return float(above / (1 + gone))


def amount(by: dict[str, float], count: int, cents: float) -> float:
    """Fader & Hardie 2013, the conditional expectation of a customer's mean amount."""
    return (by["p"] * (by["v"] + cents)) / (by["p"] * count + by["q"] - 1)


def counted(days: Sequence[int], today: int) -> tuple[int, float, float]:
    """Repeats, last and age: by day up to two days of purchase, by purchase from three on."""
    different = sorted(set(days))
    repeats = len(different) - 1 if len(different) <= 2 else len(days) - 1
    return repeats, (different[-1] - different[0]) / 7, (today - different[0]) / 7


def parameters(shop: Winnow) -> dict[str, dict[str, float]]:
    with shop.open_unit_of_work(read_only=True) as work:
        found = work.behaviour.followed().forecast
    assert found is not None
    return {name: dict(one) for name, one in found.items()}


@IN_MEMORY
def test_a_planted_population(shop: Winnow, clock: FakeClock) -> None:
    """Each customer's numbers are the closed form's by the stored parameters, and all of them are what was planted."""
    customers, opened, now = planted(700, 7), clock.now, clock.now + WEEKS * 7 * DAY
    clock.now = now
    ahead, events = 0, []
    for number, bought in enumerate(customers):
        for place, (weeks, cents) in enumerate(bought):
            at = opened + timedelta(weeks=weeks)
            one = Event(
                event_id=f"{number}-{place}", unit_id=f"u{number}", name="purchase", value=cents / 100, occurred_at=at
            )
            ahead += at > now
            events += [one] if at <= now else []
    record(shop, events)
    catch_up(follower(shop, cuts=None))
    by, said = parameters(shop), [known(shop, f"u{number}") for number in range(len(customers))]
    for bought, told in zip(customers, said, strict=True):
        past = [(opened + timedelta(weeks=weeks), cents) for weeks, cents in bought if weeks <= WEEKS]
        seen = counted([at.date().toordinal() for at, _ in past], now.date().toordinal())
        expected = closed_form(by["purchases"], *seen, HORIZON)
        cents = expected * amount(by["amounts"], len(past), sum(cents for _, cents in past))
        assert told["expected_purchases_90_days"] == pytest.approx(expected, abs=6e-4)
        assert told["expected_value_90_days"] == pytest.approx(cents / 100, abs=6e-3)
    assert sum(told["expected_purchases_90_days"] for told in said) == pytest.approx(ahead, rel=0.15)  # type: ignore[misc]


def expect(shop: Winnow, **models: dict[str, float]) -> None:
    """Store parameters beside the cuts, as if they had been found."""
    with shop.open_unit_of_work() as work:
        before = work.behaviour.take()
        cuts = {name: getattr(CUTS, name) for name in ("recency_days", "frequency", "monetary_cents")}
        found = {"cuts": cuts, "cuts_at": shop.clock(), "cuts_customers": 1_000, "forecast": models}
        work.behaviour.advance(replace(before, **found))
        work.commit()


def expected(shop: Winnow, unit_id: str) -> tuple[object, object]:
    told = known(shop, unit_id)
    return told.get("expected_purchases_90_days"), told.get("expected_value_90_days")


@IN_MEMORY
def test_what_is_said_by_stored_models_and_taken_back(
    shop: Winnow, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made up: no amount without a purchase that has a value, nothing at all once models are refused."""
    following = follower(shop, cuts=None)
    for days_ago in (70, 42, 42, 7):
        buy(shop, "ada", 30, days_ago=days_ago)
    buy(shop, "bob", None, days_ago=14)
    buy(shop, "cyd", 20)
    following.step(), following.step()
    expect(shop, purchases=PURCHASES, amounts=AMOUNTS)
    catch_up(following)
    of_ada = closed_form(PURCHASES, 3, 9, 10, HORIZON)
    assert expected(shop, "ada") == (round(of_ada, 3), round(of_ada * amount(AMOUNTS, 4, 12_000) / 100, 2))
    assert expected(shop, "bob") == (round(closed_form(PURCHASES, 0, 0, 2, HORIZON), 3), None)
    of_cyd = closed_form(PURCHASES, 0, 0, 0, HORIZON)
    assert expected(shop, "cyd") == (round(of_cyd, 3), round(of_cyd * amount(AMOUNTS, 1, 2_000) / 100, 2))
    monkeypatch.setattr(purchases, "FEW_CUSTOMERS", 0)
    clock.advance(days=1)
    buy(shop, "cyd", 20)
    catch_up(following)
    assert [expected(shop, unit_id) for unit_id in ("ada", "bob", "cyd")] == [(None, None)] * 3
    assert parameters(shop)["purchases"] == {"undefined": "observed_too_briefly"}


@IN_MEMORY
def test_time_alone_lowers_what_is_expected(shop: Winnow, clock: FakeClock) -> None:
    """Once a week at first, and not on the days between."""
    following = follower(shop, cuts=None, cuts_seconds=10**8)
    buy(shop, "ada", 30, days_ago=42)
    buy(shop, "ada", 30)
    following.step()
    expect(shop, purchases=PURCHASES, amounts={"undefined": "zero_variance"})  # type: ignore[dict-item]
    changes, before = [], None
    for day in range(30):
        catch_up(following)
        found, value = expected(shop, "ada")
        assert value is None
        if found != before:
            changes.append((day, found))
        before, clock.now = found, clock.now + DAY
    wanted = [round(closed_form(PURCHASES, 1, 6, 6 + day / 7, HORIZON), 3) for day in (0, 2, 8, 15, 22, 29)]
    assert changes == list(zip((0, 2, 8, 15, 22, 29), wanted, strict=True))


def test_when_an_expectation_is_due_again(clock: FakeClock) -> None:
    """Weekly to day 91, four-weekly through the first year, quarterly through the second, then by the year."""
    history, at, days = History(first_at=clock.now - 400 * DAY, last_at=clock.now), clock.now, []
    while at < clock.now + 1_200 * DAY:
        at = next_due(history, CUTS, at, expects=True)
        days.append((at - clock.now).days)
    weekly, monthly = range(8, 93, 7), range(120, 366, 28)
    others = {2, 15, 31, 61, 91, 181, 271, 366, 456, 547, 638, 731, 1_096, 1_461}
    assert days == sorted({*weekly, *monthly} | others)
