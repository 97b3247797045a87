"""What a proposal tells before somebody decides: what won, how sure that is, what will happen, what is in the way."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import time

import pytest

from api.dashboard.adapting import adapting_ends
from api.dashboard.names import names_of
from experiments.bootstrap import Winnow
from experiments.domain.adaptive import AdaptivePolicy
from experiments.domain.experiment import draft
from experiments.domain.policy import AnalysisPlan, Family, LiftPrior
from experiments.domain.promotion import PromotionState
from experiments.domain.promotion_policy import PromotionPolicy, PromotionScope, QuietHours, WinnerRule
from experiments.services.authoring.author import Step
from tests.conftest import FakeClock
from tests.http.full_report import full_report
from tests.http.pages_site import (
    CONTROL,
    MENS,
    NO_INTERVAL,
    WOMENS,
    WON,
    Site,
    finding,
    mail,
    mail_report,
)
from tests.http.promoted import AT_ONCE, FALLING, PAGE, own_report, proposed, running


@pytest.fixture
def site(ramping: Site) -> Site:
    """A winner for men, with a ramp before it."""
    return ramping


def test_a_proposal_tells_what_won_and_how_sure_that_is(site: Site) -> None:
    site.sign_in("read", "write")
    proposed(site)
    page = site.read("/inbox")
    for words in (
        "Men’s e-mail for Bought men’s goods Which newsletter for whom? · Proposed 26 Jan 2026, 09:00 UTC by Winnow",
        "expires 2 Feb 2026, 09:00 UTC",
        WON,
        "Lift +69.3%, surely above +50.8% Visits against No e-mail. “Surely”: of 100 such experiments, at most 5 say",
        # y·(1 − 1/z²) with y = 0.693, z = 0.693 / 0.065 = 10.66: 0.693 − 0.065² / 0.693 = 0.693 − 0.0061 = 0.6869
        "What to expect +68.7% A little less than was seen: winners were also lucky.",
        "Chance to be best over 99.9%",
        "Expected loss under 0.01% of No e-mail’s Visits",
        "Groups and data No fault found Whether the groups have the sizes",
        "Seen by No e-mail: 9,638, Men’s e-mail: 9,558",
        "Data until 26 Jan 2026, 09:00 UTC",
        "Guardrail Returns with Men’s e-mail: safe",
    ):
        assert words in page
    assert "cannot be approved" not in page
    assert "Guardrail Returns with Women’s e-mail" not in page


def test_a_proposal_tells_what_will_happen(site: Site) -> None:
    site.sign_in("read", "write")
    proposed(site)
    page = site.read("/inbox")
    for words in (
        "Now 33.3% No e-mail 33.3% Men’s e-mail 33.3% Women’s e-mail",
        "First step, once approved 50% No e-mail 50% Men’s e-mail Guardrail Returns with Men’s e-mail: safe Why?",
        "It is shown to 50% and 80% first, each of which is watched for 1 day at least; then to 95%.",
        "5% keep seeing No e-mail. For 4 weeks they show whether the winner keeps winning; then it is kept, unless it",
        "is behind: then the holdback goes on measuring, and you are told.",
        "taken back by itself until it is kept, as soon as it is surely worse than No e-mail, or harms a guardrail",
        "From 22:00 to 07:00 (Europe/Berlin) nothing goes live by itself, and what is approved then waits until they",
    ):
        assert words in page


def test_where_the_split_follows_the_results_a_winner_ends_that(
    winnow: Winnow,
) -> None:
    site = running(Site(winnow), AT_ONCE, adaptive=AdaptivePolicy())
    site.sign_in("read", "write")
    ends = "The split stops following the results here; Women’s e-mail is shown to nobody any more."
    assert ends in site.read(f"{PAGE}/promote/men")
    made = proposed(site)
    assert ends in site.read("/inbox")
    assert ends in site.read(f"/promotions/{made.id}")


@pytest.mark.parametrize(
    ("step", "now", "then", "said"),
    [
        (
            "stop",
            "Now Stopped: everybody sees No e-mail.",
            "First step, once approved Nothing: the experiment has been stopped.",
            "Nothing comes of it, as the experiment has been stopped. Stopped: everybody sees No e-mail.",
        ),
        (
            "pause",
            "Now Paused: everybody sees No e-mail for the time being.",
            "First step, once approved 50% No e-mail 50% Men’s e-mail",
            "It cannot be approved before the experiment is started again, and expires 2 Feb 2026, 09:00 UTC. Paused:",
        ),
    ],
    ids=["stopped", "paused"],
)
def test_while_the_experiment_does_not_run_no_split_is_live(
    site: Site, step: Step, now: str, then: str, said: str
) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    site.winnow.author.step("mail", step, actor="test")
    inbox, own, page = site.read("/inbox"), site.read(f"/promotions/{made.id}"), site.read(PAGE)
    assert f"{now} {then}" in inbox
    assert f"{now} {then}" in own
    for read in (own, page):
        assert said in read
        assert "Somebody has to approve it until" not in read
    assert "Approve or reject…" not in page
    assert ("What will happen" in inbox) is (step == "pause")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("stop", "Approved, stopped Nothing comes of it, as the experiment has been stopped."),
        ("pause", "Approved, paused It cannot go live before the experiment is started again, and expires"),
    ],
)
def test_what_is_approved_does_not_go_live_meanwhile_either(
    winnow: Winnow, clock: FakeClock, step: Step, said: str
) -> None:
    hours = QuietHours(start=time(0), end=time(23), timezone="UTC")
    site = running(Site(winnow), replace(AT_ONCE, quiet_hours=hours))
    site.sign_in("read", "write")
    made = winnow.promoter.approve(proposed(site).id, actor="key:Ada", note="")
    assert made.state is PromotionState.APPROVED
    winnow.author.step("mail", step, actor="test")
    assert said in site.read(f"/promotions/{made.id}")
    assert "goes live as soon as quiet hours" not in site.read("/inbox") + site.read(f"/promotions/{made.id}")


def test_where_all_are_explored_nobody_falls_to_nothing(clock: FakeClock) -> None:
    experiment = draft(mail(adaptive=AdaptivePolicy()), by="test", now=clock())
    plan, explored = experiment.definition.plan_of("men"), {CONTROL: 700, MENS: 9_100, WOMENS: 200}
    ends = adapting_ends(experiment.definition, plan, explored, names_of(experiment))
    assert ends == ("The split stops following the results here.",)


def test_a_fixed_split_follows_nothing(site: Site) -> None:
    site.sign_in("read", "write")
    proposed(site)
    assert "following the results" not in site.read("/inbox") + site.read(f"{PAGE}/promote/men")


def test_a_proposal_tells_what_the_holdback_will_be_able_to_show(site: Site) -> None:
    site.sign_in("read")
    forecast = proposed(site).evidence.holdback
    assert forecast is not None
    assert f"{forecast.at:%Y-%m-%d}" == "2026-02-23"
    said = f"By about 23 Feb 2026 the 5% held back will show a change of {100 * forecast.lift:.1f}% or more"
    assert f"What the holdback will show {said} With a chance of 80%, at the traffic of so far" in site.read("/inbox")


def test_a_holdback_that_is_too_small_to_confirm_it_is_called_so(winnow: Winnow) -> None:
    site = running(Site(winnow), replace(AT_ONCE, holdback_bp=10))
    site.sign_in("read")
    forecast = proposed(site).evidence.holdback
    assert forecast is not None
    assert forecast.lift > 0.69
    assert f"a change of {100 * forecast.lift:.1f}% or more: too coarse to confirm +68.7%" in site.read("/inbox")


def test_without_a_correction_none_is_claimed(winnow: Winnow) -> None:
    site = running(Site(winnow))
    doc = deepcopy(mail_report())
    doc["segments"][0]["metrics"][0]["comparisons"][0]["lift"]["std_error"] = NO_INTERVAL
    site.store(doc)
    site.sign_in("read")
    proposed(site)
    page = site.read("/inbox")
    assert "What to expect Less than was seen Winners were also lucky; by how much is not known here." in page
    assert "Chance to be best" not in page


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        # (y/s² + m/τ²) / (1/s² + 1/τ²), s = 0.065, τ = 0.065: half way between y = 0.693 and m
        (LiftPrior(mean=0.001, std_dev=0.065), "+34.7% Less than was seen: winners were also lucky."),
        (LiftPrior(mean=0.911, std_dev=0.065), "+80.2% More than was seen: lifts are believed to be larger."),
    ],
    ids=["far less", "more"],
)
def test_what_the_plan_believes_of_lifts_is_counted_in(winnow: Winnow, prior: LiftPrior, said: str) -> None:
    site = running(Site(winnow), analysis=AnalysisPlan(lift_prior=prior))
    site.sign_in("read")
    proposed(site)
    assert f"What to expect {said}" in site.read("/inbox")


def test_of_a_metric_that_shall_fall_the_fall_is_told(winnow: Winnow) -> None:
    site = running(Site(winnow), replace(AT_ONCE, revert_below_lift=-0.02), metrics=FALLING)
    falls = own_report()
    for scope in falls["segments"]:
        scope["metrics"] = scope["metrics"][:1]
    [first, *_] = falls["segments"]
    comparison = first["metrics"][0]["comparisons"][0]
    comparison["lift"]["value"] = -0.2
    comparison["lift_in_family"] = {**comparison["lift_in_family"], "low": -0.3, "high": -0.1}
    site.store(falls)
    site.sign_in("read")
    proposed(site)
    page = site.read("/inbox")
    assert "Lift −20.0%, surely below −10.0% Visits against No e-mail." in page
    assert "as soon as it is surely above +2.0% against No e-mail" in page


def test_a_rule_of_loss_is_never_called_a_proof(winnow: Winnow) -> None:
    policy = PromotionPolicy(winner=WinnerRule.EXPECTED_LOSS, loss_tolerance=0.1)
    site = running(Site(winnow), policy)
    doc = own_report()
    third = doc["segments"][2]
    third["metrics"] = [*third["metrics"], doc["segments"][0]["metrics"][2]]
    site.store(doc)
    site.sign_in("read")
    made = proposed(site, "everyone")
    assert made.evidence.gain_low == -0.09
    page = site.read("/inbox")
    assert (
        "Men’s e-mail is the cheapest choice if it turns out to be wrong; that it is better than No e-mail is" in page
    )
    assert "is not proven." in page
    assert "Lift +7.7%, but anything between −9.0% and +27.0% is possible" in page
    assert "Chance to be best 74% Expected loss 0.66% of No e-mail’s Visits" in page
    assert "wins for" not in page


def test_families_that_limit_a_share_promise_no_more(winnow: Winnow) -> None:
    site = running(Site(winnow), analysis=AnalysisPlan(family=Family.BENJAMINI_HOCHBERG))
    site.sign_in("read", "write")
    site.submit(f"{PAGE}/promote/men", f"{PAGE}/promote/men", variant=MENS)
    [made] = site.winnow.promoter.history(experiment="mail", after=None, limit=9).items
    page = site.read(f"/promotions/{made.id}")
    assert "“Surely”: of all that is concluded, at most 5% is wrong on average." in page


def test_numbers_of_all_together_are_called_so(winnow: Winnow) -> None:
    site = running(Site(winnow), replace(AT_ONCE, scope=PromotionScope.ONE_FOR_ALL))
    doc = own_report()
    men = doc["segments"][0]
    overall = {**doc["overall"], "metrics": men["metrics"], "verdict": men["verdict"]}
    site.store({**doc, "overall": overall, "recommendation": {**doc["recommendation"], "advice": "one_for_all"}})
    site.sign_in("read")
    proposed(site, "women")
    assert "Visits against No e-mail, in all segments together." in site.read("/inbox")


def test_what_cannot_be_approved_says_why_and_offers_no_button(site: Site) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    site.store(full_report(findings=[finding("srm", "critical", "Group sizes are off.")]))
    html, page = site.get("/inbox"), site.read("/inbox")
    assert "Something is wrong with the data, so nothing can be said about who wins." in page
    assert "It cannot be approved as things stand. Group sizes are off." in page
    assert "Groups and data Do not trust: Group sizes are off." in page
    assert 'type="submit" disabled>Approve' in html
    for figure in ("69.3%", "Chance to be best", "wins for", "safe"):
        assert figure not in page
    site.submit("/inbox", f"/promotions/{made.id}/approve", back="inbox")
    assert "Not approved: Group sizes are off." in site.read("/inbox")
    assert site.winnow.promoter.get(made.id).state is PromotionState.PROPOSED


def test_groups_that_hardly_fit_the_split_are_told_wherever_one_decides(site: Site) -> None:
    site.sign_in("read", "write")
    doc = own_report()
    doc["segments"][0]["srm"]["p_value"] = 0.0004
    site.store({**doc, "findings": [finding("srm_suspected", "warning", "The split looks wrong")]})
    said = "Groups and data Their sizes hardly fit the split (p = 0.0004): look at that first"
    assert said in plain_spaces(site.read(f"{PAGE}/promote/men"))
    made = proposed(site)
    for path in ("/inbox", f"/promotions/{made.id}"):
        assert said in plain_spaces(site.read(path))
        assert "No fault found" not in site.read(path)
    first = (
        "Next: Look at the warning on the groups' sizes first; then approve or reject what is proposed for Bought men’s"
    )
    assert first in site.read(PAGE)


def plain_spaces(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_groups_that_fit_the_split_are_told_before_a_winner_goes_live(site: Site) -> None:
    site.sign_in("read", "write")
    assert "Groups and data No fault found" in site.read(f"{PAGE}/promote/men")


def test_old_results_are_an_obstacle(site: Site, clock: FakeClock) -> None:
    site.sign_in("read", "write")
    proposed(site)
    clock.advance(days=2)
    assert "as things stand. These results are too old to act on." in site.read("/inbox")


def test_when_the_numbers_speak_for_another_the_old_ones_are_called_old(site: Site) -> None:
    site.sign_in("read", "write")
    made = proposed(site)
    doc = own_report()
    doc["segments"][0]["verdict"] = {**doc["segments"][0]["verdict"], "variant": WOMENS, "sentence": "Women’s wins."}
    doc["segments"][0]["metrics"][0]["comparisons"][1]["lift_in_family"] = {"low": 0.2, "high": 0.3}
    doc["segments"][0]["metrics"][2]["comparisons"][1]["guardrail"] = "safe"
    site.store(doc)
    page = site.read("/inbox")
    assert "It cannot be approved as things stand. The numbers speak for another variant now." in page
    assert "The figures are those on which it was proposed" in page
    assert "Lift +69.3%, surely above +50.8%" in page
    site.submit("/inbox", f"/promotions/{made.id}/approve", back="inbox")
    assert "Not approved: The numbers do not speak for it any more." in site.read("/inbox")


def test_a_segment_that_is_not_analysed_any_more_is_an_obstacle(site: Site) -> None:
    site.sign_in("read", "write")
    proposed(site)
    doc = own_report()
    site.store({**doc, "segments": doc["segments"][1:], "segment_comparisons": []})
    page = site.read("/inbox")
    assert "The latest analysis does not know this segment, so nobody can tell whether it still wins." in page
    assert "Lift +69.3%, surely above +50.8%" in page
