"""The worker's lease: when it is looked at again."""

from __future__ import annotations

import pytest

from experiments.bootstrap import Winnow
from experiments.worker.lease import LEASE, Lease, LeaseLost
from tests.conftest import FakeClock


@pytest.mark.parametrize(("seconds", "looks"), [(0, False), (20, False), (21, True), (-1, True)])
def test_a_lease_is_renewed_after_a_third_of_its_time_and_after_the_clock_went_back(
    winnow: Winnow, clock: FakeClock, *, seconds: int, looks: bool
) -> None:
    """That another took it meanwhile is seen where it is renewed, and only there."""
    mine = Lease(winnow.open_unit_of_work, clock, holder="me", seconds=60)
    mine.renew()
    with winnow.open_unit_of_work() as work:
        work.leases.release(LEASE, holder="me")
        assert work.leases.acquire(LEASE, holder="another", now=clock(), ttl_seconds=60)
        work.commit()
    clock.advance(seconds=seconds)
    if looks:
        with pytest.raises(LeaseLost):
            mine.keep()
    else:
        mine.keep()
    assert mine.is_held is not looks
