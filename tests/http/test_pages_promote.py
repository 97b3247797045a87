"""Putting a winner live and taking it back, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import Randomisation
from experiments.domain.experiment import Status
from experiments.domain.promotion import Promotion
from tests.conftest import FakeClock
from tests.http.pages_site import MENS, WOMENS, WON, Site, finding, mail, mail_report, small
from tests.http.promoted import running

PAGE = "/experiments/mail"
PROMOTE = f"{PAGE}/promote/men"


@pytest.fixture
def site(winnow: Winnow, clock: FakeClock) -> Site:
    """An experiment that has run for three weeks, with a winner in one segment."""
    made = Site(winnow)
    made.add(mail())
    clock.advance(days=21)
    made.store(mail_report())
    return made


def promoted(site: Site) -> str | None:
    plan = site.winnow.author.get("mail").definition.plan_of("men")
    assert plan is not None
    return plan.promoted


def put_live(site: Site) -> None:
    assert site.submit(PROMOTE, PROMOTE, variant=MENS).status_code == 303


def test_readers_see_what_could_go_live_but_cannot_do_it(site: Site) -> None:
    site.sign_in("read")
    page = site.get(PAGE)
    assert "Men’s e-mail</strong> may go live for this segment" in page
    assert "Put it live…" not in page
    assert "This key may not do that" in site.read(PROMOTE, 403)
    assert site.submit("/", PROMOTE, variant=MENS).status_code == 403
    assert promoted(site) is None


def test_only_the_segment_with_a_winner_can_be_put_live(site: Site) -> None:
    site.sign_in("read", "write")
    page = site.get(PAGE)
    assert page.count("Put it live…") == 1
    assert f'href="{PROMOTE}"' in page


def test_nothing_happens_before_it_is_confirmed(site: Site) -> None:
    site.sign_in("read", "write")
    page = site.read(PROMOTE)
    for words in (
        "Put Men’s e-mail live for Bought men’s goods?",
        WON,
        "Now 33.3% No e-mail 33.3% Men’s e-mail 33.3% Women’s e-mail",
        "Afterwards 5% No e-mail (holdback) 95% Men’s e-mail",
        "Guardrail Returns with Men’s e-mail: safe",
        "Only this segment changes, and it can be taken back at any time.",
        "It is shown to 95% at once. 5% keep seeing No e-mail. For 4 weeks they show whether the winner keeps winning",
    ):
        assert words in page
    assert "Women’s e-mail: harmed" not in page
    assert promoted(site) is None


def test_confirming_puts_the_winner_live_and_tells_so(site: Site) -> None:
    site.sign_in("read", "write")
    response = site.submit(PROMOTE, PROMOTE, variant=MENS)
    assert (response.status_code, response.location) == (303, PAGE)
    assert promoted(site) == MENS
    page = site.read(PAGE)
    for words in (
        "Men’s e-mail for Bought men’s goods is live: 95% see it.",
        "Live now Promoted: Men’s e-mail 5% No e-mail (holdback) 95% Men’s e-mail",
        "Live Men’s e-mail for Bought men’s goods Live since 26 Jan 2026, 09:00 UTC, by Ada",
        "95% see it; 5% are held back with No e-mail until 23 Feb 2026, 09:00 UTC.",
        "from snapshot 1",
    ):
        assert words in page
    assert "is live: 95% see it." not in site.read(PAGE)


def test_where_another_system_splits_nothing_is_called_live(winnow: Winnow, clock: FakeClock) -> None:
    site = Site(winnow)
    site.add(mail(randomisation=Randomisation.EXTERNAL))
    clock.advance(days=21)
    site.store(mail_report())
    site.sign_in("read", "write")
    assert "Another system decides who sees what in this experiment." in site.read(PROMOTE)
    put_live(site)
    page = site.read(PAGE)
    for words in (
        "Men’s e-mail for Bought men’s goods is decided, for 95%. Another system decides who sees what",
        "Decided Men’s e-mail : To be carried out by the system that decides who sees what: 95% see it; 5% are held",
        "Men’s e-mail for Bought men’s goods Decided 26 Jan 2026, 09:00 UTC, by Ada",
    ):
        assert words in page
    assert "is live" not in page
    with winnow.open_unit_of_work(read_only=True) as work:
        (promotion,) = work.promotions.page(experiment="mail", state=None, after=None, limit=5).items
    assert "Live" not in site.read(f"/promotions/{promotion.id}")


def test_the_reason_is_kept_where_one_is_given(site: Site) -> None:
    site.sign_in("read", "write")
    assert '<label class="form-label" for="reason">' in site.get(PROMOTE)
    site.submit(PROMOTE, PROMOTE, variant=MENS, reason=" Spring is here. ")
    assert {step.note for step in the_promotion(site).steps} == {"Spring is here."}


def test_of_a_ramp_the_first_step_is_shown_and_nobody_is_called_a_holdback(winnow: Winnow) -> None:
    site = running(Site(winnow))
    site.sign_in("read", "write")
    page = site.read(PROMOTE)
    assert "First step 50% No e-mail 50% Men’s e-mail Only this segment changes" in page
    assert "Afterwards" not in page


def test_the_history_keeps_the_hash_of_the_evidence(site: Site) -> None:
    site.sign_in("read", "write")
    put_live(site)
    [promotion] = site.winnow.promoter.history(experiment="mail", after=None, limit=9).items
    page = site.get(PAGE)
    assert f'title="{promotion.evidence.sha256()}">{promotion.evidence.sha256()[:12]}</code>' in page
    assert f'href="/promotions/{promotion.id}"' in page


def test_a_form_without_its_token_changes_nothing(site: Site) -> None:
    site.sign_in("read", "write")
    for data in ({"variant": MENS}, {"variant": MENS, "csrf_token": "forged"}):
        assert site.client.post(PROMOTE, data=data).status_code == 400
    assert promoted(site) is None


def test_what_was_confirmed_is_what_goes_live_or_nothing(site: Site) -> None:
    site.sign_in("read", "write")
    response = site.submit(PROMOTE, PROMOTE, variant=WOMENS, reason="Spring is here.")
    assert (response.status_code, response.location) == (303, PROMOTE)
    assert promoted(site) is None
    page = site.get(PROMOTE)
    assert "the evidence has changed meanwhile" in page
    assert 'name="reason" value="Spring is here."' in page


def test_a_refusal_is_a_sentence(site: Site) -> None:
    site.sign_in("read", "write")
    token_page = PROMOTE
    site.get(token_page)
    srm = finding("srm", "critical", "SRM in segment Bought men’s goods")
    site.store(mail_report(men={"findings": [srm]}))
    site.submit(PAGE, PROMOTE, variant=MENS)
    assert "Not put live: SRM in segment Bought men’s goods" in site.read(PAGE)
    assert promoted(site) is None


def test_a_page_for_what_may_not_go_live_says_why(site: Site) -> None:
    site.sign_in("read", "write")
    page = site.read(f"{PAGE}/promote/women")
    assert "Nothing goes live for Bought women’s goods now" in page
    assert "cannot be told apart yet" in page
    assert "Afterwards" not in page


def test_a_winner_that_has_to_wait_says_what_for(winnow: Winnow) -> None:
    site = Site(winnow)
    site.add(mail())
    site.store(mail_report())
    site.sign_in("read", "write")
    assert "Why it does not go live yet: The plan wants data until 19 Jan 2026, 09:00 UTC." in site.read(PAGE)


@pytest.mark.parametrize("path", [f"{PAGE}/promote/nobody", "/experiments/nobody/promote/men"])
def test_what_does_not_exist_cannot_be_promoted(site: Site, path: str) -> None:
    site.sign_in("read", "write")
    assert site.client.get(path).status_code in (404, 422)
    assert site.submit(PAGE, path, variant=MENS).status_code in (303, 404)


def the_promotion(site: Site) -> Promotion:
    [promotion] = site.winnow.promoter.history(experiment="mail", after=None, limit=9).items
    return promotion


def test_taking_back_restores_the_split_and_keeps_the_reason(site: Site) -> None:
    site.sign_in("read", "write")
    before = site.winnow.author.get("mail").definition.plan_of("men")
    put_live(site)
    promotion = the_promotion(site)
    assert "Take it back…" in site.get(PAGE)
    response = site.submit(PAGE, f"/promotions/{promotion.id}/revert", reason="The offer has ended.")
    assert (response.status_code, response.location) == (303, f"/promotions/{promotion.id}")
    assert "Men’s e-mail for Bought men’s goods is taken back." in site.read(response.location)
    page = site.read(PAGE)
    assert "Taken back Men’s e-mail for Bought men’s goods Was live from 26 Jan 2026, 09:00 UTC, by Ada" in page
    assert "Taken back 26 Jan 2026, 09:00 UTC by Ada: The offer has ended." in page
    assert "Take it back…" not in page
    after = site.winnow.author.get("mail").definition.plan_of("men")
    assert before is not None
    assert after is not None
    assert after.allocation == before.allocation
    assert replace(after, since_epoch=before.since_epoch) == replace(before, declined=MENS)


def test_taking_back_needs_a_reason(site: Site) -> None:
    site.sign_in("read", "write")
    put_live(site)
    address = f"/promotions/{the_promotion(site).id}"
    site.submit(address, f"{address}/revert", reason="  ")
    assert "Not taken back: please say why" in site.read(address)
    assert promoted(site) == MENS


def test_taking_back_twice_is_refused_in_words(site: Site) -> None:
    site.sign_in("read", "write")
    put_live(site)
    address = f"/promotions/{the_promotion(site).id}"
    for _ in range(2):
        site.submit(PAGE, f"{address}/revert", reason="Enough.")
    assert "Not taken back: somebody was faster. Taken back 26 Jan 2026, 09:00 UTC by Ada." in site.read(address)
    assert len(the_promotion(site).steps) == 4


def test_readers_cannot_take_back(site: Site) -> None:
    site.sign_in("read", "write")
    put_live(site)
    address = f"/promotions/{the_promotion(site).id}"
    site.submit("/", "/sign-out")
    site.sign_in("read")
    assert "Take it back…" not in site.get(PAGE)
    assert "Take it back?" not in site.get(address)
    assert site.submit("/", f"{address}/revert", reason="Enough.").status_code == 403
    assert promoted(site) == MENS


def test_after_the_stop_the_winner_stays_and_can_be_taken_back(site: Site) -> None:
    site.sign_in("read", "write")
    put_live(site)
    site.winnow.author.step("mail", "stop", actor="test")
    page = site.read(PAGE)
    assert site.winnow.author.get("mail").status is Status.STOPPED
    assert "Stopped: everybody sees Men’s e-mail." in page
    assert "Stopped: everybody sees No e-mail." in page
    assert "Take it back… Why? Kept in the history. All of Bought men’s goods then see No e-mail." in page
    address = f"/promotions/{the_promotion(site).id}"
    assert "Take it back? Say why, it is kept in the history. All of Bought men’s goods then" in site.read(address)
    assert site.submit(address, f"{address}/revert", reason="Off brand.").status_code == 303
    assert promoted(site) is None
    assert "Stopped: everybody sees Men’s e-mail." not in site.read(PAGE)


def test_of_an_archived_one_nothing_can_be_taken_back(site: Site) -> None:
    site.sign_in("read", "write")
    put_live(site)
    for step in ("stop", "archive"):
        site.winnow.author.step("mail", step, actor="test")
    address = f"/promotions/{the_promotion(site).id}"
    assert "Take it back" not in site.read(PAGE) + site.read(address)
    assert "by hand" not in site.read(address)


def test_proposals_survive_a_segment_that_the_analysis_does_not_know(site: Site) -> None:
    doc = mail_report()
    site.store({**doc, "segments": [doc["segments"][0], doc["segments"][2]]})
    site.sign_in("read", "write")
    assert site.get(PAGE).count("Put it live…") == 1


def test_an_earlier_snapshot_offers_nothing_to_promote(site: Site) -> None:
    site.store(small())
    site.sign_in("read", "write")
    assert "Put it live…" not in site.get(f"{PAGE}?snapshot=1")
