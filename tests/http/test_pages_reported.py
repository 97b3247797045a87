"""From profiles and purchases through the real worker to the pages: what is stored is what they read."""

from __future__ import annotations

from experiments.bootstrap import Winnow
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.event import Event
from experiments.domain.source import Source, SourceKind
from experiments.services.profiles.profiles import ProfileChange
from experiments.services.segments.reporter import SegmentReporter
from tests.http import segment_documents as made
from tests.http.pages_site import Site

CUSTOMERS = 200


def silent(done: int, total: int | None, label: str | None = None) -> None:
    """Progress for nobody."""


def trouble(segment: str, error: Exception) -> None:
    raise error


def furnish(winnow: Winnow) -> None:
    """The first hundred come from the web, forty of these spend much; fifty of those from the web bought for 10."""
    for key, kind in (("channel", AttributeType.TEXT), ("spend", AttributeType.NUMBER)):
        winnow.author.attributes.create(Attribute(key=key, name=key.title(), type=kind), actor="t")
    winnow.author.sources.create(Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=1), actor="t")
    made.add_segment(winnow, "web", "From the web", {"channel": "web"})
    made.add_segment(winnow, "big", "Spends much", {"spend": {"$gte": 100}})
    for number in range(CUSTOMERS):
        known = {"channel": "web" if number < 100 else "shop", "spend": 200 + number if number < 40 else number / 10}
        change = ProfileChange(unit_id=f"u{number}", source="crm", attributes=known)
        assert winnow.profiles.upsert_many([change])[0].status == "accepted"
    now = winnow.clock()
    with winnow.open_unit_of_work() as work:
        bought = [
            Event(event_id=f"e{number}", unit_id=f"u{number}", name="purchase", value=10.0, occurred_at=now)
            for number in range(50, 100)
        ]
        work.log.append_events(bought, received_at=now)
        work.commit()


def test_what_the_worker_stores_is_what_the_pages_show(winnow: Winnow) -> None:
    site = Site(winnow)
    site.sign_in("read")
    furnish(winnow)
    made.add_segment(winnow, "twin", "The web again", {"channel": "web"})
    pending = site.read("/segments/twin")
    assert "has not been counted yet" in pending
    assert "Nearly the same as “From the web” Both have the same condition. Look at it" in pending
    assert "Not counted yet Nearly the same as “From the web”" in site.read("/segments")

    worker = SegmentReporter(winnow.open_unit_of_work, winnow.clock, failed=trouble)
    assert worker.step(silent)
    card = site.read("/segments/web")
    assert "100 customers, 50.0% of all 200" in card
    assert "Channel is “web”" in card
    assert "Spent per customer 5.00" in card
    assert "Part of all revenue 100% each spends 2.0 times what all customers do" in card
    assert "Spends much 40 customers 40% 100%" in card
    assert "The web again 100 customers 100% 100%" in card
    assert "Not known. Nobody was exposed in these weeks." in card
    assert "Spends much big 40 20.0%" in site.read("/segments")
    assert "Of Spends much, 100% are in From the web too: 40 customers" in site.get("/segments")
    portrait = site.read("/segments/web/persona")
    assert "Channel web 100% of those of whom it is known" in portrait
    assert "Bought at least once 50.0% here 25.0% all customers" in portrait
    assert site.client.get("/segments/web/persona.svg").status_code == 200
    assert "web,size,units,,100" in site.client.get("/segments/web/persona.csv").text
    assert "web,size,,,units,100" in site.client.get("/segments/web/card.csv").text
