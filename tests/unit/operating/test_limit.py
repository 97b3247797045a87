"""Limits: a bucket of tokens per key, counted exactly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.services.limit import TIDY_AT, Limiter


def test_a_burst_then_one_per_interval() -> None:
    limiter = Limiter(per_second=2, burst=3)
    assert [limiter.admit("k", 100.0) for _ in range(5)] == [None, None, None, 0.5, 0.5]
    assert limiter.admit("k", 100.4) == pytest.approx(0.1)
    assert limiter.admit("k", 100.5) is None
    assert limiter.admit("k", 100.5) == pytest.approx(0.5)
    assert [limiter.admit("k", 200.0) for _ in range(4)] == [None, None, None, 0.5]


def test_refusals_cost_nothing_and_keys_do_not_share() -> None:
    limiter = Limiter(per_second=1, burst=1)
    assert limiter.admit("k", 0.0) is None
    assert {limiter.admit("k", 0.25) for _ in range(100)} == {0.75}
    assert limiter.admit("other", 0.25) is None
    assert limiter.admit("k", 1.0) is None


@given(
    per_second=st.sampled_from([0.5, 1.0, 3.0, 10.0]),
    burst=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 2), max_size=60),
)
def test_it_admits_what_a_bucket_of_tokens_admits(per_second: float, burst: int, gaps: list[float]) -> None:
    limiter, tokens, now = Limiter(per_second, burst), float(burst), 1_000.0
    for gap in gaps:
        now += gap
        tokens = min(float(burst), tokens + gap * per_second)
        wait = limiter.admit("k", now)
        if abs(tokens - 1) < 1e-6:  # the two ways of counting may round to either side
            tokens = tokens - 1 if wait is None else tokens
        elif tokens > 1:
            assert wait is None
            tokens -= 1
        else:
            assert wait == pytest.approx((1 - tokens) / per_second, abs=1e-6)


def test_whoever_waits_as_long_as_told_is_let_in() -> None:
    limiter, now = Limiter(per_second=0.3, burst=2), 5.0
    for _ in range(50):
        wait = limiter.admit("k", now)
        if wait is not None:
            now += wait
            assert limiter.admit("k", now) is None


def test_threads_never_spend_a_token_twice() -> None:
    limiter = Limiter(per_second=1, burst=500)
    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(lambda _: limiter.admit("k", 7.0) is None, range(4_000)))
    assert sum(admitted) == 500


def test_keys_whose_buckets_are_full_again_are_forgotten() -> None:
    limiter = Limiter(per_second=1, burst=1)
    for number in range(TIDY_AT):
        limiter.admit(f"k{number}", 0.0)
    assert limiter.admit("late", 0.5) is None
    assert limiter.admit("k0", 0.5) == 0.5
    limiter.admit("later", 10.0)
    assert len(limiter._full_at) == 1
