"""Sample ratio mismatch: published and hand-computed chi-squares, cells, arms that should be empty."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from analysis.estimate import SMALLEST_P, Report, Undefined
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
    finding = report({"a": 1, "b": 1}, {"a": 10_004_000, "b": 9_996_000 - 8_000}).overall.findings[0]
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
