"""decide() on a candidate: what it looks at, in which order, and what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import time, timedelta
from typing import Any

import pytest

from experiments.domain.decide import decide
from experiments.domain.decision import Action
from experiments.domain.errors import InvalidInput
from experiments.domain.evidence import ArmBelief, Basis
from experiments.domain.experiment import Status
from experiments.domain.policy import AnalysisPlan, Family, StoppingRule
from experiments.domain.promotion_policy import GuardrailRule, PromotionPolicy, QuietHours, WinnerRule
from tests.unit.builders import NOW
from tests.unit.promoting.promotions import GOOD, HARMED, LOOK, SAFE, UNKNOWN, WORSE

OTHER = replace(UNKNOWN, variant="c")


def codes(policy: PromotionPolicy | None = None, **changes: Any) -> tuple[Action, list[str]]:
    decision = decide(replace(GOOD, **changes), policy or PromotionPolicy(), AnalysisPlan(), LOOK)
    return decision.action, [reason.code for reason in decision.reasons]


def test_a_sound_winner_is_promoted() -> None:
    decision = decide(GOOD, PromotionPolicy(), AnalysisPlan(), LOOK)
    assert (decision.action, decision.variant, decision.reasons[0].message) == (Action.PROMOTE, "b", "B wins for men.")


@pytest.mark.parametrize(
    ("changes", "action", "first"),
    [
        ({"status": Status.PAUSED}, Action.HOLD, "not_running"),
        ({"stopping_rule": StoppingRule.FIXED_HORIZON}, Action.HOLD, "not_always_valid"),
        ({"stopping_rule": StoppingRule.GROUP_SEQUENTIAL}, Action.HOLD, "not_always_valid"),
        ({"already_promoted": "b"}, Action.HOLD, "already_promoted"),
        ({"current_since_epoch": 2}, Action.HOLD, "split_changed"),
        ({"watermark_at": LOOK - timedelta(days=1, seconds=1)}, Action.HOLD, "stale"),
        ({"critical": ("SRM in segment mens",)}, Action.HOLD, "untrustworthy"),
        ({"guardrails": (HARMED,)}, Action.HOLD, "guardrail_harmed"),
        ({"guardrails": (WORSE,)}, Action.HOLD, "guardrail_worse"),
        ({"guardrails": (UNKNOWN,)}, Action.HOLD, "guardrail_unproven"),
        ({"guardrails": (OTHER,)}, Action.PROMOTE, "winner"),
        ({"started_at": LOOK - timedelta(days=14) + timedelta(seconds=1)}, Action.HOLD, "minimum_duration"),
        ({"started_at": LOOK - timedelta(days=14)}, Action.PROMOTE, "winner"),
        ({"segment_since": LOOK - timedelta(days=14) + timedelta(seconds=1)}, Action.HOLD, "minimum_duration"),
        ({"segment_since": NOW - timedelta(days=3)}, Action.PROMOTE, "winner"),
        ({"units": (("a", 99), ("b", 5_000))}, Action.HOLD, "minimum_units"),
        ({"units": (("a", 5_000), ("b", 99))}, Action.HOLD, "minimum_units"),
        ({"units": (("a", 5_000), ("b", 5_000), ("c", 0), ("d", 0))}, Action.PROMOTE, "winner"),
        ({"outcome": "undecided", "variant": None, "units": (("c", 99), ("d", 0))}, Action.HOLD, "minimum_units"),
        ({"outcome": "undecided", "variant": None, "units": (("d", 0),)}, Action.HOLD, "undecided"),
        ({"offered": ("a", "c")}, Action.HOLD, "not_offered"),
        ({"outcome": "control_wins", "variant": "a"}, Action.NO_WINNER, "control_wins"),
        ({"outcome": "tied", "variant": None}, Action.HOLD, "tied"),
        ({"outcome": "undecided", "variant": None}, Action.HOLD, "undecided"),
        ({"variant": "a"}, Action.HOLD, "winner"),
        ({"gain_low": None}, Action.HOLD, "below_minimum_lift"),
        # An interval that ends at 0 leaves it out: Holm has rejected what Bonferroni alone does not.
        ({"gain_low": 0.0}, Action.PROMOTE, "winner"),
        ({"gain_low": -1e-9}, Action.HOLD, "below_minimum_lift"),
        ({"gain_low": -0.1, "gain": 0.3}, Action.HOLD, "below_minimum_lift"),
    ],
)
def test_each_objection(changes: dict[str, Any], action: Action, first: str) -> None:
    got, reasons = codes(**changes)
    assert (got, reasons[0]) == (action, first)


def test_one_unit_is_told_in_the_singular() -> None:
    few = replace(GOOD, units=(("a", 1), ("b", 5_000)))
    decision = decide(few, PromotionPolicy(), AnalysisPlan(), LOOK)
    assert decision.reasons[0].message.startswith("a has 1 unit in ")


def test_the_practical_threshold_is_passed_by_the_lower_bound_not_by_the_lift() -> None:
    policy = PromotionPolicy(minimum_lift=0.2)
    assert codes(policy, gain=0.3, gain_low=0.1) == (Action.HOLD, ["below_minimum_lift"])
    assert codes(policy, gain=0.3, gain_low=0.21) == (Action.PROMOTE, ["winner"])


@pytest.mark.parametrize(
    ("family", "unattended", "action", "first"),
    [
        (Family.HOLM, True, Action.PROMOTE, "winner"),
        (Family.HOCHBERG, True, Action.PROMOTE, "winner"),
        (Family.BONFERRONI, True, Action.PROMOTE, "winner"),
        (Family.BENJAMINI_HOCHBERG, False, Action.PROMOTE, "winner"),
        (Family.BENJAMINI_YEKUTIELI, True, Action.HOLD, "family_too_weak"),
        (Family.E_BENJAMINI_HOCHBERG, True, Action.HOLD, "family_too_weak"),
        (Family.BENJAMINI_HOCHBERG, True, Action.HOLD, "family_too_weak"),
    ],
)
def test_without_a_person_only_a_family_that_limits_wrong_winners_acts(
    family: Family, unattended: bool, action: Action, first: str
) -> None:
    decision = decide(GOOD, PromotionPolicy(), AnalysisPlan(family=family), LOOK, unattended=unattended)
    assert (decision.action, decision.reasons[0].code) == (action, first)


@pytest.mark.parametrize(("name", "least"), [("minimum_units", 20), ("tuned_for_units", 100)])
def test_a_plan_waits_until_standard_errors_have_settled(name: str, least: int) -> None:
    assert getattr(AnalysisPlan(**{name: least}), name) == least
    with pytest.raises(InvalidInput) as refusal:
        AnalysisPlan(**{name: least - 1})
    assert refusal.value.code == "minimum_invalid"


def test_a_policy_that_trusts_takes_what_is_not_known_for_safe() -> None:
    policy = PromotionPolicy(guardrails=GuardrailRule.NOT_HARMED)
    assert codes(policy, guardrails=(UNKNOWN,)) == (Action.PROMOTE, ["winner"])
    assert codes(policy, guardrails=(WORSE,)) == (Action.HOLD, ["guardrail_worse"])
    assert codes(policy, guardrails=(SAFE,)) == (Action.PROMOTE, ["winner"])


def test_trust_and_guardrails_come_before_lift() -> None:
    action, reasons = codes(critical=("SRM",), guardrails=(HARMED,), outcome="undecided", units=(("a", 1),))
    assert (action, reasons) == (Action.HOLD, ["untrustworthy", "guardrail_harmed", "minimum_units"])


def test_what_a_person_took_back_only_a_person_puts_live_again() -> None:
    declined = replace(GOOD, declined=("b",))
    alone = decide(declined, PromotionPolicy(), AnalysisPlan(), LOOK, unattended=True)
    assert (alone.action, alone.reasons[0].code) == (Action.HOLD, "taken_back")
    assert decide(declined, PromotionPolicy(), AnalysisPlan(), LOOK).action is Action.PROMOTE
    other = decide(replace(GOOD, declined=("c",)), PromotionPolicy(), AnalysisPlan(), LOOK, unattended=True)
    assert other.action is Action.PROMOTE


@pytest.mark.parametrize(
    ("changes", "codes_wanted"),
    [
        # Whole weeks of data, not of the clock: the watermark counts.
        pytest.param({"watermark_at": NOW + timedelta(days=20, hours=23)}, ["minimum_duration"], id="an hour short"),
        pytest.param({"watermark_at": NOW + timedelta(days=21)}, ["winner"], id="three weeks"),
        pytest.param(
            {"watermark_at": NOW + timedelta(days=21), "units": (("a", 5_000), ("b", 4_999))},
            ["minimum_units"],
            id="a unit short",
        ),
    ],
)
def test_the_policys_own_minima_come_on_top(changes: dict[str, Any], codes_wanted: list[str]) -> None:
    policy = PromotionPolicy(minimum_weeks=3, minimum_units=5_000)
    now = NOW + timedelta(days=21)
    decision = decide(replace(GOOD, **changes), policy, AnalysisPlan(), now)
    assert [reason.code for reason in decision.reasons] == codes_wanted


BERLIN = QuietHours(start=time(0), end=time(1), timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("hours", "clock", "is_quiet"),
    [
        pytest.param(QuietHours(start=time(22), end=time(7)), time(23, 30), True, id="before midnight"),
        pytest.param(QuietHours(start=time(22), end=time(7)), time(6, 59), True, id="after midnight"),
        pytest.param(QuietHours(start=time(22), end=time(7)), time(7), False, id="over"),
        pytest.param(QuietHours(start=time(12), end=time(13)), time(12), True, id="at noon"),
        # 23:30 UTC in January is 00:30 in Berlin.
        pytest.param(BERLIN, time(23, 30), True, id="zone"),
        pytest.param(BERLIN, time(0, 30), False, id="off"),
    ],
)
def test_quiet_hours_by_the_clock_of_their_zone(hours: QuietHours, clock: time, is_quiet: bool) -> None:
    assert hours.contain(LOOK.replace(hour=clock.hour, minute=clock.minute)) is is_quiet


def test_quiet_hours_do_not_keep_from_deciding() -> None:
    """Only from going live: a proposal may wait for the morning."""
    policy = PromotionPolicy(automatic=True, quiet_hours=QuietHours(start=time(8), end=time(10)))
    assert decide(GOOD, policy, AnalysisPlan(), LOOK, unattended=True).action is Action.PROMOTE


def test_a_clock_far_behind_the_snapshot_is_as_stale_as_one_far_ahead() -> None:
    policy = PromotionPolicy(maximum_age_seconds=3_600)
    for minutes, first in ((-61, "stale"), (-59, "winner"), (59, "winner"), (61, "stale")):
        now = LOOK + timedelta(minutes=minutes)
        assert decide(GOOD, policy, AnalysisPlan(), now).reasons[0].code == first


def test_one_winner_for_all_spares_a_segment_that_it_harms() -> None:
    overall = {"basis": Basis.OVERALL, "segment_outcome": "undecided"}
    assert codes(**overall) == (Action.PROMOTE, ["winner"])
    assert codes(**overall | {"segment_outcome": "control_wins"}) == (Action.HOLD, ["segment_disagrees"])


LOSS = PromotionPolicy(winner=WinnerRule.EXPECTED_LOSS, loss_tolerance=0.01)


@pytest.mark.parametrize(
    ("changes", "action", "first"),
    [
        pytest.param(
            {"outcome": "undecided"}, Action.PROMOTE, "expected_loss", id="expected to cost a tenth of a percent"
        ),
        pytest.param({"outcome": "too_early"}, Action.HOLD, "too_early", id="too few events, whatever is expected"),
        pytest.param({"variant": "a"}, Action.HOLD, "no_better_arm", id="the control is the best choice"),
        pytest.param({"gain": 0.0}, Action.HOLD, "not_better", id="not ahead"),
        pytest.param({"gain": None}, Action.HOLD, "not_better", id="not known to be ahead"),
        pytest.param({"gain_high": -0.01}, Action.HOLD, "not_better", id="surely behind"),
        pytest.param({"beliefs": ()}, Action.HOLD, "no_better_arm", id="no posterior"),
        pytest.param(
            {"beliefs": (ArmBelief(variant="b", chance_to_be_best=0.8, expected_loss=0.0101),)},
            Action.HOLD,
            "loss_too_high",
            id="too risky",
        ),
        pytest.param({"outcome": "control_wins"}, Action.NO_WINNER, "control_wins", id="nobody"),
        pytest.param({"outcome": "undecided", "offered": ("a", "c")}, Action.HOLD, "not_offered", id="not on offer"),
        pytest.param(
            {"basis": Basis.OVERALL, "segment_outcome": "control_wins"},
            Action.HOLD,
            "segment_disagrees",
            id="worse here",
        ),
    ],
)
def test_a_policy_of_expected_loss(changes: dict[str, Any], action: Action, first: str) -> None:
    got, reasons = codes(LOSS, **changes)
    assert (got, reasons[0]) == (action, first)


def test_what_is_put_live_for_its_expected_loss_is_said_so_and_not_by_the_verdict_of_the_report() -> None:
    decision = decide(replace(GOOD, outcome="undecided", verdict="No winner yet."), LOSS, AnalysisPlan(), LOOK)
    assert (decision.action, decision.variant) == (Action.PROMOTE, "b")
    assert decision.reasons[0].message == (
        "b is ahead of a by +30.0% so far, and choosing it may cost 0.10% on average; the policy allows 1.00%."
    )


def test_a_policy_of_expected_loss_has_a_practical_threshold_too() -> None:
    """Of the estimate, as it limits no error rate."""
    wants = replace(LOSS, minimum_lift=0.05)
    assert codes(wants, gain=0.05)[0] is Action.PROMOTE
    assert codes(wants, gain=0.049) == (Action.HOLD, ["below_minimum_lift"])


def test_a_boundary_needs_a_plan_with_looks() -> None:
    policy = PromotionPolicy(winner=WinnerRule.BOUNDARY)
    assert codes(policy) == (Action.HOLD, ["not_group_sequential"])
    assert codes(policy, stopping_rule=StoppingRule.GROUP_SEQUENTIAL) == (Action.PROMOTE, ["winner"])


@pytest.mark.parametrize(
    ("policy", "changes", "wanted"),
    [
        pytest.param({"minimum_lift": 0.05}, {"best_gain_high": 0.049}, ["below_threshold_for_sure"], id="too small"),
        pytest.param({"minimum_lift": 0.05}, {"best_gain_high": 0.05}, None, id="perhaps"),
        pytest.param({"minimum_lift": 0.05}, {"best_gain_high": None}, None, id="not known"),
        pytest.param({"maximum_weeks": 2}, {}, ["time_is_up"], id="two weeks are over"),
        pytest.param({"maximum_weeks": 3}, {}, None, id="three are not"),
    ],
)
def test_waiting_ends_where_it_is_futile(
    policy: dict[str, Any], changes: dict[str, Any], wanted: list[str] | None
) -> None:
    undecided = {"outcome": "undecided", "variant": None, "verdict": "Nobody knows."}
    action, reasons = codes(PromotionPolicy(**policy), **undecided, **changes)
    if wanted is None:
        assert (action, reasons) == (Action.HOLD, ["undecided"])
    else:
        assert (action, reasons) == (Action.STOP_FUTILE, [*wanted, "undecided"])


def test_no_time_limit_stops_a_winner() -> None:
    assert codes(PromotionPolicy(maximum_weeks=2)) == (Action.PROMOTE, ["winner"])
