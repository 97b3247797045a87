"""Whole simulated experiments: sane ends, the same ones again, and the lines that are printed."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner

from analysis.report import build, canonical_json, to_dict
from experiments.domain.promotion import PromotionState
from simulation.policy import analyst, page
from simulation.policy.__main__ import main
from simulation.policy.baselines import Call
from simulation.policy.play import Played, Promoted, log_failures_only, play, raise_failures
from simulation.policy.runner import play_all, play_chunk
from simulation.policy.scenarios import (
    BROKEN_SPLIT,
    FADING,
    GUARDRAIL_HARM,
    HARMFUL,
    NULL,
    ONE_OF_SIX,
    RAMP_WINNER,
    WINNER,
    WORLDS,
)
from simulation.policy.tally import Rate, bounds, gap_of, gaps, promoted_again, reverted, row_of
from simulation.policy.world import TREATMENT, Effect, World

SEED = 2026


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    log_failures_only()
    yield
    structlog.reset_defaults()


def sure(world: World, lift: float) -> World:
    """The same with an effect that nobody can miss."""
    effects = {at: Effect(early=lift) for at in world.effects}
    return replace(world, key=f"{world.key}_sure", effects=effects, strengths=(1.0,))


def test_a_sure_winner_ramps_up_and_is_kept() -> None:
    (one,) = play(sure(WINNER, 0.4), SEED, 0).promoted
    assert (one.variant, one.day, one.state, one.reason) == (TREATMENT, 14, PromotionState.KEPT, "hold_over")
    # Promoted on day 14 at 50%, 90% and 95% a day later each; held for four weeks.
    assert one.ended_on == 14 + 2 + 28
    assert (one.true_then, one.true_since) == (pytest.approx(0.4), pytest.approx(0.4))
    assert one.realised == pytest.approx(0.4, abs=0.2)
    assert 0 < one.gain_low < one.predicted < one.gain < one.gain_high


def test_only_the_segment_that_wins_is_promoted() -> None:
    assert [one.segment for one in play(sure(ONE_OF_SIX, 0.6), SEED, 0).promoted] == ["active"]


def test_what_fades_is_taken_back() -> None:
    (one,) = play(FADING, SEED, 0).promoted
    assert (one.state, one.reason) == (PromotionState.REVERTED, "lift_lost")
    assert one.ended_on is not None
    assert one.true_then > 0.02
    assert one.true_since < 0


def test_the_split_that_is_drawn_is_the_one_that_stands() -> None:
    """After the ramp the holdback has a twentieth of the day's units."""
    world, seen = sure(RAMP_WINNER, 0.5), []
    collect = analyst.DrawnAnalyst.collect

    def watched(self: analyst.DrawnAnalyst, experiment: object, day: int) -> None:
        before = {key: found.n for key, found in self._moments.items()}
        collect(self, experiment, day)  # type: ignore[arg-type]
        new = {key: found.n - before.get(key, 0) for key, found in self._moments.items() if key.metric == "conversion"}
        treated = sum(n for key, n in new.items() if key.variant == TREATMENT)
        seen.append(treated / sum(new.values()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analyst.DrawnAnalyst, "collect", watched)
        play(world, SEED, 0)
    expected = [0.1] * 3 + [0.25] * 4 + [0.5] * 7 + [0.9] + [0.95] * 5
    assert seen[:20] == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("world", [HARMFUL, GUARDRAIL_HARM, BROKEN_SPLIT, NULL], ids=lambda world: world.key)
def test_what_must_not_go_live_does_not(world: World) -> None:
    played = [play(world, SEED, index) for index in range(2)]
    assert [one.promoted for one in played] == [(), ()]
    assert played[0].looks == 15


def test_the_baselines_do_not_mind_guardrails_and_splits() -> None:
    for world in (GUARDRAIL_HARM, BROKEN_SPLIT):
        found = play(world, SEED, 0)
        assert found.fixed == (Call(segment="everyone", variant=TREATMENT, day=28),)
        assert found.naive


def test_the_same_seed_plays_the_same_in_any_process_and_order() -> None:
    alone = [play(WINNER, SEED, index) for index in (3, 2)]
    together, _ = play_chunk("winner", SEED, 2, 4)
    assert together == alone[::-1]
    assert play(WINNER, SEED + 1, 2) != together[0]


def test_a_pool_gives_experiments_in_order() -> None:
    said: list[tuple[str, int]] = []
    found = list(
        play_all([HARMFUL], 11, seed=SEED, workers=1, advance=lambda world, size: said.append((world.key, size)))
    )
    ((world, played, _),) = found
    assert (world.key, [one.index for one in played]) == ("harmful", list(range(11)))
    assert said == [("harmful", 10), ("harmful", 1)]


def test_reports_are_those_that_would_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way through JSON is left out: it changes nothing."""
    built = []

    def kept(plan: object, moments: object) -> object:
        built.append(build(plan, moments))  # type: ignore[arg-type]
        return built[-1]

    monkeypatch.setattr(analyst, "build", kept)
    play(sure(ONE_OF_SIX, 0.6), SEED, 0)
    assert len(built) > 20
    for report in built[::10]:
        assert to_dict(report) == json.loads(canonical_json(report))


def test_no_failure_of_the_worker_passes_unseen() -> None:
    with pytest.raises(RuntimeError, match="experiment_failed"):
        raise_failures(None, "error", {"event": "experiment_failed"})
    with pytest.raises(structlog.DropEvent):
        raise_failures(None, "info", {"event": "analysed"})


def promoted(**changes: object) -> Promoted:
    parts: dict[str, object] = {
        "segment": "everyone",
        "variant": TREATMENT,
        "day": 16,
        "state": "held",
        "ended_on": None,
        "reason": "",
        "gain": 0.15,
        "predicted": 0.12,
        "gain_low": 0.02,
        "gain_high": 0.3,
        "realised": 0.1,
        "realised_low": -0.1,
        "realised_high": 0.3,
        "true_then": 0.11,
        "true_since": 0.11,
    }
    return Promoted(**{**parts, **changes})  # type: ignore[arg-type]


def experiment(index: int, *found: Promoted, naive: tuple[Call, ...] = ()) -> Played:
    return Played(index=index, promoted=found, fixed=(), naive=naive, looks=15)


def test_rates_have_clopper_and_pearson_s_ends() -> None:
    """Of 0 in 2,000: 1 - .025^(1/2000); of 5 in 10 the interval of R's binom.test, .1871 to .8129."""
    assert (Rate(hits=0, of=2_000).low, Rate(hits=0, of=2_000).high) == (0.0, pytest.approx(1 - 0.025 ** (1 / 2_000)))
    half = Rate(hits=5, of=10)
    assert (half.low, half.high) == (pytest.approx(0.1871, abs=1e-4), pytest.approx(0.8129, abs=1e-4))
    assert Rate(hits=10, of=10).high == 1


def test_a_row_tells_right_from_false_from_worse() -> None:
    found = [promoted(), promoted(variant="other"), promoted(day=29)]
    row = row_of(WINNER, [experiment(index, one) for index, one in enumerate(found)], "policy")
    assert (row.right.hits, row.false.hits, row.worse.hits, row.right.of) == (1, 1, 0, 3)
    assert row.days == 16
    harm = row_of(HARMFUL, [experiment(0, promoted())], "policy")
    assert (harm.false.hits, harm.worse.hits, harm.right.hits) == (1, 1, 0)
    broken = row_of(GUARDRAIL_HARM, [experiment(0, promoted())], "policy")
    assert (broken.false.hits, broken.worse.hits) == (1, 0)
    peeked = row_of(NULL, [experiment(0, naive=(Call(segment="new", variant=TREATMENT, day=3),))], "naive")
    assert peeked.false.hits == 1


def test_only_right_promotions_count_as_taken_back() -> None:
    gone = promoted(state="reverted", ended_on=20)
    assert reverted(WINNER, [experiment(0, gone), experiment(1, promoted())]) == Rate(hits=1, of=2)
    assert reverted(NULL, [experiment(0, gone)]) == Rate(hits=0, of=0)


def test_the_same_variant_twice_is_a_machine_that_flaps() -> None:
    twice = [promoted(state="reverted", ended_on=20), promoted(day=24)]
    assert promoted_again([experiment(0, *twice), experiment(1, promoted(), promoted(segment="new"))]) == 1


def test_a_gap_is_a_mean_distance() -> None:
    gap = gap_of("all", [promoted(), promoted(gain=0.05, predicted=0.04, realised=0.1, true_since=0.1)])
    assert gap is not None
    assert (gap.raw, gap.corrected) == (pytest.approx(0.05), pytest.approx(0.04))
    assert (gap.raw_to_truth, gap.corrected_to_truth) == (pytest.approx(0.045), pytest.approx(0.035))
    assert (gap.raw_bias, gap.bias) == (pytest.approx(-0.005), pytest.approx(-0.025))
    assert gap_of("none", []) is None


def test_a_machine_that_does_wrong_falls_short() -> None:
    results = {
        "srm": (BROKEN_SPLIT, [experiment(0, promoted())]),
        "harmful": (HARMFUL, [experiment(0, promoted())]),
        "null": (NULL, [experiment(0)]),
    }
    short = [bound.name for bound in bounds(results) if not bound.ok]
    assert {"srm.promotions", "harmful.worse-promotions-upper", "naive-peeking-null"} <= set(short)


def test_every_scenario_has_its_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures are drawn in the environment of `make simulate-policy`")
    plots = importlib.import_module("simulation.policy.plots")
    results = {world.key: (world, [experiment(0, promoted(), naive=())]) for world in WORLDS}
    plots.draw_all(results, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "false_promotions.svg",
        "kept.svg",
        "predicted.svg",
        "time_to_decision.svg",
    }


def test_every_scenario_is_bounded_and_written_down() -> None:
    results = {world.key: (world, [experiment(0, promoted(), naive=())]) for world in WORLDS}
    named = " ".join(bound.name for bound in bounds(results))
    assert all(world.key in named or world.key in ("winner", "ramp_winner") for world in WORLDS)
    assert len(gaps(results)) == len(WORLDS) + 1
    assert [line.count("|") for line in page.main_rows(results)] == [9] * (3 * len(WORLDS))


def test_a_trial_is_not_judged() -> None:
    ended = CliRunner().invoke(main, ["--runs", "2", "--workers", "1", "--only", "harmful"])
    assert (ended.exit_code, "too few to be judged" in ended.output) == (0, True)


def test_the_command_prints_its_bounds_and_ends_with_1_where_one_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulation.policy.__main__._ENOUGH", 1)
    file = tmp_path / "numbers.json"
    options = ["--runs", "2", "--workers", "1", "--only", "harmful", "--json", str(file)]
    ended = CliRunner().invoke(main, options)
    assert ended.exit_code == 1
    assert "BOUND harmful.worse-promotions-upper 0.841886 <= 0.005 SHORT" in ended.output
    found = json.loads(file.read_text())
    assert (found["schema"], found["ok"], found["runs"]) == ("winnow.simulation/1", False, 2)
    assert found["scenarios"][0]["methods"]["policy"]["worse"]["of"] == 2
