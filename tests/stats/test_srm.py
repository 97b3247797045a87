"""Sample ratio mismatch: published and hand-computed chi-squares, cells, arms that should be empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import betabinom, binom

from analysis.estimate import SMALLEST_P, Report, SequentialRatio, Undefined
from analysis.moments import ArmKey, MomentTable
from analysis.plan import Cell, Plan
from analysis.report import build
from tests.stats.builders import plan


def counts(*cells: tuple[int, str, Mapping[str, int]]) -> MomentTable:
    return MomentTable(
        units={ArmKey(epoch, segment, variant): n for epoch, segment, arms in cells for variant, n in arms.items()}
    )


def report(weights: Mapping[str, float], arms: Mapping[str, int]) -> Report:
    question = plan(variants=tuple(arms), cells=[Cell(epoch=1, segment="all", weights=weights)])
    return build(question, counts((1, "all", arms)))


@pytest.mark.parametrize(
    ("weights", "arms", "chi_square", "freedom", "p"),
    [
        # Kohavi, Tang & Xu, Trustworthy Online Controlled Experiments (2020), chapter 21.
        pytest.param({"a": 1, "b": 1}, {"a": 821_588, "b": 815_482}, 22.7744, 1, 1.82179e-06, id="Kohavi"),
        # The others by arithmetic: Σ (observed - expected)²/expected.
        pytest.param({"a": 1, "b": 1}, {"a": 1000, "b": 1200}, 200**2 / 2200, 1, 2.00787e-05, id="1000:1200"),
        pytest.param({"a": 0.6, "b": 0.2, "c": 0.2}, {"a": 310, "b": 98, "c": 115}, 1.49649, 2, 0.473195, id="6:2:2"),
        pytest.param({"a": 0.5, "b": 0.5, "c": 0}, {"a": 550, "b": 450, "c": 0}, 10.0, 1, 0.00156540, id="zero arm"),
    ],
)
def test_chi_square(weights: dict[str, float], arms: dict[str, int], chi_square: float, freedom: int, p: float) -> None:
    srm = report(weights, arms).overall.srm
    assert srm.chi_square == pytest.approx(chi_square, rel=4e-6)
    assert srm.degrees_of_freedom == freedom
    assert srm.p_value == pytest.approx(p, rel=4e-6)
    assert dict(srm.observed) == arms


def test_expected_counts_are_the_shares_of_those_who_came() -> None:
    srm = report({"a": 3, "b": 1, "c": 0}, {"a": 70, "b": 30, "c": 0}).overall.srm
    assert dict(srm.expected) == {"a": 75.0, "b": 25.0, "c": 0.0}


def test_a_mismatch_is_critical_and_forbids_a_verdict() -> None:
    found = report({"a": 1, "b": 1}, {"a": 4790, "b": 5210}).segments[0]
    assert [
        (finding.code, finding.severity, finding.variant)
        for finding in found.findings
        if finding.severity == "critical"
    ] == [("srm", "critical", "a")]
    assert found.findings[0].message == "SRM in segment all: 47.9% in a, expected 50%"
    assert found.verdict.outcome == "untrustworthy"
    assert found.verdict.sentence == ("Nothing can be concluded for all: SRM in segment all: 47.9% in a, expected 50%.")


def test_a_small_mismatch_of_a_large_number_shows_enough_digits() -> None:
    finding = report({"a": 1, "b": 1}, {"a": 100_040_000, "b": 99_880_000}).overall.findings[0]
    assert finding.message == "SRM in all segments together: 50.04% in a, expected 50%"


@pytest.mark.parametrize(("count", "tested"), [(9, False), (10, True)])
def test_too_few_units_are_not_tested(count: int, tested: bool) -> None:
    """Expected 4.5 an arm: below Cochran's five; 5: tested, p > 0 even when all are in one arm."""
    srm = report({"a": 1, "b": 1}, {"a": count, "b": 0}).overall.srm
    assert isinstance(srm.p_value, float) == tested
    if not tested:
        assert isinstance(srm.p_value, Undefined)
        assert srm.p_value.reason == "too_few_units"


def test_no_units_and_one_arm_are_named() -> None:
    for weights, arms in (({"a": 1, "b": 1}, {"a": 0, "b": 0}), ({"a": 1}, {"a": 50, "b": 0})):
        p = report(weights, arms).overall.srm.p_value
        assert isinstance(p, Undefined)
        assert p.reason == "one_arm"


def test_p_does_not_underflow() -> None:
    assert report({"a": 1, "b": 1}, {"a": 10**9, "b": 0}).overall.srm.p_value == SMALLEST_P


def test_a_unit_in_an_arm_of_weight_zero_is_an_alarm_of_its_own() -> None:
    found = report({"a": 1, "b": 1, "c": 0}, {"a": 500, "b": 500, "c": 1})
    for scope in (found.segments[0], found.overall):
        assert scope.srm.p_value == 1.0
        assert "zero_weight_arm" in {finding.code for finding in scope.findings if finding.severity == "critical"}
        assert scope.verdict.outcome == "untrustworthy"


