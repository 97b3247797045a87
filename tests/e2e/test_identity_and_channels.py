"""One life across channels and devices: through the API, the spool, the worker, the page and the commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from click.testing import CliRunner

from api.app import create_app
from experiments.bootstrap import Winnow, build
from experiments.cli import main
from experiments.services.recording.ports import Watermark
from experiments.settings import Settings
from tests.conftest import FakeClock
from tests.golden.reference import bucket
from tests.http.api_client import Caller
from tests.http.conftest import run_banner
from tests.http.pages_site import Site

EVERYTHING = Watermark(exposure_id=10**9, event_id=10**9, at=FakeClock().now)
PEOPLE = {f"p{n}": f"device-{n}" for n in range(40)}
WRITTEN_TO = [person for number, person in enumerate(PEOPLE) if number % 2]
VISITORS = {person for number, person in enumerate(PEOPLE) if number % 3 == 0}


@pytest.fixture
def there(sqlite_url: str, tmp_path: Path, clock: FakeClock, monkeypatch) -> Iterator[Caller]:
    monkeypatch.setenv("WINNOW_DATABASE_URL", sqlite_url)
    settings = Settings(database_url=sqlite_url, secret_key="s" * 40, spool_dir=tmp_path / "spool")
    winnow = build(settings, clock=clock, spooled=True)
    key = winnow.keys.create("root", frozenset({"admin"}), actor="test").text
    yield run_banner(Caller(client=create_app(winnow=winnow).test_client(), winnow=winnow, key=key))
    assert winnow.spool is not None
    winnow.spool.close(within_seconds=5)


def shown(there: Caller, unit_id: str) -> str:
    """What the banner's split shows an id by itself, from the second implementation."""
    salt = there.winnow.catalog.current.live["banner"].experiment.definition.salt
    return "a" if bucket(f"{salt}/variant", unit_id) < 5_000 else "b"


def send(there: Caller, *items: dict[str, Any]) -> None:
    answer = there.post("/v1/events", {"items": list(items)})
    assert answer.json["rejected"] == 0, answer.json


def exposure(unit_id: str, variant: str, channel: str) -> dict[str, Any]:
    said = {"experiment": "banner", "version": 1, "segment": "mens", "variant": variant, "channel": channel}
    return {"type": "exposure", "event_id": f"{channel}-{unit_id}", "unit_id": unit_id, **said}


def until_stored(winnow: Winnow, exposures: int, events: int = 0) -> None:
    deadline = monotonic() + 20
    stored = (0, 0)
    while stored != (exposures, events):
        assert monotonic() < deadline, stored
        sleep(0.02)
        with winnow.open_unit_of_work(read_only=True) as work:
            stored = work.log.counts("banner", ["visit"], EVERYTHING)


def live(there: Caller, clock: FakeClock) -> None:
    """A letter to half of the customers, an app in which nobody is known, then everybody signs in, and a store."""
    for person in WRITTEN_TO:
        send(there, exposure(person, shown(there, person), "email"))
    clock.advance(hours=1)
    for device in PEOPLE.values():
        send(there, exposure(device, shown(there, device), "app"))
    until_stored(there.winnow, len(WRITTEN_TO) + len(PEOPLE))
    for person, device in PEOPLE.items():
        assert there.post("/v1/identify", {"anonymous_id": device, "unit_id": person}).status_code == 200
    clock.advance(hours=1)
    for person, device in PEOPLE.items():
        asked = there.post("/v1/assignments", {"unit_id": person, "attributes": {"mens": 1}})
        (seen,) = {one["variant"] for one in asked.json["assignments"]}
        assert seen == shown(there, person if person in WRITTEN_TO else device)  # who had a letter keeps its own
        send(there, exposure(person, seen, "store"))
        if person in VISITORS:
            send(there, {"type": "event", "event_id": f"v-{person}", "unit_id": device, "name": "visit"})
    until_stored(there.winnow, len(WRITTEN_TO) + 2 * len(PEOPLE), len(VISITORS))


def test_everybody_counts_once_by_the_first_channel_and_contradictions_are_left_out(
    there: Caller, clock: FakeClock
) -> None:
    live(there, clock)
    worked = CliRunner().invoke(main, ["worker", "--once"])
    assert worked.exit_code == 0, worked.output
    variants = {person: {shown(there, device)} for person, device in PEOPLE.items()}
    for person in WRITTEN_TO:
        variants[person].add(shown(there, person))
    counted = {person: min(seen) for person, seen in variants.items() if len(seen) == 1}
    left_out = len(PEOPLE) - len(counted)
    assert 0 < left_out < len(WRITTEN_TO)
    told = there.get("/v1/experiments/banner/results").json
    assert (told["report"]["units"], told["report"]["units_mixed"]) == (len(counted), left_out)
    assert told["identities"] == {"persons": 40, "several_ids_exposed": 40, "contradictions": left_out}
    assert [one["channel"] for one in told["channels"]] == ["app", "email"]
    for one in told["channels"]:
        here = {person for person in counted if (person in WRITTEN_TO) == (one["channel"] == "email")}
        found = {arm["variant"]: (arm["units"], arm["total"]) for arm in one["metrics"][0]["arms"]}
        assert found == {
            variant: (
                sum(counted[person] == variant for person in here),
                sum(counted[person] == variant for person in here & VISITORS),
            )
            for variant in ("a", "b")
        }
    shows_people(there, left_out)


def shows_people(there: Caller, left_out: int) -> None:
    told = CliRunner().invoke(main, ["analyse", "banner", "--by", "channel"], env={"COLUMNS": "200"}).output
    assert "visit by channel" in told
    assert f"40 persons were exposed by several ids; {left_out} are left out" in told
    site = Site(winnow=there.winnow)
    site.sign_in("read")
    page = site.read("/experiments/banner")
    assert f"40 customers saw this by several ids, and count once. {left_out} of all customers are left out" in page
    assert "Everybody counts once, in the channel of the first exposure." in page
    assert page.index("App") < page.index("E-mail")
