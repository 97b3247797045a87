"""What is stored of drift comes back equal, one per snapshot, the newest first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from experiments.services.drift.ports import Drift


def test_the_newest_snapshots_drift_is_the_latest_and_is_replaced(open_unit_of_work, now):
    old = Drift(
        experiment="checkout", snapshot_id=7, computed_at=now, document={"moved": 3, "segments": [{"p": 1e-300}, None]}
    )
    new = replace(old, snapshot_id=11, document={"moved": 4})
    again = replace(old, computed_at=now + timedelta(days=1), document={"moved": 5, "wie": "weit – fort"})
    other = replace(old, experiment="banner", snapshot_id=99)
    with open_unit_of_work() as work:
        assert work.drifts.latest("checkout") is None
        work.drifts.put(old)
        work.commit()
    with open_unit_of_work(read_only=True) as work:
        assert work.drifts.latest("checkout") == old
    with open_unit_of_work() as work:
        work.drifts.put(again)
        assert work.drifts.latest("checkout") == again
        work.drifts.put(new)
        work.drifts.put(other)
        work.commit()
    with open_unit_of_work() as work:
        assert work.drifts.latest("checkout") == new
        work.drifts.put(replace(new, document={}))
    with open_unit_of_work(read_only=True) as work:
        assert work.drifts.latest("checkout") == new
        assert work.drifts.latest("banner") == other
