"""Alerts and notices: told once, in the transaction of what they tell of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.delivery import Answer
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.services.authoring.wishes import ExperimentWish
from experiments.services.notices.deliver import DELIVERED_KEPT_DAYS, Deliverer
from tests.conftest import FakeClock
from tests.unit.reports import report, scope, store

SRM = {"code": "srm", "severity": "critical", "message": "SRM in segment mens: 52.1% in b, expected 50%"}


def told(winnow: Winnow) -> list[tuple[str, str | None, str]]:
    """Return kind, segment and title of what is to be sent by e-mail, oldest first."""
    with winnow.open_unit_of_work(read_only=True) as work:
        letters = work.notices.page(state=None, target=None, after=None, limit=50).items
    return [(letter.notice.kind.value, letter.notice.segment, letter.notice.title) for letter in reversed(letters)]


@pytest.fixture
def started(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> Winnow:
    """Running for 15 days, promoted without approval."""
    winnow.author.create(replace(wish, promotion=PromotionPolicy(automatic=True, maximum_weeks=2)), actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(days=15)
    return winnow


def look(winnow: Winnow, clock: FakeClock, *scopes: dict[str, Any]) -> int:
    number = winnow.author.get("banner").current.number
    store(winnow.open_unit_of_work, "banner", report(*scopes), at=clock.now, version=number)
    return winnow.alerter.tell("banner")


def test_what_cannot_be_trusted_is_told_once(started: Winnow, clock: FakeClock) -> None:
    broken = scope("mens", "untrustworthy") | {"findings": [SRM]}
    assert look(started, clock, broken) == 1
    clock.advance(hours=1)
    worse = scope("mens", "untrustworthy") | {"findings": [SRM | {"message": "SRM in segment mens: 53.0%"}]}
    assert look(started, clock, worse) == 0
    assert told(started) == [("alert", "mens", f"Banner, Mens: {SRM['message']}")]


def test_segments_in_which_waiting_is_no_use(started: Winnow, clock: FakeClock) -> None:
    scopes = scope("mens", "control_wins", -0.5, -0.1), scope("new", "undecided", -0.1, 0.2)
    assert look(started, clock, *scopes) == 2
    assert told(started) == [
        ("alert", "mens", "Banner, Mens: control_wins in mens."),
        ("alert", "new", "Banner, New: No winner after 2 weeks, the most the policy gives."),
    ]


def test_without_results_or_trouble_nothing_is_told(started: Winnow, clock: FakeClock) -> None:
    assert started.alerter.tell("banner") == 0
    assert look(started, clock, scope("mens")) == 0
    started.author.step("banner", "stop", actor="ann")
    assert look(started, clock, scope("mens") | {"findings": [SRM]}) == 0


def test_every_step_that_people_wait_for_is_told(started: Winnow, clock: FakeClock) -> None:
    look(started, clock, scope("mens"))
    while started.advancer.step("banner", "mens") is not None:
        pass
    [promotion] = started.promoter.history(experiment="banner", after=None, limit=10).items
    started.promoter.revert(promotion.id, reason="off brand", actor="eve")
    assert told(started) == [
        ("promotion.promoted", "mens", "banner: b is live for 95% of Mens"),
        ("promotion.reverted", "mens", "banner: b is taken back for Mens"),
    ]
    with started.open_unit_of_work(read_only=True) as work:
        last = work.notices.page(state=None, target=None, after=None, limit=1).items[0].notice
    assert (last.payload["by"], last.payload["note"], last.payload["promotion"]) == ("eve", "off brand", promotion.id)


def test_a_proposal_is_told_where_it_waits_for_a_person(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> None:
    winnow.author.create(wish, actor="ann")
    winnow.author.step("banner", "start", actor="ann")
    clock.advance(days=15)
    look(winnow, clock, scope("mens"))
    winnow.advancer.step("banner", "mens")
    assert told(winnow) == [("promotion.proposed", "mens", "banner: b is proposed for Mens")]


def test_while_a_winner_is_live_its_segment_is_watched_too(started: Winnow, clock: FakeClock) -> None:
    look(started, clock, scope("mens"))
    while started.advancer.step("banner", "mens") is not None:
        pass
    assert look(started, clock, scope("mens") | {"findings": [SRM]}) == 1
    assert told(started)[-1] == ("alert", "mens", f"Banner, Mens: {SRM['message']}")


@pytest.mark.parametrize(("steps", "is_known"), [((), True), (("pause",), True), (("stop",), False)], ids=str)
def test_an_alert_is_not_told_again_after_a_month(
    started: Winnow, clock: FakeClock, steps: tuple[str, ...], is_known: bool
) -> None:
    """What was delivered is removed after thirty days; that it was told is known as long as it may come again."""
    broken = scope("mens", "untrustworthy") | {"findings": [SRM]}
    assert look(started, clock, broken) == 1
    deliverer = Deliverer(started.open_unit_of_work, clock, lambda letter, webhook, now: Answer(status=250))
    assert deliverer.deliver_due() == 1
    with started.open_unit_of_work(read_only=True) as work:
        notice_id = work.notices.page(state=None, target=None, after=None, limit=1).items[0].notice.id
    for step in steps:
        started.author.step("banner", step, actor="ann")
    clock.advance(days=DELIVERED_KEPT_DAYS + 1)
    deliverer.deliver_due()
    assert told(started) == []
    with started.open_unit_of_work(read_only=True) as work:
        assert work.notices.knows(notice_id) is is_known
    if not steps:
        assert look(started, clock, broken) == 0
