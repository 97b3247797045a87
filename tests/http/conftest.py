"""The real app on stores in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from api.app import create_app
from experiments.bootstrap import Winnow, build
from experiments.domain.policy import AnalysisPlan
from experiments.services.ports import OpenUnitOfWork
from experiments.settings import Settings
from experiments.storage.memory.unit_of_work import MemoryDatabase
from tests.conftest import FakeClock
from tests.http import promoted
from tests.http.api_client import BANNER, MENS, VISIT, Caller
from tests.http.fast_apps import share_what_apps_make
from tests.http.full_report import full_report
from tests.http.pages_site import Site, mail, mail_report

SETTINGS = Settings(
    database_url="memory://", secret_key="s" * 40, cors_origins=("https://shop.example",), max_body_bytes=100_000
)


@pytest.fixture(scope="session", autouse=True)
def fast_apps() -> Iterator[None]:
    """Apps of all tests here share what would be the same in each."""
    with pytest.MonkeyPatch.context() as patch:
        share_what_apps_make(patch)
        yield


def caller(open_unit_of_work: OpenUnitOfWork, clock: FakeClock, settings: Settings = SETTINGS) -> Caller:
    """Return somebody who may do everything."""
    winnow = build(settings, open_unit_of_work=open_unit_of_work, clock=clock)
    key = winnow.keys.create("root", frozenset({"admin"}), actor="test").text
    return Caller(client=create_app(winnow=winnow).test_client(), winnow=winnow, key=key)


def run_banner(api: Caller) -> Caller:
    """Fill the library with a segment and a metric, and start the banner."""
    for path, body in (("segments", MENS), ("metrics", VISIT), ("experiments", BANNER)):
        assert api.post(f"/v1/{path}", body).status_code == 201
    assert api.post("/v1/experiments/banner/start").status_code == 200
    return api


@pytest.fixture
def api(clock: FakeClock) -> Caller:
    """Somebody who may do everything, before an empty house."""
    return caller(MemoryDatabase().unit_of_work, clock)


@pytest.fixture
def winnow(api: Caller) -> Winnow:
    """The services behind that house."""
    return api.winnow


@pytest.fixture
def library(api: Caller) -> Caller:
    """One segment and one metric are there."""
    assert api.post("/v1/segments", MENS).status_code == 201
    assert api.post("/v1/metrics", VISIT).status_code == 201
    return api


@pytest.fixture
def running(api: Caller) -> Caller:
    """The banner is running."""
    return run_banner(api)


@pytest.fixture
def site(winnow: Winnow) -> Site:
    """The pages, for somebody who may read."""
    made = Site(winnow)
    made.sign_in("read")
    return made


@pytest.fixture
def full(site: Site) -> Site:
    """The same with an experiment whose report has all that a report may have."""
    site.add(mail(analysis=AnalysisPlan(minimum_lift=0.05)))
    site.store(full_report())
    return site


@pytest.fixture
def judged(site: Site) -> Site:
    """A winner, a tie, and a segment with too few customers."""
    site.add(mail(hypothesis="Likes are liked.", owner="Ada"))
    site.store(mail_report(), at=site.winnow.clock() - timedelta(minutes=12))
    return site


@pytest.fixture
def ramping(winnow: Winnow) -> Site:
    """A winner for men, with a ramp before it."""
    return promoted.running(Site(winnow))


@pytest.fixture
def at_once(winnow: Winnow) -> Site:
    """A winner for men that goes live for all but the holdback at once."""
    return promoted.running(Site(winnow), promoted.AT_ONCE)
