"""The inbox: what waits for a person, with all that one needs to say yes or no."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.promotion import PromotionState
from experiments.domain.promotion_policy import QuietHours
from tests.conftest import FakeClock
from tests.http.full_report import full_report
from tests.http.pages_site import (
    CONTROL,
    MENS,
    Site,
    mail,
    section,
    tag,
)
from tests.http.promoted import AT_ONCE, PAGE, POLICY, proposed, running

NOBODY = "/promotions/11111111-1111-4111-8111-111111111111"


@pytest.fixture
def site(ramping: Site) -> Site:
    """A winner for men, with a ramp before it."""
    return ramping


def state(site: Site, promotion_id: str) -> PromotionState:
    return site.winnow.promoter.get(promotion_id).state


def test_an_empty_inbox_says_what_it_is_for(winnow: Winnow) -> None:
    site = Site(winnow)
    site.sign_in("read")
    page = site.read("/inbox")
    assert (
        "Nothing waits for you As soon as a variant wins by the rules of its experiment, it is proposed here." in page
    )
    assert tag(site.get("/"), '<a href="/inbox">([^<]*)') == ["Inbox"]


def test_the_header_counts_what_waits(site: Site) -> None:
    site.sign_in("read")
    proposed(site)
    for path in ("/", PAGE, "/inbox"):
        assert "Inbox 1 waiting" in site.read(path)
    assert 'href="/inbox" aria-current="page"' in site.get("/inbox")


def test_nobody_is_told_before_signing_in(site: Site) -> None:
    made = proposed(site)
    assert "Inbox" not in site.get("/sign-in")
    for path in ("/inbox", f"/promotions/{made.id}"):
        response = site.client.get(path)
        assert (response.status_code, response.location) == (303, f"/sign-in?next={path}")


def test_approving_puts_it_live_and_leads_back(site: Site) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    response = site.submit("/inbox", f"/promotions/{made.id}/approve", reason="Looks right.", back="inbox")
    assert (response.status_code, response.location) == (303, "/inbox")
    page = site.read("/inbox")
    assert "Men’s e-mail for Bought men’s goods is live: 50% see it." in page
    assert "Nothing waits for you" in page
    now = site.winnow.promoter.get(made.id)
    assert (now.state, now.steps[-1].by, now.steps[-1].note) == (PromotionState.RAMPING, "key:Ada", "Looks right.")
    plan = site.winnow.author.get("mail").definition.plan_of("men")
    assert plan is not None
    assert plan.allocation.weights_bp == {CONTROL: 5_000, MENS: 5_000}


def test_approving_needs_no_reason(site: Site) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    response = site.submit("/inbox", f"/promotions/{made.id}/approve")
    assert (response.status_code, response.location) == (303, f"/promotions/{made.id}")
    assert state(site, made.id) is PromotionState.RAMPING


def test_rejecting_needs_a_reason_and_keeps_it(site: Site) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    assert f'formaction="/promotions/{made.id}/reject"' in site.get("/inbox")
    site.submit("/inbox", f"/promotions/{made.id}/reject", reason=" ", back="inbox")
    assert "Not rejected: please say why, it is kept in the history." in site.read("/inbox")
    assert state(site, made.id) is PromotionState.PROPOSED
    site.submit("/inbox", f"/promotions/{made.id}/reject", reason="Off \n brand.", back="inbox")
    assert "Men’s e-mail for Bought men’s goods is rejected. It will not be proposed there again." in site.read(
        "/inbox"
    )
    assert site.winnow.promoter.get(made.id).steps[-1].note == "Off brand."
    assert state(site, made.id) is PromotionState.REJECTED


def test_a_reason_is_cut_at_what_can_be_kept(site: Site) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    site.submit("/inbox", f"/promotions/{made.id}/reject", reason="x" * 600)
    assert site.winnow.promoter.get(made.id).steps[-1].note == "x" * 500


def test_who_may_only_read_decides_nothing(site: Site) -> None:
    site.sign_in("read")
    made = proposed(site)
    page = site.get("/inbox")
    assert "Your key may read, but not decide." in page
    assert "/approve" not in page
    for act in ("approve", "reject", "revert"):
        assert site.submit("/inbox", f"/promotions/{made.id}/{act}", reason="So.").status_code == 403
    assert state(site, made.id) is PromotionState.PROPOSED


@pytest.mark.parametrize("back", ["inbox", "promotion"])
def test_the_reason_of_a_refused_decision_is_not_lost(site: Site, clock: FakeClock, back: str) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    clock.advance(days=2)
    refused = site.submit("/inbox", f"/promotions/{made.id}/approve", back=back, reason="A <b>long</b> reason.")
    assert "reason" not in refused.location
    typed = ' maxlength="500">A &lt;b&gt;long&lt;/b&gt; reason.</textarea>'
    assert typed in site.get(refused.location)
    assert typed not in site.get(refused.location)


def test_the_reason_of_another_decision_is_not_put_into_a_form(site: Site, clock: FakeClock) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    clock.advance(days=2)
    site.submit("/inbox", f"/promotions/{made.id}/approve", reason="Spring.")
    assert "Spring." not in site.get(f"{PAGE}/promote/men")
    assert "Spring." in site.get("/inbox")


@pytest.mark.parametrize("act", ["approve", "reject", "revert"])
def test_a_form_without_its_token_decides_nothing(site: Site, act: str) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    for data in ({"reason": "So."}, {"reason": "So.", "csrf_token": "forged"}):
        assert site.client.post(f"/promotions/{made.id}/{act}", data=data).status_code == 400
    assert state(site, made.id) is PromotionState.PROPOSED


@pytest.mark.parametrize("path", [NOBODY, "/promotions/none", "/inbox?after=x", "/inbox?after=-1"])
def test_what_does_not_exist_is_not_found(site: Site, path: str) -> None:
    site.sign_in("read", "write")
    site.get(path, 404)


@pytest.mark.parametrize("act", ["approve", "reject", "revert"])
def test_what_does_not_exist_cannot_be_decided(site: Site, act: str) -> None:
    site.sign_in("read", "write")
    assert site.submit("/inbox", f"{NOBODY}/{act}", reason="So.").status_code == 404


def test_who_comes_second_is_told_that_it_has_moved_on(site: Site) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    own = f"/promotions/{made.id}"
    assert site.submit("/inbox", f"{own}/reject", reason="No.", back="inbox").location == "/inbox"
    for act, refused in (("reject", "Not rejected"), ("approve", "Not approved")):
        assert site.submit("/inbox", f"{own}/{act}", reason="No.", back="inbox").location == own
        assert f"{refused}: somebody was faster. Rejected 26 Jan 2026, 09:00 UTC by Ada." in site.read(own)


def test_proposals_stand_newest_first_and_are_paged(winnow: Winnow, clock: FakeClock) -> None:
    site = Site(winnow)
    names = [f"n{number:02}" for number in range(12)]
    for name in names:
        site.add(mail(key=name, salt=name, name=f"Test {name}", promotion=POLICY))
    clock.advance(days=21)
    for name in names:
        site.store(full_report(), experiment=name)
        proposed(site, experiment=name)
    site.sign_in("read")
    page = site.get("/inbox")
    assert tag(page, r">Test (n\d\d)</a>") == list(reversed(names))[:10]
    [older] = tag(page, 'href="(/inbox[?]after=[^"]*)"')
    rest = site.get(older)
    assert tag(rest, r">Test (n\d\d)</a>") == ["n01", "n00"]
    assert "Older proposals" not in rest
    assert "12<span" in page


def test_what_is_approved_in_quiet_hours_is_listed_apart(winnow: Winnow, clock: FakeClock) -> None:
    site = running(Site(winnow), replace(AT_ONCE, quiet_hours=QuietHours(start=time(12), end=time(18))))
    site.sign_in("read", "write")
    made = proposed(site)
    clock.advance(hours=4)
    site.submit("/inbox", f"/promotions/{made.id}/approve", back="inbox")
    page = site.read("/inbox")
    assert "Men’s e-mail for Bought men’s goods is approved. It goes live as soon as quiet hours are over." in page
    assert "Nothing waits for you" in page
    assert (
        "Approved, not live yet Approved Men’s e-mail for Bought men’s goods Which newsletter for whom? · It goes live "
        "as soon as quiet hours are over, or not at all after 2 Feb 2026, 13:00 UTC."
    ) in page
    advice = section(site.get(PAGE), "advice")
    assert "Next: It is approved for Bought men’s goods, and goes live as soon as quiet hours are over." in advice
    assert "Approve or reject" not in advice
    own = site.read(f"/promotions/{made.id}")
    assert "What was approved" in own
    assert "Why not after all? Needed to call it off" in own
    assert f"/promotions/{made.id}/approve" not in site.get(f"/promotions/{made.id}")
    site.submit("/inbox", f"/promotions/{made.id}/reject", reason="Second thoughts.")
    assert state(site, made.id) is PromotionState.REJECTED


def test_every_field_has_its_label(site: Site) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    for path in ("/inbox", f"/promotions/{made.id}"):
        page = site.get(path)
        fields = tag(page, r'<textarea class="form-control" id="([^"]+)"')
        assert fields == [f"reason-{made.id}"]
        assert tag(page, r'<label class="form-label" for="([^"]+)"') == fields
