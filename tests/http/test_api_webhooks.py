"""Webhooks over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.domain.delivery import Answer, Letter
from experiments.domain.notice import NoticeKind
from experiments.services.notices.announce import announce
from experiments.services.notices.deliver import Deliverer
from tests.conftest import FakeClock
from tests.http.api_client import Caller, codes, refusal

HOOK: dict[str, Any] = {"url": "https://example.com/hook?token=hush", "kinds": ["promotion.promoted", "alert"]}
SHOWN = {
    "url": HOOK["url"],
    "kinds": ["alert", "promotion.promoted"],
    "active": True,
    "created_at": "2026-01-05T09:00:00+00:00",
    "updated_at": "2026-01-05T09:00:00+00:00",
    "revision": 1,
}


def add(api: Caller, **changes: Any) -> str:
    made = api.post("/v1/webhooks", {**HOOK, **changes})
    assert made.status_code == 201
    webhook_id: str = made.json["webhook"]["id"]
    return webhook_id


def give_up(api: Caller, webhook_id: str, clock: FakeClock) -> int:
    """Tell something that never arrives; return the delivery."""
    with api.winnow.open_unit_of_work() as work:
        announce(work, NoticeKind.ALERT, title="Look", at=clock(), experiment="banner", segment="mens")
        work.commit()

    def send(letter: Letter, webhook: object, _now: object) -> Answer | None:
        return Answer(status=500, error="status:500") if webhook else None

    for _ in range(8):
        Deliverer(api.winnow.open_unit_of_work, clock, send).deliver_due()
        clock.advance(days=1)
    (dead,) = api.get(f"/v1/webhooks/deliveries?state=dead&target={webhook_id}").json["items"]
    found: int = dead["id"]
    return found


def test_a_secret_is_shown_once(api: Caller) -> None:
    made = api.post("/v1/webhooks", HOOK)
    webhook_id = made.json["webhook"]["id"]
    assert (made.status_code, made.headers["Cache-Control"], made.headers["ETag"]) == (201, "no-store", '"1"')
    assert made.headers["Location"] == f"/v1/webhooks/{webhook_id}"
    assert made.json["secret"].startswith("whsec_")
    assert made.json["webhook"] == {"id": webhook_id, **SHOWN}
    read = api.get(f"/v1/webhooks/{webhook_id}")
    assert (read.json, read.headers["ETag"]) == ({"id": webhook_id, **SHOWN}, '"1"')
    assert api.get("/v1/webhooks").json == {"items": [read.json], "next_cursor": None}
    trail = api.get(f"/v1/audit?subject={webhook_id}").json["items"]
    assert [(entry["actor"], entry["action"]) for entry in trail] == [("key:root", "webhook.create")]
    assert trail[0]["detail"] == {"host": "example.com", "kinds": SHOWN["kinds"], "active": True}


def test_rotating_shows_another(api: Caller) -> None:
    made = api.post("/v1/webhooks", HOOK).json
    rotated = api.post(f"/v1/webhooks/{made['webhook']['id']}/rotate")
    assert (rotated.status_code, rotated.headers["Cache-Control"], rotated.headers["ETag"]) == (200, "no-store", '"2"')
    assert rotated.json["secret"].startswith("whsec_")
    assert rotated.json["secret"] != made["secret"]
    assert rotated.json["webhook"]["revision"] == 2


def test_an_edit_names_its_revision(api: Caller, clock: FakeClock) -> None:
    path = f"/v1/webhooks/{add(api)}"
    changed = {"url": "http://other.example/", "kinds": ["alert"], "active": False}
    assert refusal(api.put(path, changed)) == (428, "revision_required", None)
    assert refusal(api.put(path, changed, If_Match='"7"')) == (412, "revision_mismatch", None)
    clock.advance(seconds=5)
    after = api.put(path, changed, If_Match='"1"')
    assert (after.status_code, after.headers["ETag"]) == (200, '"2"')
    assert {name: after.json[name] for name in changed} == changed
    assert after.json["updated_at"] == "2026-01-05T09:00:05+00:00"
    assert api.get(path).json == after.json


def test_a_removed_webhook_is_gone(api: Caller, clock: FakeClock) -> None:
    webhook_id = add(api)
    delivery = give_up(api, webhook_id, clock)
    removed = api.send("DELETE", f"/v1/webhooks/{webhook_id}")
    assert (removed.status_code, removed.data) == (204, b"")
    for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/rotate"), ("POST", "/test")):
        assert refusal(api.send(method, f"/v1/webhooks/{webhook_id}{tail}")) == (404, "webhook_not_found", None)
    assert api.get("/v1/webhooks/deliveries").json["items"] == []
    redelivered = api.post(f"/v1/webhooks/deliveries/{delivery}/redeliver")
    assert refusal(redelivered) == (404, "delivery_not_found", None)


def test_a_test_is_put_into_the_outbox(api: Caller) -> None:
    webhook_id = add(api, kinds=["alert"])
    sent = api.post(f"/v1/webhooks/{webhook_id}/test")
    assert sent.status_code == 202
    assert (sent.json["target"], sent.json["state"], sent.json["attempts"]) == (webhook_id, "pending", 0)
    assert (sent.json["notice"]["kind"], sent.json["notice"]["experiment"]) == ("test", None)
    assert api.get("/v1/webhooks/deliveries").json["items"] == [sent.json]
    off = add(api, active=False)
    assert refusal(api.post(f"/v1/webhooks/{off}/test")) == (409, "webhook_disabled", None)


def test_dead_letters_are_listed_and_sent_again(api: Caller, clock: FakeClock) -> None:
    webhook_id = add(api)
    delivery = give_up(api, webhook_id, clock)
    (dead,) = api.get("/v1/webhooks/deliveries?state=dead").json["items"]
    assert (dead["id"], dead["target"], dead["attempts"]) == (delivery, webhook_id, 8)
    assert (dead["last_status"], dead["last_error"]) == (500, "status:500")
    assert (dead["notice"]["title"], dead["notice"]["experiment"], dead["notice"]["segment"]) == (
        "Look",
        "banner",
        "mens",
    )
    assert api.get("/v1/webhooks/deliveries?state=pending").json["items"] == []
    assert api.get("/v1/webhooks/deliveries?target=other").json["items"] == []
    again = api.post(f"/v1/webhooks/deliveries/{delivery}/redeliver")
    assert (again.status_code, again.json["state"], again.json["attempts"]) == (200, "pending", 0)
    twice = api.post(f"/v1/webhooks/deliveries/{delivery}/redeliver")
    assert refusal(twice) == (409, "delivery_not_dead", None)
    trail = api.get(f"/v1/audit?subject={webhook_id}").json["items"]
    assert trail[0]["action"] == "delivery.redeliver"
    assert trail[0]["detail"] == {"delivery": delivery, "notice": dead["notice"]["id"]}


def test_both_lists_are_walked_by_cursor(api: Caller) -> None:
    ids = sorted(add(api) for _ in range(5))
    for webhook_id in ids:
        api.post(f"/v1/webhooks/{webhook_id}/test")
    for path, name in (("/v1/webhooks", "id"), ("/v1/webhooks/deliveries", "target")):
        first = api.get(f"{path}?limit=3").json
        last = api.get(f"{path}?limit=3&cursor={first['next_cursor']}").json
        seen = [item[name] for page in (first, last) for item in page["items"]]
        assert (sorted(seen), last["next_cursor"]) == (ids, None)
        assert refusal(api.get(f"{path}?cursor=_-")) == (422, "cursor_invalid", "/cursor")


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"url": "ftp://example.com"}, "url_scheme", "/url"),
        ({"url": "https://a:b@example.com"}, "url_credentials", "/url"),
        ({"url": "https://example.com/" + "x" * 2_000}, "url_too_long", "/url"),
        ({"url": "nowhere"}, "url_scheme", "/url"),
        ({"kinds": []}, "kinds_invalid", "/kinds"),
        ({"kinds": ["test"]}, "kinds_invalid", "/kinds"),
    ],
    ids=str,
)
def test_an_unfit_webhook_is_refused(api: Caller, changes: dict[str, Any], code: str, path: str) -> None:
    assert refusal(api.post("/v1/webhooks", {**HOOK, **changes})) == (422, code, path)
    stands = add(api)
    assert refusal(api.put(f"/v1/webhooks/{stands}", {**HOOK, **changes}, If_Match='"1"')) == (422, code, path)


def test_what_nobody_knows_is_refused_at_its_place(api: Caller) -> None:
    answer = api.post("/v1/webhooks", {**HOOK, "kinds": ["alert", "everything"], "secret": "mine"})
    assert [path for path, _ in codes(answer)] == ["/kinds/1", "/secret"]
    assert codes(api.get("/v1/webhooks/deliveries?state=lost"))[0][0] == "/state"
