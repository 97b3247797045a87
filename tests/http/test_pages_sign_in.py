"""Getting in and out: who may, for how long, and where one lands."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from api.dashboard.session import safe_next
from experiments.bootstrap import Winnow, build
from experiments.services.sign_in import make_token
from tests.conftest import FakeClock
from tests.http.pages_site import Site

SECRET = "s" * 40


@pytest.fixture
def site(winnow: Winnow) -> Site:
    return Site(winnow)


def key_id(key: str) -> str:
    return key.split("_")[1]


def link(key: str, *, secret: str = SECRET, **more: str) -> str:
    token = make_token(secret, key_id(key), secrets.token_urlsafe(16))
    return f"/sign-in?token={token}" + "".join(f"&{name}={value}" for name, value in more.items())


def test_strangers_are_sent_to_the_door_and_told_where_they_wanted_to_go(site: Site) -> None:
    response = site.client.get("/experiments/mail?metric=spend")
    assert response.status_code == 303
    assert urlsplit(response.location).path == "/sign-in"
    assert parse_qs(urlsplit(response.location).query) == {"next": ["/experiments/mail?metric=spend"]}


@pytest.mark.parametrize("path", ["/", "/experiments/x", "/experiments/x/results.csv", "/experiments/x/snapshots"])
def test_no_page_opens_without_signing_in(site: Site, path: str) -> None:
    assert site.client.get(path).status_code == 303


@pytest.mark.parametrize(
    ("act", "page"),
    [
        ("/experiments/mail/promote/men", "/experiments/mail/promote/men"),
        ("/promotions/11111111/approve", "/promotions/11111111"),
        ("/promotions/11111111/revert", "/promotions/11111111"),
    ],
)
def test_acting_without_signing_in_does_nothing_and_says_so(site: Site, act: str, page: str) -> None:
    response = site.client.post(act)
    assert (response.status_code, urlsplit(response.location).path) == (303, "/sign-in")
    html = site.get(response.location)
    assert "Nothing was done: you were signed out. Sign in and do it again." in html
    assert f'name="next" value="{page}"' in html


def test_who_only_wanted_to_read_is_not_told_that_nothing_was_done(site: Site) -> None:
    assert "Nothing was done" not in site.get(site.client.get("/inbox").location)


def test_the_address_of_a_decision_is_a_page_for_whoever_opens_it(site: Site) -> None:
    site.sign_in("read", "write")
    page = site.read("/promotions/11111111/approve", 405)
    assert "There is nothing to see here This address only takes decisions from the form of another page." in page
    assert "Inbox" in page
    assert "To the list of experiments" in page


def test_a_key_that_may_read_opens_the_door(site: Site) -> None:
    response = site.submit(
        "/sign-in?next=/experiments/mail", "/sign-in", key=site.key("read"), next="/experiments/mail"
    )
    assert (response.status_code, response.location) == (303, "/experiments/mail")
    assert "Experiments" in site.read("/")


def test_the_form_carries_on_where_the_reader_wanted_to_go(site: Site) -> None:
    assert 'name="next" value="/experiments/mail?metric=spend"' in site.get(
        "/sign-in?next=/experiments/mail%3Fmetric%3Dspend"
    )


@pytest.mark.parametrize("key", ["", "wk_nobody_nothing", "nonsense", "wk__"])
def test_an_unknown_key_is_refused_in_words(site: Site, key: str) -> None:
    response = site.submit("/sign-in", "/sign-in", key=key)
    assert response.status_code == 401
    assert "This key is not known here, or it has been revoked." in response.text
    assert site.client.get("/").status_code == 303


def test_a_key_that_may_not_read_is_refused_in_words(site: Site) -> None:
    response = site.submit("/sign-in", "/sign-in", key=site.key("assign", "ingest"))
    assert response.status_code == 403
    assert "This key may not read results." in response.text
    assert site.client.get("/").status_code == 303


def test_the_refused_key_is_not_sent_back(site: Site) -> None:
    key = site.key("assign")
    assert key not in site.submit("/sign-in", "/sign-in", key=key).text


def test_the_session_holds_the_id_of_the_key_and_not_the_key(site: Site) -> None:
    key = site.sign_in("read")
    with site.client.session_transaction() as session:
        assert session["key_id"] == key_id(key)
        assert not any(key.split("_", 2)[2] in str(value) for value in session.values())


def test_the_cookie_is_closed_to_scripts_and_other_sites(site: Site) -> None:
    cookie = site.submit("/sign-in", "/sign-in", key=site.key("read")).headers["Set-Cookie"]
    assert cookie.startswith("winnow_session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_the_cookie_is_secure_where_the_settings_say_so(winnow: Winnow, clock: FakeClock) -> None:
    settings = replace(winnow.settings, secure_cookies=True)
    site = Site(build(settings, open_unit_of_work=winnow.open_unit_of_work, clock=clock))
    response = site.client.get("/sign-in", base_url="https://localhost")
    assert "Secure" in response.headers["Set-Cookie"]


def test_a_session_ends_when_its_key_is_revoked(site: Site) -> None:
    key = site.sign_in("read")
    assert site.client.get("/").status_code == 200
    site.winnow.keys.revoke(key_id(key), actor="test")
    assert site.client.get("/").status_code == 303


def test_a_forged_session_is_nobody(site: Site) -> None:
    site.client.set_cookie("winnow_session", "eyJrZXlfaWQiOiJyb290In0.aaaa.bbbb")
    assert site.client.get("/").status_code == 303


def test_signing_out_ends_the_session(site: Site) -> None:
    site.sign_in("read")
    response = site.submit("/", "/sign-out")
    assert (response.status_code, response.location) == (303, "/sign-in")
    assert site.client.get("/").status_code == 303
    assert "You are signed out." in site.read("/sign-in")


@pytest.mark.parametrize(("action", "fields"), [("/sign-in", {"key": "wk_a_b"}), ("/sign-out", {})])
def test_forms_from_elsewhere_are_not_accepted(site: Site, action: str, fields: dict[str, str]) -> None:
    site.sign_in("read")
    for token in ({}, {"csrf_token": "forged"}):
        response = site.client.post(action, data={**fields, **token})
        assert response.status_code == 400
        assert "This form was not accepted" in response.text
    assert site.client.get("/").status_code == 200


def test_a_form_of_one_session_is_not_accepted_in_another(site: Site) -> None:
    token = re.search(r'name="csrf_token" value="([^"]+)"', site.get("/sign-in"))
    assert token is not None
    other = Site(site.winnow)
    other.get("/sign-in")
    assert other.client.post("/sign-in", data={"csrf_token": token[1], "key": site.key("read")}).status_code == 400


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "/sign-out",
        "/sign-in?next=/",
        "",
        None,
    ],
)
def test_after_signing_in_nobody_is_sent_elsewhere(target: str | None) -> None:
    assert safe_next(target) == "/"


@pytest.mark.parametrize("target", ["/", "/experiments/mail", "/experiments/mail?metric=visit&snapshot=3#figures"])
def test_addresses_of_ours_are_kept(target: str) -> None:
    assert safe_next(target) == target


def test_the_form_does_not_redirect_elsewhere_either(site: Site) -> None:
    response = site.submit("/sign-in", "/sign-in", key=site.key("read"), next="https://evil.example/")
    assert response.location == "/"


def test_a_link_signs_in_and_leads_on(site: Site) -> None:
    response = site.client.get(link(site.key("read"), next="/experiments/mail"))
    assert (response.status_code, response.location) == (303, "/experiments/mail")
    assert site.client.get("/").status_code == 200


def test_a_link_works_once(site: Site) -> None:
    made = link(site.key("read"))
    assert site.client.get(made).status_code == 303
    site.submit("/", "/sign-out")
    response = site.client.get(made)
    assert response.status_code == 401
    assert "This link has expired or has been used already." in response.text


def test_a_link_lasts_ten_minutes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, made = link(site.key("read")), link(site.key("read"))
    issued = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: issued + 599)
    assert site.client.get(fresh).status_code == 303
    site.submit("/", "/sign-out")
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: issued + 602)
    assert site.client.get(made).status_code == 401


def test_a_link_that_somebody_else_signed_is_refused(site: Site) -> None:
    assert site.client.get(link(site.key("read"), secret="t" * 40)).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_a_broken_link_is_refused(site: Site, token: str) -> None:
    assert site.client.get(f"/sign-in?token={token}").status_code == 401


def test_a_link_of_a_revoked_key_is_refused(site: Site) -> None:
    key = site.key("read")
    site.winnow.keys.revoke(key_id(key), actor="test")
    assert site.client.get(link(key)).status_code == 401


def test_a_link_gives_no_more_than_its_key(site: Site) -> None:
    assert site.client.get(link(site.key("ingest"))).status_code == 403
    assert site.client.get("/").status_code == 303


def test_a_link_works_once_whichever_process_it_reaches(site: Site) -> None:
    """Another process shares nothing but the database and the secret."""
    once = link(site.key("read"))
    elsewhere = Site(
        build(site.winnow.settings, open_unit_of_work=site.winnow.open_unit_of_work, clock=site.winnow.clock)
    )
    assert site.client.get(once).status_code == 303
    assert elsewhere.client.get(once).status_code == 401


def test_pages_stay_out_of_caches_and_stylesheets_do_not_need_a_key(site: Site) -> None:
    assert site.client.get("/sign-in").headers["Cache-Control"] == "private, no-store"
    for path in ("/assets/winnow.css", "/bootstrap/static/css/bootstrap.min.css"):
        response = site.client.get(path)
        assert response.status_code == 200
        assert response.mimetype == "text/css"
        response.close()
