"""Money beyond what 64 bits of cents hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.purchases import Purchases
from tests.conftest import FakeClock
from tests.unit.following.test_follow import DAY, catch_up, follower, known, purchase, record, shop

__all__ = ["shop"]


@pytest.mark.parametrize("sign", [1, -1])
def test_money_of_more_than_64_bits_stops_nobody(shop: Winnow, clock: FakeClock, sign: int) -> None:
    """2**62 cents, whatever comes on top; what is taken off is taken off that, and others are not held up."""
    full = Purchases(
        unit_id="ada",
        first_at=clock(),
        last_at=clock(),
        previous_at=None,
        frequency=90_000,
        unvalued=0,
        monetary_cents=sign * (2**63 - 1),
        due_at=clock() + DAY,
    )
    with shop.open_unit_of_work() as work:
        work.behaviour.advance(replace(work.behaviour.take(), names=("purchase",)))
        work.behaviour.put([full])
        work.commit()
    record(shop, [purchase("ada", sign * 1e12, clock()), purchase("bob", 1e15, clock()), purchase("cyd", 5.0, clock())])
    following = follower(shop)
    catch_up(following)
    assert (known(shop, "ada")["total_spent"], known(shop, "ada")["orders"]) == (sign * 2**62 / 100, 90_001)
    assert (known(shop, "bob")["total_spent"], known(shop, "bob")["orders"]) == (0.0, 1)
    assert known(shop, "cyd")["total_spent"] == 5.0
    record(shop, [purchase("ada", sign * -1e12, clock())])
    catch_up(following)
    assert known(shop, "ada")["total_spent"] == sign * (2**62 - 10**14) / 100


def test_one_person_of_two_rich_ids(shop: Winnow, clock: FakeClock) -> None:
    record(shop, [purchase("dev", 1e12, clock()), purchase("ann", 1e12, clock())])
    following = follower(shop)
    catch_up(following)
    with shop.open_unit_of_work() as work:
        work.behaviour.put([replace(row, monetary_cents=2**62) for row in work.behaviour.some(["dev", "ann"]).values()])
        work.commit()
    shop.catalog.refresh()
    shop.identifier.identify("dev", "ann", trusted=True)
    catch_up(following)
    assert (known(shop, "ann")["total_spent"], known(shop, "ann")["orders"]) == (2**62 / 100, 2)
