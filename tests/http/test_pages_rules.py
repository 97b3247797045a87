"""The promotion policy in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import Any

import pytest

from api.dashboard import format as say
from api.dashboard.names import names_of
from api.dashboard.policy_words import coming, rules_of
from experiments.bootstrap import Winnow
from experiments.domain.definition import Definition
from experiments.domain.experiment import draft
from experiments.domain.policy import AnalysisPlan, Family, StoppingRule
from experiments.domain.promotion_policy import (
    GuardrailRule,
    PromotionPolicy,
    PromotionScope,
    QuietHours,
    WinnerRule,
)
from experiments.domain.wording import listed
from tests.conftest import FakeClock
from tests.http.full_report import full_report
from tests.http.pages_site import USES, Site, mail, plain
from tests.http.promoted import FALLING, PAGE

AT_BOUNDARY = AnalysisPlan(stopping_rule=StoppingRule.GROUP_SEQUENTIAL, planned_units=10_000)


def words(definition: Definition) -> dict[str, str]:
    names = names_of(draft(definition, by="test", now=FakeClock().now))
    return {rule.term: rule.text for rule in rules_of(definition, names).rules}


def rule(term: str, policy: PromotionPolicy | None = None, **changes: Any) -> str:
    return words(mail(promotion=policy or PromotionPolicy(), **changes)).get(term, "")


def test_the_page_of_an_experiment_says_its_rules(winnow: Winnow) -> None:
    site = Site(winnow)
    site.add(mail(promotion=PromotionPolicy(minimum_lift=0.02, ramp_bp=(1_000, 5_000), maximum_weeks=8)))
    site.sign_in("read")
    page = site.read(PAGE)
    for said in (
        (
            "How a winner goes live Who wins A variant that is surely better than No e-mail by more than 2% on Visits, "
            "however often one looks."
        ),
        "Where Each segment has its own winner.",
        "Guardrails Harm to them beyond what is tolerated has to be ruled out first.",
        "Not before 2 weeks of data, and 100 customers in each variant.",
        "Not after Without a winner after 8 weeks, the advice is to stop.",
        "Approval A person approves; a proposal expires after 1 week.",
        "On the way It is shown to 10% and 50% first, each of which is watched for 1 day at least; then to 95%. A",
        "1 day at least; then to 95%. A share that it has already is skipped.",
        "Held back 5% keep seeing No e-mail. For 4 weeks they show whether the winner keeps winning; then it is kept,",
        "unless it is behind: then the holdback goes on measuring, and you are told.",
        "Taken back By itself until it is kept, as soon as it is surely worse than No e-mail, or harms a guardrail",
        "Quiet hours None: winners go live at any hour.",
    ):
        assert said in page
    assert "nothing can go live by these rules" not in page


def test_who_wins_by_each_rule() -> None:
    assert rule("Who wins") == "A variant that is surely better than No e-mail on Visits, however often one looks."
    boundary = rule("Who wins", PromotionPolicy(winner=WinnerRule.BOUNDARY), analysis=AT_BOUNDARY)
    assert boundary == "A variant that is surely better than No e-mail on Visits, at one of the looks that are planned."
    loss = rule("Who wins", PromotionPolicy(winner=WinnerRule.EXPECTED_LOSS, loss_tolerance=0.005))
    assert "once that is at most 0.5% of No e-mail’s Visits" in loss
    assert "it is no proof that the variant is better: among equal ones it chooses one." in loss


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"soak_seconds": 7_200, "ramp_bp": (2_500,)},
            "25% first, which are watched for 2 hours at least; then to 95%",
        ),
        ({"soak_seconds": 0, "ramp_bp": (500, 2_500)}, "It is shown to 5% and 25% first; then to 95%."),
        ({"holdback_bp": 1_000}, "It is shown to 90% at once."),
        ({"holdback_bp": 1_000, "exploration_bp": 500}, "It is shown to 85% at once."),
    ],
)
def test_the_way_up(changes: dict[str, Any], said: str) -> None:
    assert said in rule("On the way", PromotionPolicy(**changes))


def test_who_explores_is_said_where_somebody_does() -> None:
    assert rule("Exploring") == ""
    policy = PromotionPolicy(exploration_bp=600)
    said = "6% still see any content, on purpose: evenly split between all variants"
    assert rule("Exploring", policy).startswith(said)
    experiment = draft(mail(promotion=policy), by="test", now=FakeClock().now)
    assert [one for one in coming(experiment, names_of(experiment), 3_333) if one.startswith(said)]


def test_a_step_below_the_present_share_is_none_to_come() -> None:
    experiment = draft(mail(promotion=PromotionPolicy(ramp_bp=(1_000, 5_000))), by="test", now=FakeClock().now)
    first, *_ = coming(experiment, names_of(experiment), 3_333)
    assert first == "It is shown to 50% first, which are watched for 1 day at least; then to 95%."


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (0.0, "as soon as it is surely worse than No e-mail, or"),
        (0.01, "as soon as it is surely below +1.0% against No e-mail, or"),
        (-0.02, "as soon as it is surely below −2.0% against No e-mail, or"),
    ],
)
def test_when_it_is_taken_back(at: float, said: str) -> None:
    assert said in rule("Taken back", PromotionPolicy(revert_below_lift=at, minimum_lift=0.05))


def test_where_the_metric_shall_fall_it_is_taken_back_above() -> None:
    said = rule("Taken back", PromotionPolicy(revert_below_lift=-0.02), metrics=FALLING)
    assert "surely above +2.0% against No e-mail" in said


def test_who_is_asked() -> None:
    automatic = PromotionPolicy(automatic=True)
    assert rule("Approval", automatic) == "None: a winner goes live by itself."
    weak = rule("Approval", automatic, analysis=AnalysisPlan(family=Family.BENJAMINI_HOCHBERG))
    assert weak.startswith("A person approves; a proposal expires after 1 week. ")
    assert "no winner goes live by itself" in weak


def test_what_else_is_asked_for() -> None:
    assert rule("Guardrails", metrics=USES[:1]) == "None are set: nothing but the metric that decides is looked at."
    lax = rule("Guardrails", PromotionPolicy(guardrails=GuardrailRule.NOT_HARMED))
    assert lax == "No harm to them may be shown; what is not known yet does not stop a winner."
    assert rule("Not before", PromotionPolicy(minimum_weeks=3, minimum_units=5_000)) == (
        "3 weeks of data, and 5,000 customers in each variant."
    )
    at_once = rule("Not before", analysis=AnalysisPlan(minimum_duration_seconds=0))
    assert at_once == "100 customers in each variant."


def test_where_there_is_but_one_segment_none_is_spoken_of() -> None:
    assert "Where" not in words(plain())
    assert rule("Where", PromotionPolicy(scope=PromotionScope.ONE_FOR_ALL)) == (
        "One winner for all segments, unless these are shown to differ; then each has its own."
    )


def test_quiet_hours_and_a_hold_of_no_length() -> None:
    hours = QuietHours(start=time(22), end=time(6, 30), timezone="Europe/Berlin")
    assert rule("Quiet hours", PromotionPolicy(quiet_hours=hours)) == (
        "From 22:00 to 06:30 (Europe/Berlin) nothing goes live by itself, and what is approved then waits until they "
        "are over; what does harm is taken back all the same."
    )
    assert rule("Held back", PromotionPolicy(hold_seconds=0)) == (
        "5% keep seeing No e-mail; the winner is kept as soon as it is live."
    )


@pytest.mark.parametrize(
    ("winner", "nothing"), [(WinnerRule.BOUNDARY, False), (WinnerRule.LOWER_BOUND, True)], ids=["fits", "misfits"]
)
def test_at_planned_looks_nothing_goes_live_only_where_the_rules_want_another_way(
    winnow: Winnow, winner: WinnerRule, nothing: bool
) -> None:
    site = Site(winnow)
    site.add(mail(analysis=AT_BOUNDARY, promotion=PromotionPolicy(winner=winner)))
    site.store(full_report(stopping_rule="group_sequential"))
    site.sign_in("read")
    page = site.read(PAGE)
    assert "Reading this page costs nothing." in page
    assert ("Nothing goes live by these rules" in page) is nothing
    assert ("nothing can go live by these rules" in page) is nothing


def test_rules_that_can_never_be_met_are_called_so(winnow: Winnow) -> None:
    site = Site(winnow)
    site.add(mail(promotion=replace(PromotionPolicy(), winner=WinnerRule.BOUNDARY)))
    site.sign_in("read")
    assert "As this experiment is planned, nothing can go live by these rules" in site.read(PAGE)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (3_600, "1 hour"),
        (129_600, "36 hours"),
        (86_400, "1 day"),
        (1_209_600, "2 weeks"),
    ],
)
def test_a_length_of_time_is_said_in_the_largest_unit_that_fits(seconds: int, said: str) -> None:
    assert say.duration(seconds) == said


def test_a_list_in_words() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