TWO_BY_TWO = [
    Cell(epoch=epoch, segment=segment, weights={"a": 1, "b": 1}) for epoch in (1, 2) for segment in ("s", "t")
]


def two_by_two() -> Plan:
    return plan(segments=("s", "t"), cells=TWO_BY_TWO)


def test_opposite_mismatches_of_two_epochs_do_not_cancel() -> None:
    """600:400 and 400:600: χ² 40 each. The segment sees 80 on two degrees of freedom, not 1000:1000."""
    table = counts(
        (1, "s", {"a": 600, "b": 400}),
        (2, "s", {"a": 400, "b": 600}),
        (1, "t", {"a": 500, "b": 500}),
        (2, "t", {"a": 500, "b": 500}),
    )
    found = build(two_by_two(), table)
    broken, sound = found.segments
    assert (broken.srm.chi_square, broken.srm.degrees_of_freedom) == (pytest.approx(80.0), 2)
    assert [(finding.code, finding.epoch) for finding in broken.findings if finding.severity == "critical"] == [
        ("srm", None),
        ("srm", 1),
        ("srm", 2),
    ]
    assert all(finding.severity != "critical" for finding in sound.findings)
    # The same split in both segments: pooled within each epoch, 1100:900 and 900:1100, χ² 20 each.
    assert (found.overall.srm.chi_square, found.overall.srm.degrees_of_freedom) == (pytest.approx(40.0), 2)


def test_a_broken_segment_takes_the_whole_with_it() -> None:
    """220:100 against 9900:10020: χ² 45 in the segment, 0.0 overall."""
    table = counts((1, "s", {"a": 220, "b": 100}), (1, "t", {"a": 9900, "b": 10_020}))
    overall = build(two_by_two(), table).overall
    assert overall.srm.p_value == pytest.approx(1.0)
    assert [finding.code for finding in overall.findings if finding.severity == "critical"] == ["segment_untrustworthy"]
    assert overall.verdict.outcome == "untrustworthy"


def test_segments_with_different_splits_are_tested_against_their_own() -> None:
    """90:10 of 1000 and 50:50 of 1000, both met exactly."""
    cells = [Cell(epoch=1, segment="s", weights={"a": 9, "b": 1}), Cell(epoch=1, segment="t", weights={"a": 1, "b": 1})]
    table = counts((1, "s", {"a": 900, "b": 100}), (1, "t", {"a": 500, "b": 500}))
    srm = build(plan(segments=("s", "t"), cells=cells), table).overall.srm
    assert (srm.chi_square, srm.degrees_of_freedom, srm.p_value) == (0.0, 2, 1.0)
    assert dict(srm.expected) == {"a": 1400.0, "b": 600.0}


def test_a_rare_arm_does_not_silence_the_others() -> None:
    """5000:4999:1 of 40,000: 20,000, 19,996 and 4 expected. c joins b: 24,000 against 16,000, χ² 2·4000²/20,000."""
    found = report({"a": 5000, "b": 4999, "c": 1}, {"a": 24_000, "b": 15_996, "c": 4})
    srm = found.overall.srm
    assert (srm.chi_square, srm.degrees_of_freedom) == (pytest.approx(1600.0), 1)
    assert dict(srm.expected) == pytest.approx({"a": 20_000.0, "b": 19_996.0, "c": 4.0})
    assert found.segments[0].verdict.outcome == "untrustworthy"


def test_rare_arms_together_are_an_arm() -> None:
    """2 % and 3 % of 120 are 2.4 and 3.6, together 6: (12 - 6)²/6 + (108 - 114)²/114 on one degree of freedom."""
    srm = report({"a": 95, "b": 2, "c": 3}, {"a": 108, "b": 8, "c": 4}).overall.srm
    assert (srm.chi_square, srm.degrees_of_freedom) == (pytest.approx(6.0 + 36 / 114), 1)


@pytest.mark.parametrize(
    ("arms", "freedom", "chi_square"),
    [
        # 4 each: the first two together, the third with them, one class: nothing to test.
        pytest.param({"a": 4, "b": 4, "c": 4}, 0, None, id="all below five"),
        # 1 each: no class expects five.
        pytest.param({"a": 1, "b": 1, "c": 1}, 0, None, id="hardly anybody"),
        # 5 each.
        pytest.param({"a": 9, "b": 3, "c": 3}, 2, (16 + 4 + 4) / 5, id="five each"),
    ],
)
def test_arms_that_are_rare_together(arms: dict[str, int], freedom: int, chi_square: float | None) -> None:
    srm = report(dict.fromkeys(arms, 1.0), arms).overall.srm
    assert srm.degrees_of_freedom == freedom
    if chi_square is None:
        assert isinstance(srm.p_value, Undefined)
        assert srm.p_value.reason == "too_few_units"
    else:
        assert srm.chi_square == pytest.approx(chi_square)


def test_a_new_cell_does_not_silence_the_others() -> None:
    """Epoch 1: 600:400, χ² 40. Epoch 2 has nine units so far, 4.5 expected: no part of the test yet."""
    table = counts((1, "s", {"a": 600, "b": 400}), (2, "s", {"a": 9, "b": 0}))
    srm = build(two_by_two(), table).segments[0].srm
    assert (srm.chi_square, srm.degrees_of_freedom) == (pytest.approx(40.0), 1)


