"""Error rates of the engine, by simulation: every row holds with its safeguard, and breaks without it.

The rows are those of `make calibration`, at a fifth of its 10,000 experiments (at half with `make test-whole`) with a
tolerance of four standard errors (.0195 and .0123 at .05); the ids say how many experiments a row has. Those of the
best of 20 segments are large ones and half as many again; their bounds need no tolerance.
"""

from __future__ import annotations

import numpy as np
import pytest

from calibration.page import lines, number
from calibration.runner import Measured, chunks, measure, scenario
from calibration.scenario import Bound, Scenario, near, tolerance
from calibration.scenarios import SCENARIOS
from tests.repeats import repeats

RUNS = repeats(2_000, 5_000)
FEWER = dict.fromkeys(("winner", "winner_equal"), repeats(1_000, 2_500))


def ids(runs: int, fewer: dict[str, int]) -> list[str]:
    return [f"{one.key}-{max(1, round(fewer.get(one.key, runs) * one.share))}" for one in SCENARIOS]


def broken(measured: Measured) -> list[str]:
    return [bound.line for bound in measured.bounds if not bound.ok]


@pytest.mark.slow
@pytest.mark.parametrize("one", SCENARIOS, ids=ids(RUNS, FEWER))
def test_holds_with_its_safeguard(one: Scenario) -> None:
    assert broken(measure(one, FEWER.get(one.key, RUNS))) == []


@pytest.mark.slow
@pytest.mark.parametrize("one", SCENARIOS, ids=ids(RUNS, {}))
def test_breaks_without_it(one: Scenario) -> None:
    assert broken(measure(one, RUNS, safeguard=False)) != []


@pytest.mark.slow
@pytest.mark.parametrize("key", ["peeking_normal", "peeking_conversion", "peeking_revenue"])
def test_naive_peeking_errs_in_more_than_thirty_percent(key: str) -> None:
    """.373619 at 100 looks, Armitage, McPherson & Rowe (1969)."""
    measured = measure(scenario(key), 2_000, safeguard=False)
    assert measured.bounds[0].measured == pytest.approx(0.373619, abs=tolerance(0.373619, 2_000))


@pytest.mark.parametrize("key", ["ratio", "ramp", "srm_daily", "uniform_mean", "looks_planned", "cuped", "degenerate"])
def test_every_kind_of_row_runs(key: str) -> None:
    """A glance at the machinery for the fast suite."""
    assert measure(scenario(key), 200).bounds


def test_the_same_seed_gives_the_same_numbers_and_another_does_not() -> None:
    first, again, other = (measure(scenario("ramp"), 300, seed=seed).samples["p"] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_both_sides_of_the_switch_see_the_same_data() -> None:
    on, off = (measure(scenario("srm_daily"), 300, safeguard=safeguard).samples for safeguard in (True, False))
    assert (off["broken"] <= on["broken"]).all()


def test_experiments_are_cut_into_chunks_of_the_scenario() -> None:
    one = scenario("segments_null")
    assert [chunk.runs for chunk in chunks(one, 600, 1, safeguard=True)] == [500, 500, 200]
    assert [chunk.runs for chunk in chunks(scenario("degenerate"), 600, 1, safeguard=True)] == [1]


def test_keys_and_promises_are_unique() -> None:
    keys = [one.key for one in SCENARIOS]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("measured", "relation", "ok"), [(0.05, "<=", True), (0.06, "<=", False), (0.05, ">=", True), (0.04, ">=", False)]
)
def test_a_bound_says_whether_it_holds(measured: float, relation: str, ok: bool) -> None:
    bound = Bound(name="a.rate", measured=measured, relation=relation, bound=0.05)  # type: ignore[arg-type]
    assert bound.ok is ok
    assert bound.line == f"BOUND a.rate {measured:.6g} {relation} 0.05 {'ok' if ok else 'SHORT'}"


def test_nothing_measured_holds_nothing() -> None:
    assert not Bound(name="a", measured=float("nan"), relation="<=", bound=1).ok


def test_the_tolerance_is_four_standard_errors() -> None:
    assert tolerance(0.05, 10_000) == pytest.approx(0.00871780, rel=1e-6)
    upper, lower = near("a", np.array([True] * 5 + [False] * 95), 0.05)
    assert (upper.bound, lower.bound) == pytest.approx((0.137178, -0.0371780), rel=1e-5)


def test_a_line_shows_the_worst_of_its_settings() -> None:
    def side(*measured: float) -> Measured:
        bounds = tuple(
            Bound(name=f"w.bias_at_tau_{i}", measured=value, relation="<=", bound=0.1)
            for i, value in enumerate(measured)
        )
        one = scenario("winner")
        return Measured(scenario=one, safeguard=True, runs=1, samples={}, bounds=bounds, seconds=0.0)

    (line,) = lines(side(0.02, 0.05), side(0.9, 1.0))
    assert (line.name, line.on, line.must_be, line.off, line.ok) == ("w.bias", "0.05", "≤ 0.1", "**1**", True)


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0"), (3.0, "3"), (0.04793, "0.0479"), (0.00022222, "0.00022")])
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown
