"""Who has moved since exposure, as the API serves it and as the page says it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.services.drift.ports import Drift
from tests.conftest import FakeClock
from tests.http.api_client import Caller, refusal
from tests.http.drifted import drift_document
from tests.http.pages_site import Site, mail, mail_report, text_of

PATH = "/v1/experiments/banner/drift"


def keep(winnow: Winnow, experiment: str, snapshot_id: int, document: dict[str, Any]) -> None:
    with winnow.open_unit_of_work() as work:
        work.drifts.put(
            Drift(experiment=experiment, snapshot_id=snapshot_id, computed_at=winnow.clock(), document=document)
        )
        work.commit()


def test_the_api_serves_what_was_stored_last(running: Caller, clock: FakeClock) -> None:
    assert refusal(running.get(PATH)) == (404, "drift_not_found", None)
    assert refusal(running.get("/v1/experiments/none/drift")) == (404, "experiment_not_found", None)
    keep(running.winnow, "banner", 3, {"moved": 1})
    clock.advance(hours=1)
    keep(running.winnow, "banner", 7, drift_document())
    answer = running.get(PATH)
    assert answer.status_code == 200
    assert answer.json == {
        "experiment": "banner",
        "snapshot_id": 7,
        "computed_at": "2026-01-05T10:00:00+00:00",
        "drift": drift_document(),
    }


@pytest.fixture
def site(winnow: Winnow) -> Site:
    made = Site(winnow)
    made.sign_in("read")
    made.add(mail())
    made.store(mail_report(), at=winnow.clock() - timedelta(hours=2))
    return made


def section(site: Site, document: dict[str, Any] | None, path: str = "/experiments/mail") -> str:
    if document is not None:
        keep(site.winnow, "mail", 1, document)
    found = re.search(r'<section class="[^"]*" aria-labelledby="drift-title".*?</section>', site.get(path), re.S)
    return found[0] if found else ""


def test_the_page_says_who_moved_where_and_whether_a_variant_did_it(site: Site) -> None:
    said = text_of(section(site, drift_document()))
    for part in (
        "4,812 of the 56,352 customers of whom it is known (8.54%) are in another segment now than when they were",
        "A variant moves customers Of 9,558 customers of Bought men’s goods who were given Men’s e-mail, 1,912 moved",
        "Bought men’s goods 28,818 3,603 12.8% Bought women’s goods (2,502) and no named segment (1,101)",
        "Bought women’s goods 28,734 1,209 4.30% Bought men’s goods (1,209)",
        "Everyone else 5 0 0.0% –",
        "Where 1,205 of 57,557 customers are now is not known: they stay.",
        "This describes; it decides nothing and makes no winner.",
        "+69.3% +50.8% to +90.1%; 28,818 customers +69.3% +50.8% to +90.1%; 26,424 customers",
        "By what was known of customers on 5 Jan 2026, 09:00 UTC.",
    ):
        assert part in said


def test_bars_end_where_the_shares_end(site: Site) -> None:
    bars = re.findall(
        r'class="moved" width="([\d.]+)".*?class="stayed" width="([\d.]+)"', section(site, drift_document())
    )
    assert bars[0] == (str(round(100 * 28_216 / 28_818, 2)), str(round(100 * 24_613 / 28_818, 2)))
    assert bars[2] == ("100.0", "100.0")


def test_what_could_not_be_known_is_said(site: Site) -> None:
    hidden = [{"segment": "men", "code": "needs_request", "message": "Its condition looks at device."}]
    skipped = {"code": "all_hidden", "message": "No profile tells."}
    nothing = {"segments": [], "findings": [], "at_exposure": None, "at_present": None}
    said = text_of(section(site, drift_document(skipped=skipped, hidden=hidden, **nothing)))
    assert "No profile tells." in said
    assert "Bought men’s goods : Its condition looks at device." in said
    assert "4,812" not in said


@pytest.mark.parametrize(
    ("document", "path"),
    [
        pytest.param(None, "/experiments/mail", id="nobody has looked"),
        pytest.param(
            drift_document(skipped={"code": "one_segment", "message": "One."}), "/experiments/mail", id="one segment"
        ),
        pytest.param(drift_document(), "/experiments/mail?snapshot=1", id="an earlier snapshot"),
    ],
)
def test_where_there_is_nothing_to_say_there_is_no_section(
    site: Site, document: dict[str, Any] | None, path: str
) -> None:
    site.store(mail_report())
    assert section(site, document, path) == ""


@pytest.mark.parametrize(
    ("counted", "words"),
    [(3_000, "Not counted yet since the first customers came."), (0, "No customers have been counted yet.")],
)
def test_who_has_not_been_looked_at_is_not_said_to_have_stayed(site: Site, counted: int, words: str) -> None:
    site.store(mail_report(units=counted))
    nobody = drift_document(units=0, moved=0, unknown=0, segments=[], findings=[], at_exposure=[], at_present=None)
    said = text_of(section(site, nobody))
    assert words in said
    assert "None of 0" not in said


def test_nobody_has_moved(site: Site) -> None:
    rows = [
        {**one, "moved": 0, "moved_to": [], "in_none": 0, "stayed": one["units"], "unknown": 0}
        for one in drift_document()["segments"]
    ]
    said = text_of(section(site, drift_document(moved=0, segments=rows, findings=[])))
    assert "None of 57,557 customers is known to have moved to another segment since." in said
    assert "A variant moves" not in said
