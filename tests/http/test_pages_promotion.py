"""The page of one promotion, and what the page of its experiment says of it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.promotion_policy import PromotionPolicy
from tests.conftest import FakeClock
from tests.http.full_report import full_report
from tests.http.pages_site import MENS, NO_INTERVAL, WON, Site, tag
from tests.http.promoted import (
    AT_ONCE,
    PAGE,
    address,
    approved,
    own_report,
    proposed,
    realised,
    running,
)


def test_a_proposal_is_decided_on_its_own_page_too(ramping: Site) -> None:
    ramping.sign_in("read", "write")
    made = proposed(ramping)
    page = ramping.read(address(made))
    for words in (
        "Men’s e-mail for Bought men’s goods Waiting for approval",
        "Somebody has to approve it until 2 Feb 2026, 09:00 UTC; nothing has changed yet.",
        "Yes or no?",
        "Lift +69.3%, surely above +50.8%",
        "Step by step Proposed 26 Jan 2026, 09:00 UTC, by Winnow itself",
    ):
        assert words in page
    for words in ("Does it keep its promise?", "Take it back?", "What it was proposed on"):
        assert words not in page


def test_the_head_says_what_is_shown_to_how_many(ramping: Site) -> None:
    ramping.sign_in("read", "write")
    page = ramping.read(address(approved(ramping)))
    assert "Men’s e-mail for Bought men’s goods Going live, 50%" in page
    assert "50% see it since 26 Jan 2026, 09:00 UTC; watched until 27 Jan 2026, 09:00 UTC at least." in page
    assert "50% No e-mail 50% Men’s e-mail Does it keep its promise?" in page
    assert "taken back below 0%" in page
    assert "As of now: 50% are watched until 27 Jan 2026, 09:00 UTC." in page


def test_who_explores_is_said_wherever_a_winner_is_live(winnow: Winnow, clock: FakeClock) -> None:
    site = running(Site(winnow), replace(AT_ONCE, exploration_bp=600))
    site.sign_in("read", "write")
    inbox = proposed(site)
    coming = "6% still see any content, on purpose: evenly split between all variants"
    assert coming in site.read(address(inbox))
    assert coming in site.read("/inbox")
    made = site.winnow.promoter.approve(inbox.id, actor="key:Ada", note="")
    page = site.read(address(made))
    exploring = "6% of this segment still see any content, on purpose."
    assert f"89% see it; 5% are held back with No e-mail until 23 Feb 2026, 09:00 UTC. {exploring}" in page
    # What harms a guardrail, as women's e-mail does, is not explored.
    assert "5% No e-mail (holdback) 89% Men’s e-mail 6% any of 2 variants (exploration) Does it keep" in page
    assert "89% of Bought men’s goods, 6% any content" in page
    assert exploring in site.read(PAGE)
    assert "Another 6%, the exploration, go on seeing any of the variants, evenly and on purpose" in site.read(PAGE)
    clock.advance(days=29)
    site.store(full_report(), realised=realised(made, 0.4, (0.1, 0.8)))
    assert site.winnow.advancer.step("mail", "men") is not None
    assert f"5% still see No e-mail. {exploring}" in site.read(address(made))


def test_every_step_says_who_when_why_on_what_and_for_how_many(ramping: Site) -> None:
    ramping.sign_in("read", "write")
    made = proposed(ramping)
    ramping.submit(address(made), f"{address(made)}/approve", reason="Spring is here.")
    page, html = ramping.read(address(made)), ramping.get(address(made))
    sha256 = made.evidence.sha256()
    short = sha256[:12]
    for words in (
        f"Proposed 26 Jan 2026, 09:00 UTC, by Winnow itself {WON} evidence {short} from snapshot 1",
        (
            "Approved 26 Jan 2026, 09:00 UTC, by Ada “Spring is here.” Going live 50% of Bought men’s goods "
            f"26 Jan 2026, 09:00 UTC, by Ada evidence {short} from snapshot 1 · made version 2 of the experiment"
        ),
    ):
        assert words in page
    assert page.count("“Spring is here.”") == 1
    assert html.count(f'<code title="{sha256}">{short}</code>') == 3
    assert tag(html, r'<li class="panel">\s*<p class="history-head"><span class="chip (step-\w+)"') == [
        "step-proposed",
        "step-approved",
        "step-ramping",
    ]


@pytest.mark.parametrize(
    ("units", "answer"),
    [
        ((83, 1_403), "Too early: No e-mail has 83 of the 100 customers needed (Men’s e-mail 1,403)."),
        ((100, 1_403), "Too early: those who were counted since do not allow a conclusion yet."),
    ],
    ids=["too few", "enough"],
)
def test_who_was_counted_is_not_called_nobody(at_once: Site, units: tuple[int, int], answer: str) -> None:
    at_once.sign_in("read")
    made = approved(at_once)
    doc = deepcopy(dict(realised(made, 0.1, (0.0, 0.2), units=units)))
    comparison = doc[made.id]["report"]["segments"][0]["metrics"][0]["comparisons"][0]
    comparison["lift"] = {**comparison["lift"], "value": NO_INTERVAL, "always_valid": NO_INTERVAL}
    at_once.store(full_report(), realised=doc)
    page = at_once.read(address(made))
    assert f"Does it keep its promise? {answer}" in page
    assert "Measured since it went live too early to say" in page
    assert "Nothing has been measured" not in page


def test_readers_see_it_all_and_can_do_nothing(ramping: Site) -> None:
    ramping.sign_in("read")
    page = ramping.get(address(approved(ramping)))
    assert "<form" not in page.replace('<form class="who"', "")


def test_the_segment_on_the_experiment_page_says_where_it_stands(ramping: Site) -> None:
    ramping.sign_in("read", "write")
    made = proposed(ramping)
    link = f'href="{address(made)}"'
    page, html = ramping.read(PAGE), ramping.get(PAGE)
    assert "Waiting for approval Men’s e-mail : Somebody has to approve it until 2 Feb 2026, 09:00 UTC" in page
    assert "Approve or reject…" in page
    assert "Next: Approve or reject what is proposed for Bought men’s goods." in page
    assert "Put it live…" not in page
    assert html.count(link) == 2  # the segment, and the history
    ramping.winnow.promoter.approve(made.id, actor="key:Ada")
    page = ramping.read(PAGE)
    assert "Going live, 50% Men’s e-mail : 50% see it since 26 Jan 2026, 09:00 UTC; watched until 27 Jan" in page
    assert "Next: It is going live for Bought men’s goods. For Bought women’s goods, Women’s e-mail and Men’s" in page
    assert "Why it does not go live yet" not in page
    assert "Approve or reject" not in page


def test_readers_are_not_asked_to_approve(ramping: Site) -> None:
    ramping.sign_in("read")
    proposed(ramping)
    page = ramping.read(PAGE)
    assert "Waiting for approval" in page
    assert "Approve or reject…" not in page
    assert "See how it goes" in page


def test_the_history_speaks_of_each_state(ramping: Site) -> None:
    ramping.sign_in("read", "write")
    first = proposed(ramping)
    ramping.winnow.promoter.reject(first.id, reason="Off brand.", actor="key:Bea")
    ramping.submit(f"{PAGE}/promote/men", f"{PAGE}/promote/men", variant=MENS)
    page = ramping.read(PAGE)
    assert "Going live, 50% Men’s e-mail for Bought men’s goods Live since 26 Jan 2026, 09:00 UTC, by Ada" in page
    assert "Rejected Men’s e-mail for Bought men’s goods Proposed 26 Jan 2026, 09:00 UTC, by Winnow itself" in page
    assert "Rejected 26 Jan 2026, 09:00 UTC by Bea: Off brand." in page
    assert page.count("Take it back…") == 1


def test_where_waiting_is_no_use_it_is_said(winnow: Winnow) -> None:
    site = running(Site(winnow), PromotionPolicy(minimum_lift=0.5))
    doc = own_report()
    for scope in doc["segments"]:
        sentence = "No winner yet."
        scope["verdict"] = {"outcome": "undecided", "variant": None, "leaders": [], "sentence": sentence}
        for one in scope["metrics"][0]["comparisons"]:
            one["lift_in_family"] = {**one["lift_in_family"], "low": -0.1, "high": 0.2}
    advice = {"advice": "wait", "variant": None, "winners": [], "sentence": "Nothing is decided yet."}
    site.store({**doc, "recommendation": advice})
    site.sign_in("read")
    page = site.read(PAGE)
    said = "Waiting is no use any more: No treatment is better by more than +20.0%; the policy wants +50.0%."
    assert page.count(said) == 3
    assert "Next: Stop the experiment: by its own rules waiting is no use any more." in page
    assert "Let it run" not in page