def mixed_findings(units: tuple[int, int], mixed: tuple[int, int]) -> list[tuple[str, str, str | None]]:
    table = counts((1, "all", dict(zip("ab", units, strict=True))))
    left_out = {ArmKey(1, "all", variant): n for variant, n in zip("ab", mixed, strict=True) if n}
    found = build(plan(stopping_rule="fixed_horizon"), replace(table, mixed=left_out))
    return [
        (finding.code, finding.message, finding.variant)
        for finding in found.segments[0].findings
        if finding.severity == "critical"
    ]


def test_units_lost_to_mixing_from_one_arm_are_an_alarm() -> None:
    """70 of 100 from b: χ² 16, p 6e-5. 5,000:4,960 without them would pass."""
    message = (
        "100 units saw more than one variant and are left out, but not evenly: of them 30% were in a first, "
        "expected 50%"
    )
    assert mixed_findings((5000, 4960), (30, 70)) == [("mixed_imbalance", message, "a")]


@pytest.mark.parametrize("mixed", [(0, 0), (50, 50), (3, 6), (40, 60)])
def test_units_lost_evenly_or_hardly_any_are_none(mixed: tuple[int, int]) -> None:
    """4.5 expected: not tested. 40:60 is χ² 4, p .046."""
    assert mixed_findings((5000, 5000), mixed) == []


def test_a_mismatch_that_only_shows_with_the_mixed_units() -> None:
    """10,000:10,330 without: χ² 5.4, p .02. 120:160 mixed: 5.7, p .02. Together 10,120:10,490: χ² 370²/20,610 = 6.6.

    With 10,000:10,420 and 110:150: 8.64 and 6.15; together 10,110:10,570 χ² 460²/20,680 = 10.2; with srm_alpha .001
    the limit is 10.83. 10,000:10,440 is 9.47, p .0021; with 110:155 (7.64, p .0057) 10,110:10,595, 11.36, p .00075.
    """
    assert mixed_findings((10_000, 10_330), (120, 160)) == []
    assert mixed_findings((10_000, 10_420), (110, 150)) == []
    found = mixed_findings((10_000, 10_440), (110, 155))
    assert [code for code, _, _ in found] == ["mixed_imbalance"]
    assert "together with the others 48.8% were in a first, expected 50%" in found[0][1]


def test_who_looks_again_and_again_is_warned_by_the_test_for_that() -> None:
    """10,000:10,470 is χ² 10.79 on one degree, p .00102; 10,000:10,480 11.25, .0008: an alarm for one look only.

    The mean of three e-values is far from 100 there; at 10,000:10,800 (χ² 30.8) it is beyond.
    """
    for b, once, again in ((10_470, False, False), (10_480, True, False), (10_800, True, True)):
        table = counts((1, "all", {"a": 10_000, "b": b}))
        for rule, warned in (("fixed_horizon", once), ("always_valid", again)):
            found = build(plan(stopping_rule=rule), table).segments[0]
            assert ("srm" in [finding.code for finding in found.findings]) is warned, (b, rule)


def test_what_would_alarm_at_one_look_is_doubted_by_who_looks_again_and_again() -> None:
    """The same counts: between the chi-square test and the one for all looks there is a warning, and a verdict."""
    for b, once, again in ((10_470, [], []), (10_480, [], ["srm_suspected"]), (10_800, [], [])):
        table = counts((1, "all", {"a": 10_000, "b": b}))
        for rule, codes in (("fixed_horizon", once), ("always_valid", again)):
            found = build(plan(stopping_rule=rule), table).segments[0]
            told = [finding for finding in found.findings if finding.code == "srm_suspected"]
            assert [finding.code for finding in told] == codes, (b, rule)
            if codes:
                assert found.verdict.outcome != "untrustworthy"
                assert (told[0].severity, told[0].variant) == ("warning", "a")
                assert told[0].message == (
                    "The split in segment all looks wrong: 48.8% in a, expected 50%. Chance alone does so in fewer "
                    "than one of 1,000 looks; for who looks again and again it is no proof yet"
                )


def test_the_evidence_at_any_look_is_the_mean_of_three_beta_mixtures() -> None:
    """600 and 700 of 1,300, by scipy's beta-binomial law over the binomial one, tuned for 100, 5,000 and 500,000."""
    alone = [
        betabinom.logpmf(600, 1300, c / 2, c / 2) - binom.logpmf(600, 1300, 0.5)
        for c in (t / (-2 * np.log(0.01) + np.log1p(-2 * np.log(0.01))) for t in (100, 5_000, 500_000))
    ]
    expected = np.log(np.mean(np.exp(alone)))
    found = report({"a": 1, "b": 1}, {"a": 600, "b": 700}).overall.srm.sequential
    assert isinstance(found, SequentialRatio)
    assert found.log_evidence == pytest.approx(expected, rel=1e-9)
    assert found.p_value == pytest.approx(min(1.0, np.exp(-expected)), rel=1e-9)
