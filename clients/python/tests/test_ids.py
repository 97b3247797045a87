"""New ids of events: RFC 9562, version 7."""

from __future__ import annotations

import time
from uuid import RFC_4122, UUID

import pytest

from winnow_client.ids import new_id


@pytest.mark.parametrize("unset", ["7CC398C4DC0C0C07398F", "0CC318C4DC0C0C07398F", "FCC3D8C4DC0C0C07398F"])
def test_the_example_of_the_standard(monkeypatch: pytest.MonkeyPatch, unset: str) -> None:
    """Appendix A.6: Tuesday, February 22, 2022 2:22:22 PM GMT-05:00, whatever stood where version and variant go."""
    monkeypatch.setattr("time.time_ns", lambda: 1_645_557_742_000 * 1_000_000 + 999_999)
    monkeypatch.setattr("os.urandom", lambda size: bytes.fromhex(unset)[:size])
    assert new_id() == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_ids_are_new_and_sort_by_time() -> None:
    ids = []
    for _ in range(3):
        ids.append({new_id() for _ in range(1_000)})
        time.sleep(0.002)
    assert [len(some) for some in ids] == [1_000] * 3
    assert max(ids[0]) < min(ids[2])
    assert {(UUID(one).version, UUID(one).variant) for one in ids[0]} == {(7, RFC_4122)}


def test_clocks_before_1970_make_ids_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: -1)
    assert UUID(new_id()).version == 7
