"""Where nothing can be foretold, the pages say why, in the words of those who read them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.dashboard.evidence_words import facts_of
from api.dashboard.gain import measure_of
from api.dashboard.names import names_of
from experiments.bootstrap import Winnow
from experiments.domain.policy import AnalysisPlan
from experiments.domain.promotion_policy import PromotionPolicy
from tests.http.full_report import HOPELESS, NEVER, OPEN, full_report
from tests.http.pages_site import CONTROL, MENS, NO_INTERVAL, WOMENS, Site, comparison, mail
from tests.http.promoted import AT_ONCE, PAGE, proposed, running

Doc = dict[str, Any]

VARIES = "Not known yet Too little is known of Visits with No e-mail to work it out."
KEPT = "Nothing By its rules a winner is kept as soon as all of its segment see it, and not watched any longer."
NOBODY_KNOWS: Doc = {"undefined": "unknown_traffic", "message": "How many units come in a day is not known so far."}
NO_VALUE: Doc = {"undefined": "no_control_value", "message": "The control's value is 0: a lift over it means nothing."}
TOO_LITTLE: Doc = {"undefined": "no_estimate", "message": "Too little has been seen so far to tell what is chance."}
PARTS = ("power_left", "detectable_lift", "units_left", "days_left")


@pytest.fixture
def site(winnow: Winnow) -> Site:
    return running(Site(winnow), AT_ONCE)


def _of_nothing(doc: Doc, **changes: Any) -> Doc:
    """The winner's segment, in which the control's figure is other than it was."""
    [control] = [arm for arm in doc["segments"][0]["metrics"][0]["arms"] if arm["variant"] == CONTROL]
    control.update(changes)
    return doc


@pytest.mark.parametrize(
    ("policy", "changes", "said"),
    [
        (AT_ONCE, {"std_dev": NO_INTERVAL}, VARIES),
        (AT_ONCE, {"value": 0.0}, VARIES),
        (replace(AT_ONCE, hold_seconds=0), {}, KEPT),
    ],
    ids=["no-spread", "nothing-of-it", "not-watched"],
)
def test_why_nobody_can_tell_what_the_holdback_will_show(
    winnow: Winnow, policy: PromotionPolicy, changes: dict[str, Any], said: str
) -> None:
    site = running(Site(winnow), policy)
    site.store(_of_nothing(deepcopy(full_report()), **changes))
    site.sign_in("read")
    made = proposed(site)
    assert made.evidence.holdback is None
    assert f"What the holdback will show {said}" in site.read("/inbox")
    assert f"What the holdback will show {said}" in site.read(f"/promotions/{made.id}")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"units": ((CONTROL, 0), (MENS, 0))}, "No customers of this segment have been counted yet."),
        (
            {"segment_since": datetime(2027, 1, 1, tzinfo=UTC)},
            "This segment has only just come in, so how many customers will come is not known.",
        ),
        ({"gain": None, "predicted_gain": None}, VARIES.removeprefix("Not known yet ")),
    ],
    ids=["nobody", "just-came", "no-lift"],
)
def test_every_forecast_that_is_refused_has_its_reason(site: Site, changes: dict[str, Any], said: str) -> None:
    evidence = replace(proposed(site).evidence, holdback=None, **changes)
    definition = site.winnow.author.get("mail").definition
    names = names_of(site.winnow.author.get("mail"))
    facts = {one.term: one for one in facts_of(definition, evidence, names, measure_of(definition, names))}
    holdback = facts["What the holdback will show"]
    assert (holdback.text, holdback.note) == ("Not known yet", said)
    expected = facts["What to expect"]
    assert (expected.text == "Not known yet") is ("gain" in changes)
    assert expected.note


def test_a_prediction_that_was_never_made_says_why(site: Site) -> None:
    site.sign_in("read", "write")
    made = site.winnow.promoter.approve(proposed(site).id, actor="key:Ada", note="")
    first, *others = made.steps
    unforetold = replace(made, steps=(replace(first, evidence=replace(made.evidence, predicted_gain=None)), *others))
    with site.winnow.open_unit_of_work() as work:
        work.promotions.save(unforetold, expected_revision=work.promotions.get(made.id).revision)
        work.commit()
    page = site.read(f"/promotions/{made.id}")
    assert "Predicted not known: no lift had been measured when it was proposed" in page


def outlooks(site: Site, *found: Doc) -> str:
    site.sign_in("read")
    site.add(mail(analysis=AnalysisPlan(minimum_lift=0.05)))
    doc = deepcopy(full_report())
    for one, outlook in zip(doc["segments"][2]["metrics"][0]["comparisons"], found, strict=True):
        one["outlook"] = outlook
    site.store(doc)
    return site.read(PAGE)


def test_no_cell_of_the_outlook_is_a_dash(winnow: Winnow) -> None:
    lacking = {**OPEN, "days_left": NOBODY_KNOWS, "detectable_lift": NO_VALUE, "power_left": NO_VALUE}
    said = outlooks(Site(winnow), lacking, dict.fromkeys(PARTS, TOO_LITTLE))
    days = "How many customers come in a day is not known so far."
    assert f"Men’s e-mail 13,000 {days} The control's value is 0: a lift over it means nothing. Women’s" in said
    assert "Women’s e-mail Too little has been seen so far to tell what is chance. " in said


def test_a_verdict_that_is_open_says_why_its_end_is_not_known(winnow: Winnow) -> None:
    said = outlooks(Site(winnow), HOPELESS, dict.fromkeys(PARTS, NEVER))
    assert "When more can be said is not known: as small as the effect is now, it would take too long." in said


@pytest.mark.parametrize(
    ("outlook", "line", "sentence"),
    [
        (
            OPEN,
            "13,000 6 8.1% 63%",
            "If they stay as they are, it takes about 13,000 more customers, about 6 days, to tell Women’s e-mail from",
        ),
        (
            HOPELESS,
            "As small as the effect is now, it would take too long. 8.1% 4.2%",
            "When Women’s e-mail can be told from Men’s e-mail is not known: as small as the effect is now, it",
        ),
    ],
    ids=["in-sight", "out-of-sight"],
)
def test_a_tie_says_when_it_may_be_told(winnow: Winnow, outlook: Doc, line: str, sentence: str) -> None:
    site = Site(winnow)
    site.sign_in("read")
    site.add(mail(analysis=AnalysisPlan(minimum_lift=0.05)))
    doc = deepcopy(full_report())
    women = doc["segments"][1]
    assert women["verdict"]["outcome"] == "tied"
    women["metrics"][0]["comparisons"].append(
        {**comparison(WOMENS, 0.02, (-0.03, 0.06), baseline=MENS, p=0.4), "outlook": outlook}
    )
    site.store(doc)
    said = site.read(PAGE)
    assert f"Women’s e-mail against Men’s e-mail {line}" in said
    assert sentence in said
    assert "that is still open, and for those in front that are not told apart yet: how many more customers" in said


@pytest.mark.parametrize(
    ("hours", "text", "note"),
    [
        (23, "Not known yet", "Less than a whole day of data is in, so how many customers will come is not known."),
        (
            25,
            "By about 23 Feb 2026 the 5%",
            "With a chance of 80%, at the traffic of so far; smaller changes stay unseen.",
        ),
    ],
)
def test_of_hours_nobody_foretells_weeks(site: Site, hours: int, text: str, note: str) -> None:
    evidence = proposed(site).evidence
    began = max(evidence.segment_since, evidence.started_at or evidence.segment_since)
    early = replace(evidence, watermark_at=began + timedelta(hours=hours))
    assert early.holdback is not None
    definition = site.winnow.author.get("mail").definition
    names = names_of(site.winnow.author.get("mail"))
    [told] = [
        one for one in facts_of(definition, early, names, measure_of(definition, names)) if "holdback" in one.term
    ]
    assert told.text.startswith(text)
    assert told.note == note
