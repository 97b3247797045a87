"""Simulated adaptive experiments: a small run of `make simulate-adaptive`."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from calibration.scenario import tolerance
from experiments.domain.adaptive import Batch, BatchArm, Posterior, arm_states, take_step
from simulation.adaptive import page
from simulation.adaptive.measure import measure, regrets
from simulation.adaptive.promises import Row, bounds
from simulation.adaptive.sampling import DRAWS, POLICY, Batches, next_shares, run
from simulation.adaptive.worlds import DAYS, WORLDS, Kind, world

RUNS = 1_000


def measured(key: str, kind: Kind, runs: int = RUNS) -> Row:
    return Row(world=world(key), kind=kind, found=measure(world(key), kind, np.random.default_rng(5), runs))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["conversion", "mean"])
@pytest.mark.parametrize("key", [one.key for one in WORLDS])
def test_every_promise_is_kept(key: str, kind: Kind) -> None:
    assert [bound.line for bound in bounds(measured(key, kind)) if not bound.ok] == []


def test_a_clear_winner_is_found_and_its_interval_covers() -> None:
    row = measured("winner", "mean")
    assert row.rate("covered") == pytest.approx(0.95, abs=tolerance(0.95, RUNS))
    assert row.rate("covered_any_look") >= 0.95
    assert row.regret_kept[2] < 0.35
    assert row.rate("missing") > 0.5


def test_pooled_arms_are_wrong_where_the_base_falls() -> None:
    row = measured("drift", "mean", 400)
    assert row.rate("covered") > 0.91
    assert row.rate("pooled") < 0.5


def test_what_is_simulated_is_what_runs() -> None:
    """The service's own step on the outcomes of one simulated experiment: the same shares, but for sampling."""
    batches = run(world("five"), "mean", np.random.default_rng(1), 2).until(6)
    names = [str(arm) for arm in range(5)]
    days = [
        [
            BatchArm(variant=name, units=int(n), mean=float(mean), variance=float(m2) / (int(n) - 1))
            for name, n, mean, m2 in zip(
                names, batches.n[0, day], batches.mean[0, day], batches.m2[0, day], strict=True
            )
        ]
        for day in range(6)
    ]
    place = Batch(experiment="e", segment="s", epoch=6, snapshot_id=1)
    step = take_step(place, POLICY, arm_states(days, names), posterior=Posterior.NORMAL, higher_is_better=True)
    assert step is not None
    shares = next_shares(batches, "mean", np.random.default_rng(2))[0]
    assert shares.sum() == pytest.approx(1)
    for name, share in zip(names, shares, strict=True):
        assert step.weights[name] / 10_000 == pytest.approx(share, abs=4 * 0.5 / DRAWS**0.5)


def test_a_simulation_that_left_the_service_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulation.adaptive.sampling.arm_states", lambda days, names: arm_states(days[:1], names))
    with pytest.raises(AssertionError, match="left the service"):
        run(world("winner"), "mean", np.random.default_rng(1), 5)


def test_regret_of_the_even_split_is_half_the_gap_and_of_the_best_variant_none() -> None:
    shape = (1, DAYS, 2)
    means = world("winner").means("conversion")
    even = Batches(n=np.full(shape, 500.0), mean=np.zeros(shape), m2=np.zeros(shape), share=np.full(shape, 0.5))
    found = regrets(even, means)
    assert found["regret"] == pytest.approx([15.0])
    assert found["regret"] == pytest.approx(found["regret_fixed"])
    best = np.broadcast_to([0.0, 1.0], shape)
    assert regrets(Batches(n=even.n, mean=even.mean, m2=even.m2, share=best), means)["regret"] == pytest.approx([0.0])


def test_the_same_seed_gives_the_same_page() -> None:
    def text() -> str:
        rows = [measured("null", "conversion", 20), measured("small", "mean", 20)]
        kept = [bound for row in rows for bound in bounds(row)]
        facts = page.Facts(date=date(2026, 1, 5), runs=20, seed=5, seconds=60.0, bounds=kept)
        return page.text(rows, facts)

    said = text()
    assert said == text()
    assert "| no difference | conversions |" in said
    assert said.count("BOUND adaptive.") == 14
    assert len(list(page.cells([measured("null", "mean", 20)]))) == 2
