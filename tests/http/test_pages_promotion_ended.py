"""The page of a promotion that was taken back, kept, paused, stopped, replaced or turned down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.promotion import PromotionState
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.services.authoring.wishes import wish_of
from tests.conftest import FakeClock
from tests.http.full_report import full_report
from tests.http.pages_site import CONTROL, MENS, Site, tag
from tests.http.promoted import (
    AT_ONCE,
    PAGE,
    POLICY,
    address,
    approved,
    measured,
    proposed,
    running,
)


def test_taken_back_with_one_click_and_a_reason(ramping: Site) -> None:
    ramping.sign_in("read", "write")
    made = approved(ramping)
    page = ramping.get(address(made))
    assert f'action="{address(made)}/revert"' in page
    assert tag(page, r'<label class="form-label" for="(reason)">') == ["reason"]
    response = ramping.submit(address(made), f"{address(made)}/revert", reason="Wrong season.")
    assert (response.status_code, response.location) == (303, address(made))
    page = ramping.read(address(made))
    for words in (
        "Men’s e-mail for Bought men’s goods is taken back.",
        "Men’s e-mail for Bought men’s goods Taken back Taken back 26 Jan 2026, 09:00 UTC by Ada: Wrong season.",
        "Did it keep its promise?",
        "“Wrong season.” evidence",
        "from snapshot 1 · made version 3 of the experiment",
    ):
        assert words in page
    assert "Take it back?" not in page
    plan = ramping.winnow.author.get("mail").definition.plan_of("men")
    assert plan is not None
    assert plan.allocation.weights_bp == {CONTROL: 3_334, MENS: 3_333, "womens": 3_333}


def test_what_the_machine_took_back_keeps_what_it_had_come_to(at_once: Site) -> None:
    at_once.sign_in("read")
    made = approved(at_once)
    measured(at_once, made, -0.09, (-0.15, -0.02))
    after = at_once.winnow.advancer.step("mail", "men")
    assert after is not None
    assert after.state is PromotionState.REVERTED
    page = at_once.read(address(made))
    for words in (
        "Taken back 26 Jan 2026, 09:00 UTC by Winnow itself: Since it went live, it surely does worse than its rules",
        "Did it keep its promise? It surely does worse than its rules allow.",
        "Measured since it went live −9.0%, between −15.0% and −2.0%",
    ):
        assert words in page


def test_what_is_kept_keeps_what_it_had_come_to(at_once: Site, clock: FakeClock) -> None:
    at_once.sign_in("read", "write")
    made = approved(at_once)
    clock.advance(days=29)
    measured(at_once, made, 0.061, (0.012, 0.11))
    after = at_once.winnow.advancer.step("mail", "men")
    assert after is not None
    assert after.state is PromotionState.KEPT
    page = at_once.read(address(made))
    for words in (
        "Men’s e-mail for Bought men’s goods Kept Kept since 24 Feb 2026, 09:00 UTC; 5% still see No e-mail.",
        (
            "Did it keep its promise? At the end of the hold it was surely better than No e-mail (data until "
            "24 Feb 2026, 09:00 UTC). It surely gained less than was predicted. Nobody watches it since: take it back"
        ),
        "Measured since it went live +6.1%, between +1.2% and +11.0%",
        "Take it back?",
    ):
        assert words in page
    for words in ("It keeps winning", "Taken back by itself", "taken back below"):
        assert words not in page
    assert "Kept Men’s e-mail : Kept since 24 Feb 2026" in at_once.read(PAGE)


def test_what_expired_says_so(ramping: Site, clock: FakeClock) -> None:
    ramping.sign_in("read")
    made = proposed(ramping)
    clock.advance(days=8)
    ramping.store(full_report())
    assert ramping.winnow.advancer.step("mail", "men") is not None
    page = ramping.read(address(made))
    assert "Expired 3 Feb 2026, 09:00 UTC by Winnow itself: Nothing came of it until 2 Feb 2026, 09:00 UTC." in page
    assert "Does it keep its promise?" not in page


def test_while_paused_nobody_is_said_to_see_it(at_once: Site) -> None:
    at_once.sign_in("read", "write")
    made = approved(at_once)
    at_once.winnow.author.step("mail", "pause", actor="test")
    page = at_once.read(address(made))
    assert "Live, paused Paused: everybody sees No e-mail for the time being. As of now" in page
    assert "5% No e-mail (holdback)" not in page
    assert "Take it back?" in page
    said = at_once.read(PAGE)
    assert "Paused: everybody sees No e-mail for the time being." in said
    assert "Next: While it is paused nobody is in it: start it again, or stop it." in said
    for words in ("95% see it", "are held back", "let it run"):
        assert words not in page
        assert words not in said


@pytest.mark.parametrize(
    ("policy", "until"),
    [
        (AT_ONCE, "are held back with No e-mail until 5 Mar 2026, 09:00 UTC."),
        (POLICY, "watched until 6 Feb 2026, 09:00 UTC at least."),
    ],
    ids=["hold", "soak"],
)
def test_a_pause_of_ten_days_puts_every_date_off_by_ten_days(
    winnow: Winnow, clock: FakeClock, policy: PromotionPolicy, until: str
) -> None:
    site = running(Site(winnow), policy)
    site.sign_in("read", "write")
    made = approved(site)
    clock.advance(hours=2)
    site.winnow.author.step("mail", "pause", actor="test")
    clock.advance(days=10)
    site.winnow.author.step("mail", "start", actor="test")
    clock.advance(hours=1)
    site.store(full_report())
    assert until in site.read(address(made))
    for path in (PAGE, f"{PAGE}?snapshot=1"):
        assert site.read(path).count(until) == 2  # the segment, and the history


@pytest.mark.parametrize(
    ("policy", "said", "listed"),
    [
        (AT_ONCE, "Live, stopped Stopped: everybody sees Men’s e-mail.", "Live since 26 Jan 2026"),
        (POLICY, "Going live, stopped Stopped: everybody sees No e-mail.", "Was live from 26 Jan 2026"),
    ],
    ids=["live", "going live"],
)
def test_of_a_stopped_one_no_share_is_said(winnow: Winnow, policy: PromotionPolicy, said: str, listed: str) -> None:
    site = running(Site(winnow), policy)
    site.sign_in("read", "write")
    made = approved(site)
    site.winnow.author.step("mail", "stop", actor="test")
    page, own = site.read(PAGE), site.read(address(made))
    assert said in own
    assert listed in page
    for words in ("95% see it", "50% see it", "are held back with", "still see No e-mail"):
        assert words not in own
        assert words not in page


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            AT_ONCE,
            "only if harm is shown already: the experiment has been stopped, so at Winnow’s next step it is kept.",
        ),
        (POLICY, "at Winnow’s next step: the experiment has been stopped before it had its last share."),
    ],
    ids=["live", "going live"],
)
def test_after_a_stop_nothing_promises_to_watch_it(winnow: Winnow, policy: PromotionPolicy, said: str) -> None:
    site = running(Site(winnow), policy)
    site.sign_in("read")
    made = approved(site)
    site.winnow.author.step("mail", "stop", actor="test")
    page = site.read(address(made))
    assert f"Taken back by itself {said}" in page
    assert "until it is kept" not in page


def test_what_is_kept_and_stopped_holds_nobody_back(at_once: Site, clock: FakeClock) -> None:
    at_once.sign_in("read", "write")
    made = approved(at_once)
    at_once.winnow.author.step("mail", "stop", actor="test")
    clock.advance(days=29)
    after = at_once.winnow.advancer.step("mail", "men")
    assert after is not None
    assert after.state is PromotionState.KEPT
    page = at_once.read(address(made))
    assert "Kept Kept since 24 Feb 2026, 09:00 UTC. Stopped: everybody sees Men’s e-mail." in page
    assert "still see No e-mail" not in page


def test_a_split_set_by_hand_replaces_it(at_once: Site) -> None:
    at_once.sign_in("read", "write")
    made = approved(at_once)
    experiment = at_once.winnow.author.get("mail")
    wish = wish_of(experiment.definition)
    men, *others = wish.segments
    wish = replace(wish, segments=(replace(men, weights={CONTROL: 1, MENS: 1}), *others))
    at_once.winnow.author.edit("mail", wish, expected_revision=experiment.revision, actor="key:Ada")
    page = at_once.read(address(made))
    assert "Replaced The split of the segment was changed by hand 26 Jan 2026, 09:00 UTC, by Ada." in page
    assert "Take it back?" not in page


@pytest.mark.parametrize("act", ["reject", "revert"])
def test_what_a_person_said_no_to_is_not_urged_again(at_once: Site, act: str) -> None:
    at_once.sign_in("read", "write")
    made = proposed(at_once) if act == "reject" else approved(at_once)
    at_once.submit(address(made), f"{address(made)}/{act}", reason="Not on brand")
    at_once.store(full_report())
    word = {"reject": "Rejected", "revert": "Taken back"}[act]
    said = f"{word} 26 Jan 2026 by Ada: “Not on brand”. Winnow does not propose it again; you may still put it live."
    page = at_once.read(PAGE)
    assert f"Men’s e-mail : {said} Put it live…" in page
    assert "Next: Nothing: somebody has said no to it for Bought men’s goods, so Winnow does not propose" in page
    assert "may go live for this segment" not in page
    assert "Next: Put it live" not in page
    assert said in at_once.read(f"{PAGE}/promote/men")


def test_nobody_having_said_no_nothing_is_said_of_it(at_once: Site) -> None:
    at_once.sign_in("read", "write")
    for path in (PAGE, f"{PAGE}/promote/men"):
        assert "does not propose it again" not in at_once.read(path)
    assert "Next: Put it live: the rules of this experiment allow it now for Bought men’s goods." in at_once.read(PAGE)
