"""The page of one promotion, and what the page of its experiment says of it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest

from api.dashboard.gain import Measure, how_sure
from api.dashboard.gain_plot import NARROW, WIDE, gain_plot
from experiments.bootstrap import Winnow
from experiments.domain.promotion import Promotion, PromotionState
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.services.authoring.wishes import wish_of
from tests.conftest import FakeClock
from tests.http.full_report import full_report
from tests.http.pages_site import CONTROL, MENS, NO_INTERVAL, WON, Site, tag
from tests.http.promoted import (
    AT_ONCE,
    FALLING,
    PAGE,
    POLICY,
    approved,
    measured,
    own_report,
    proposed,
    realised,
    running,
)


@pytest.fixture
def ramping(winnow: Winnow) -> Site:
    """A winner for men, with a ramp before it."""
    return running(Site(winnow))


@pytest.fixture
def at_once(winnow: Winnow) -> Site:
    """A winner for men that goes live for all but the holdback at once."""
    return running(Site(winnow), AT_ONCE)


def address(promotion: Promotion) -> str:
    return f"/promotions/{promotion.id}"


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


def test_before_anything_is_measured_nothing_is_concluded(at_once: Site) -> None:
    at_once.sign_in("read")
    page = at_once.read(address(approved(at_once)))
    assert "Nothing has been measured since it went live." in page
    # 0.693 − 0.065² / 0.693 = 0.693 − 0.0061 = 0.6869
    assert "Predicted +68.7%" in page
    assert "Measured since it went live nothing yet" in page
    assert "What it was proposed on Men’s e-mail wins for Bought men’s goods" in page


@pytest.mark.parametrize(
    ("lift", "ends", "answer", "tone"),
    [
        (0.61, (0.2, 1.1), "It keeps winning: it is surely better than No e-mail.", "better"),
        (
            0.06,
            (0.01, 0.11),
            "It keeps winning: it is surely better than No e-mail. It surely gains less than was predicted.",
            "better",
        ),
        (
            0.9,
            (0.8, 1.1),
            "It keeps winning: it is surely better than No e-mail. It surely gains more than was predicted.",
            "better",
        ),
        (0.3, (-0.15, 0.8), "Too early to say: it may be better or worse than No e-mail.", "open"),
        (
            0.02,
            (-0.15, 0.2),
            "Too early to say: it may be better or worse than No e-mail. It surely gains less than was predicted.",
            "open",
        ),
        (-0.02, (-0.035, -0.01), "It is surely worse than No e-mail, but within what its rules allow.", "worse"),
        (-0.2, (-0.3, -0.06), "It surely does worse than its rules allow.", "worse"),
    ],
    ids=["better", "better, less", "better, more", "open", "open, less", "worse", "lost"],
)
def test_what_it_came_to_is_said_and_no_more(
    winnow: Winnow, lift: float, ends: tuple[float, float], answer: str, tone: str
) -> None:
    site = running(Site(winnow), replace(AT_ONCE, revert_below_lift=-0.05))
    site.sign_in("read")
    made = approved(site)
    measured(site, made, lift, ends)
    assert tag(site.get(address(made)), r'<p class="proposal-lead realised-(\w+)">([^<]*)</p>') == [(tone, answer)]


def test_what_it_came_to_is_told_in_figures(at_once: Site) -> None:
    at_once.sign_in("read")
    made = approved(at_once)
    measured(at_once, made, 0.061, (0.012, 0.11), units=(240, 4_600))
    page = at_once.read(address(made))
    for words in (
        "Predicted +68.7% Visits against No e-mail; a little less than was seen: winners were also lucky.",
        "Measured since it went live +6.1%, between +1.2% and +11.0%",
        "A 95% interval against those who saw No e-mail meanwhile, right however often one looks. 240 with No e-mail",
        "4,600 with Men’s e-mail.",
        "Taken back by itself until it is kept, as soon as it is surely worse than No e-mail, or harms a guardrail",
        "Guardrail Returns with Men’s e-mail: safe",
        "held back with No e-mail until 23 Feb 2026, 09:00 UTC. As of now: The holdback measures until 23 Feb 2026,",
    ):
        assert words in page
    html = at_once.get(address(made))
    assert html.count("Predicted: +68.7%. Measured: +6.1%, between +1.2% and +11.0%. Taken back at 0.0%.</desc>") == 2


def test_of_a_metric_that_shall_fall_the_picture_is_turned(winnow: Winnow) -> None:
    site = running(Site(winnow), replace(AT_ONCE, revert_below_lift=-0.02), metrics=FALLING)
    doc = own_report()
    for scope in doc["segments"]:
        scope["metrics"] = scope["metrics"][:1]
    comparison = doc["segments"][0]["metrics"][0]["comparisons"][0]
    comparison["lift"]["value"] = -0.2
    comparison["lift_in_family"] = {**comparison["lift_in_family"], "low": -0.3, "high": -0.1}
    site.store({**doc, "segment_comparisons": []})
    site.sign_in("read")
    made = approved(site)
    measured(site, made, -0.1, (-0.15, -0.05))
    page = site.read(address(made))
    assert "It keeps winning: it is surely better than No e-mail. It surely gains less than was predicted." in page
    # 0.2 − 0.065² / 0.2 = 0.2 − 0.0211 = 0.1789
    assert "Predicted −17.9%" in page
    assert "Measured since it went live −10.0%, between −15.0% and −5.0%" in page
    assert "taken back above +2.0%" in page


def test_what_cannot_be_trusted_is_not_drawn(at_once: Site) -> None:
    at_once.sign_in("read")
    made = approved(at_once)
    measured(at_once, made, 0.4, (0.3, 0.5), critical="Group sizes are off.")
    page = at_once.read(address(made))
    assert "Do not trust what was measured since: Group sizes are off." in page
    assert "Measured since it went live nothing yet" in page
    assert "+40.0%" not in page


def test_a_guardrail_that_breaks_is_in_sight(at_once: Site) -> None:
    at_once.sign_in("read")
    made = approved(at_once)
    measured(at_once, made, 0.061, (0.012, 0.11), guardrail="harmed")
    page = at_once.read(address(made))
    assert "Guardrail Returns with Men’s e-mail: harmed beyond the margin" in page
    assert "As of now: It harms a guardrail metric beyond what is tolerated." in page


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


RISES = Measure(metric="Visits", control="No e-mail", rises=True)
FALLS = replace(RISES, rises=False)


@pytest.mark.parametrize(
    ("measure", "numbers", "said"),
    [
        (RISES, (0.041, 0.012, 0.08), "+4.1%, surely above +1.2%"),
        (FALLS, (0.041, 0.012, 0.08), "−4.1%, surely below −1.2%"),
        (RISES, (0.041, -0.012, 0.08), "+4.1%, but anything between −1.2% and +8.0% is possible"),
        (FALLS, (0.041, -0.012, 0.08), "−4.1%, but anything between −8.0% and +1.2% is possible"),
        (RISES, (0.041, -0.012, None), "+4.1%, but perhaps no more than −1.2%"),
        (RISES, (0.041, None, None), "+4.1%; how sure is not known"),
        (RISES, (None, None, None), "Not known yet"),
        (RISES, (0.041, 0.0, 0.08), "+4.1%, surely above 0.0%"),
    ],
)
def test_a_gain_is_said_with_what_is_sure_of_it(
    measure: Measure, numbers: tuple[float | None, float | None, float | None], said: str
) -> None:
    assert how_sure(measure, *numbers) == said


def test_the_picture_puts_everything_on_one_axis() -> None:
    plot = gain_plot(predicted=0.04, realised=(0.02, -0.01, 0.05), threshold=0.0, rises=True, frame=WIDE)
    assert plot is not None
    assert plot.realised is not None
    assert [tick.label for tick in plot.ticks] == ["−1%", "0%", "+1%", "+2%", "+3%", "+4%", "+5%"]
    assert plot.threshold == next(tick.x for tick in plot.ticks if tick.is_zero) == 305.0
    assert (plot.predicted, plot.realised.low, plot.realised.point, plot.realised.high) == (845.0, 170.0, 575.0, 980.0)
    assert (plot.realised.cut_low, plot.realised.cut_high) == (False, False)
    assert plot.predicted_y < plot.realised_y < plot.bottom < plot.height


def test_the_words_at_the_threshold_stand_on_its_worse_side_where_there_is_room() -> None:
    wide = gain_plot(predicted=0.04, realised=(0.02, -0.01, 0.05), threshold=0.0, rises=True, frame=WIDE)
    narrow = gain_plot(predicted=0.04, realised=(0.02, -0.01, 0.05), threshold=0.0, rises=True, frame=NARROW)
    falls = gain_plot(predicted=-0.04, realised=(-0.02, -0.05, 0.01), threshold=0.0, rises=False, frame=WIDE)
    assert wide is not None
    assert narrow is not None
    assert falls is not None
    assert (wide.threshold_anchor, wide.threshold_label_x) == ("end", 299.0)
    assert narrow.threshold_anchor == "start"
    assert falls.threshold_anchor == "start"


def test_an_end_beyond_the_axis_gets_an_arrow() -> None:
    plot = gain_plot(predicted=0.01, realised=(0.01, -0.5, 9.0), threshold=0.0, rises=True, frame=WIDE)
    assert plot is not None
    assert plot.realised is not None
    assert plot.realised.cut_high


def test_without_a_number_there_is_no_picture() -> None:
    assert gain_plot(predicted=None, realised=None, threshold=0.0, rises=True, frame=WIDE) is None
    alone = gain_plot(predicted=0.03, realised=None, threshold=0.0, rises=True, frame=NARROW)
    assert alone is not None
    assert alone.realised is None
