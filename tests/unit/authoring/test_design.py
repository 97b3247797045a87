"""`winnow design`: sample sizes against published ones, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from analysis.design.duration import Duration
from analysis.estimate import Undefined
from analysis.moments import Moments
from analysis.report import build
from experiments.cli import main
from experiments.domain.errors import InvalidInput
from experiments.domain.policy import Family, Spending, StoppingRule
from experiments.services.authoring.design import Found, Needed, Sketch, design
from tests.stats.builders import metric, plan, segment, table

ONE_LOOK = StoppingRule.FIXED_HORIZON


def needed(**sketch: Any) -> Needed:
    found = design(Sketch(**sketch)).needed
    assert isinstance(found, Needed)
    return found


def found(**sketch: Any) -> Found:
    seen = design(Sketch(**sketch)).found
    assert seen is not None
    return seen


def test_the_published_sample_size() -> None:
    """R: power.prop.test(p1 = .50, p2 = .75, power = .90) gives n = 76.7 in each group."""
    found = needed(rate=0.5, lift=0.5, target_power=0.9, stopping_rule=ONE_LOOK, minimum_units=20)
    assert (found.units_in_variant, found.minimum) == (77, None)


def test_a_mean_with_its_standard_deviation() -> None:
    """R: power.t.test(delta = 1, sd = 2, power = .8) gives n = 63.77 in each group."""
    assert needed(mean=10.0, std_dev=2.0, lift=0.1, stopping_rule=ONE_LOOK, minimum_units=20).units == 2 * 64


def test_half_of_the_variance_explained_halves_the_sample() -> None:
    sizes = [needed(mean=10.0, std_dev=20.0, lift=0.1, explained=rho, stopping_rule=ONE_LOOK).units for rho in (0, 0.5)]
    assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.002)


def test_segments_share_the_error_rate_and_the_units() -> None:
    one = needed(rate=0.1, lift=0.1, stopping_rule=ONE_LOOK)
    four = needed(rate=0.1, lift=0.1, segments=4, stopping_rule=ONE_LOOK)
    # (z(.05/8) + z(.2))² / (z(.05/2) + z(.2))² = (2.4977 + .8416)² / (1.9600 + .8416)²
    assert four.units_in_segment / one.units_in_segment == pytest.approx((3.3393 / 2.8016) ** 2, rel=0.002)
    assert four.units == pytest.approx(4 * four.units_in_segment, abs=4)
    small = needed(rate=0.1, lift=0.1, segments=4, smallest_share=0.1, stopping_rule=ONE_LOOK)
    assert small.units == pytest.approx(10 * four.units_in_segment, abs=10)


@pytest.mark.parametrize(
    ("variants", "segments", "family", "comparisons"),
    [(2, 1, Family.HOLM, 1), (4, 1, Family.HOLM, 6), (3, 4, Family.HOLM, 12), (4, 2, Family.DUNNETT, 6)],
)
def test_what_is_judged_together(variants: int, segments: int, family: Family, comparisons: int) -> None:
    sketch = Sketch(rate=0.1, lift=0.1, variants=variants, segments=segments, family=family, stopping_rule=ONE_LOOK)
    assert design(sketch).comparisons == comparisons


def test_dunnett_is_for_one_look_and_needs_less_than_all_pairs() -> None:
    sizes = [
        needed(rate=0.1, lift=0.1, variants=4, family=family, stopping_rule=ONE_LOOK).units
        for family in (Family.DUNNETT, Family.HOLM)
    ]
    assert sizes[0] < sizes[1]


def test_who_looks_at_any_time_is_told_what_to_tune_for() -> None:
    """Tuned for another number, the same sample finds less: so it is the best."""
    best = needed(rate=0.1, lift=0.1)
    assert best.tuned_for_units == pytest.approx(best.units, rel=0.002)
    for tuned in (best.units // 4, best.units * 4):
        assert needed(rate=0.1, lift=0.1, tuned_for_units=tuned).units > best.units


def test_planned_looks_cost_little_and_pocock_more() -> None:
    one = needed(rate=0.1, lift=0.1, stopping_rule=ONE_LOOK).units
    rule = StoppingRule.GROUP_SEQUENTIAL
    late = needed(rate=0.1, lift=0.1, stopping_rule=rule).units
    even = needed(rate=0.1, lift=0.1, stopping_rule=rule, spending=Spending.POCOCK).units
    assert one < late < 1.06 * one < even < 1.35 * one
    assert late < needed(rate=0.1, lift=0.1).units


def test_so_many_units_find_what_needs_so_many() -> None:
    size = needed(rate=0.1, lift=0.1, stopping_rule=ONE_LOOK)
    back = found(rate=0.1, lift=0.1, units=size.units, units_per_day=size.units / 20, stopping_rule=ONE_LOOK)
    assert back.detectable_lift == pytest.approx(0.1, rel=0.001)
    assert back.power == pytest.approx(0.8, abs=0.001)
    assert back.time == Duration(days=pytest.approx(20), weeks=3)


@pytest.mark.parametrize(
    ("sketch", "code", "in_variant"),
    [
        pytest.param({"mean": 10.0, "std_dev": 12.0, "lift": 0.5}, "minimum_units", 100, id="units"),
        # (1 + √21)² = 31.17 events of a pair: 31.17 / 2 / .014, the mean rate; of .002; of .109, without an event
        pytest.param({"rate": 0.002, "lift": 12.0}, "minimum_conversions", 1_114, id="conversions"),
        pytest.param({"rate": 0.002, "lift": 12.0, "variants": 3}, "minimum_conversions", 7_792, id="of the control"),
        pytest.param({"rate": 0.99, "lift": -0.2}, "minimum_conversions", 143, id="without an event"),
        # n / (1 + 20²) and n / (1 + 1/.02) are 10
        pytest.param({"mean": 1.0, "std_dev": 20.0, "lift": 5.0}, "few_events", 4_010, id="events of a mean"),
        pytest.param({"count_rate": 0.02, "lift": 5.0}, "few_events", 510, id="events of a count"),
    ],
)
def test_no_size_is_below_the_minima_of_the_plan(sketch: dict[str, Any], code: str, in_variant: int) -> None:
    found = needed(**sketch, stopping_rule=ONE_LOOK)
    assert found.units_in_variant == in_variant
    assert found.units == in_variant * sketch.get("variants", 2)
    assert found.minimum is not None
    assert (found.minimum.code, found.minimum.units_in_variant) == (code, in_variant)


def test_the_minima_are_those_of_each_segment_and_of_the_plan_that_there_will_be() -> None:
    wanted = {"mean": 10.0, "std_dev": 2.0, "lift": 0.5}
    four = needed(**wanted, segments=4, smallest_share=0.1)
    assert (four.units_in_variant, four.units_in_segment, four.units) == (100, 200, 2_000)
    assert four.tuned_for_units == 200
    assert needed(**wanted, minimum_units=400).units == 800


def test_units_with_which_nothing_is_concluded_find_nothing() -> None:
    short = found(mean=10.0, std_dev=2.0, lift=0.5, units=199)
    assert isinstance(short.power, Undefined)
    assert isinstance(short.detectable_lift, Undefined)
    assert {short.power.reason, short.detectable_lift.reason} == {"minimum_units"}
    enough = found(mean=10.0, std_dev=2.0, lift=0.5, units=200)
    assert enough.power == pytest.approx(1.0)
    assert isinstance(enough.detectable_lift, float)


def test_what_is_recommended_is_concluded_from() -> None:
    """The report of arms with as many events as expected, and of one of 92 an arm, which the power alone asks for."""
    size = needed(mean=10.0, std_dev=12.0, lift=0.5, stopping_rule=ONE_LOOK).units_in_variant
    for n, outcome in ((size, "winner"), (92, "too_early")):
        arms = {name: Moments(n=n, mean=mean, m2=144.0 * (n - 1)) for name, mean in (("a", 10.0), ("b", 15.0))}
        question = plan(metric(kind="mean"), stopping_rule="fixed_horizon")
        counted = table({(1, "all", name): {"visits": one} for name, one in arms.items()})
        assert segment(build(question, counted)).verdict.outcome == outcome


def test_the_command_says_which_minimum_it_is() -> None:
    asked = ["design", "--mean", "10", "--std-dev", "12", "--lift", ".5", "--stopping-rule", "fixed_horizon"]
    told = " ".join(CliRunner().invoke(main, asked).stdout.split())
    assert "So many because of a minimum: The plan's `minimum_units` asks for 100 in each variant" in told
    fewer = " ".join(CliRunner().invoke(main, [*asked, "--minimum-units", "20"]).stdout.split())
    assert "minimum" not in fewer
    refused = CliRunner().invoke(main, [*asked, "--minimum-units", "5"])
    assert refused.exit_code == 1
    assert "minimum_invalid: `minimum_units` is 20 or more. (--minimum-units)\n" in refused.stderr


def test_a_rate_that_cannot_be_has_no_size() -> None:
    answer = design(Sketch(rate=0.9, lift=0.5)).needed
    assert isinstance(answer, Undefined)
    assert answer.reason == "out_of_range"


@pytest.mark.parametrize(
    ("sketch", "code"),
    [
        ({"lift": 0.1}, "metric_missing"),
        ({"rate": 0.1, "mean": 1.0, "lift": 0.1}, "metric_missing"),
        ({"mean": 1.0, "lift": 0.1}, "std_dev_missing"),
        ({"rate": 0.1}, "question_missing"),
        ({"rate": 0.1, "lift": 0.0}, "lift_invalid"),
        ({"rate": 1.1, "lift": 0.1}, "sketch_invalid"),
        ({"rate": 0.1, "lift": 0.1, "variants": 1}, "sketch_invalid"),
        ({"rate": 0.1, "lift": 0.1, "alpha": 0.0}, "sketch_invalid"),
        ({"rate": 0.1, "lift": 0.1, "segments": 2, "smallest_share": 0.6}, "share_invalid"),
        ({"rate": 0.1, "units": 0}, "units_invalid"),
        ({"rate": 0.1, "lift": 0.1, "family": Family.DUNNETT}, "family_unfit"),
    ],
)
def test_what_contradicts_itself_is_refused(sketch: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        design(Sketch(**sketch))
    assert refusal.value.code == code


def test_the_command_needs_no_database_and_prints_a_table_or_json() -> None:
    asked = ["design", "--rate", "0.5", "--lift", "0.5", "--power", "0.9", "--stopping-rule", "fixed_horizon"]
    asked += ["--minimum-units", "50"]
    runner = CliRunner(env={"WINNOW_DATABASE_URL": "sqlite:////nowhere/at/all"})
    told = runner.invoke(main, [*asked, "--units-per-day", "11"])
    assert told.exit_code == 0, told.output
    assert "and in each of its variants" in told.stdout
    assert "run it for 2 whole weeks" in told.stdout
    machine = json.loads(runner.invoke(main, [*asked, "--json"]).stdout)
    assert machine["needed"]["units_in_variant"] == 77
    assert machine["found"] is None


def test_the_command_refuses_in_one_line() -> None:
    told = CliRunner().invoke(main, ["design", "--rate", "0.5"])
    assert (told.exit_code, told.stderr.split(":")[1].strip()) == (1, "question_missing")
    assert told.stderr.endswith(" (--lift or --units)\n")
    assert CliRunner().invoke(main, ["design", "--lift", "0.1"]).stderr.endswith(" (--rate, --mean or --count-rate)\n")
    one = CliRunner().invoke(main, ["design", "--rate", "0.5", "--units", "1"]).stdout
    assert "Smallest lift that 1 unit finds with" in one


@pytest.mark.parametrize(("variants", "told"), [("2", False), ("4", True)])
def test_with_several_treatments_the_power_is_that_to_beat_the_control(variants: str, told: bool) -> None:
    """Of four variants with one that is better, a power of .8 names it winner in .68 of experiments."""
    asked = ["design", "--rate", "0.1", "--lift", "0.3", "--variants", variants]
    for size in ([], ["--units", "9000"]):
        shown = " ".join(CliRunner().invoke(main, [*asked, *size]).stdout.split())
        assert ("to beat the control (to be named winner takes more)" in shown) is told
