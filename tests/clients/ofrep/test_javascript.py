"""OpenFeature's JavaScript SDKs with the OFREP providers of the registry, unchanged, against the running server."""

from __future__ import annotations

import json
import time
from typing import Any

from experiments.services.keys import Scope
from tests.clients.ofrep.conftest import CLAIM, VALUES, Site, told

NODE, WEB = "node/ofrep.mjs", "web/ofrep.mjs"
U1, U2 = {"targetingKey": "u1"}, {"targetingKey": "u2"}
DEFAULTS: dict[type, Any] = {bool: None, str: "", int: 0, float: 0, dict: {}}


def question(key: str, default: Any, context: Any = None) -> dict[str, Any]:
    return {"key": key, "default": default, "context": U1 if context is None else context}


def values() -> list[dict[str, Any]]:
    """Ask with a default that is not the answer."""
    return [
        question(f"flag.{key}", not value if isinstance(value, bool) else DEFAULTS[type(value)])
        for key, value in VALUES.items()
    ]


def ask(site: Site, questions: list[dict[str, Any]], key: str | None = None) -> list[dict[str, Any]]:
    with site.node(NODE, json.dumps(questions), key=key) as process:
        return [told(process) for _ in questions]


def browse(site: Site, context: Any, flags: list[dict[str, Any]], key: str | None = None) -> list[dict[str, Any]]:
    with site.node(WEB, "values", json.dumps({"context": context, "flags": flags}), key=key) as process:
        assert process.stdout is not None
        return [json.loads(line) for line in process.stdout]


def check_values(given: list[dict[str, Any]]) -> None:
    assert [one["value"] for one in given] == list(VALUES.values())
    assert {(one["variant"], one["reason"]) for one in given} == {("a", "STATIC")}
    assert not any("errorCode" in one for one in given)


def test_node_reads_values_of_every_type(site: Site) -> None:
    check_values(ask(site, values()))


def test_node_is_told_variant_reason_and_what_an_exposure_says(site: Site) -> None:
    attributes = {**U1, "mens": 1}
    questions = [question("banner", {}, each) for each in (U1, U2, attributes)] + [question("resting", {}, U2)]
    one, other, mens, resting = ask(site, questions)
    assert (one["variant"], one["value"], one["reason"]) == ("a", {"text": "old"}, "SPLIT")
    assert (other["variant"], other["value"], other["reason"]) == ("b", {"text": "new"}, "SPLIT")
    assert mens["flagMetadata"]["segment"] == "mens"
    assert (resting["variant"], resting["reason"]) == ("a", "DISABLED")
    claim = {name: one["flagMetadata"][name] for name in CLAIM}
    item = {"type": "exposure", "event_id": "node-1", "unit_id": "u1", **claim}
    assert site.do("POST", "/v1/events", {"items": [item]}).json()["accepted"] == 1


def test_node_tells_errors_apart(site: Site) -> None:
    questions = [
        question("none", "default"),
        question("flag.text", "default", {}),
        question("flag.text", "default", {"targetingKey": "u" * 600}),
        question("flag.whole", "default"),
    ]
    given = ask(site, questions)
    assert [one["errorCode"] for one in given] == [
        "FLAG_NOT_FOUND",
        "TARGETING_KEY_MISSING",
        "INVALID_CONTEXT",
        "TYPE_MISMATCH",
    ]
    assert {one["value"] for one in given} == {"default"}
    (refused,) = ask(site, [question("flag.text", "default")], key="wk_0000000000000000_no")
    assert (refused["value"], refused["errorCode"]) == ("default", "GENERAL")


def test_node_pauses_where_it_asks_too_often(limited: Site) -> None:
    given = ask(limited, [question("flag.text", "default")] * 4)
    assert [one["value"] for one in given] == ["Grüße", "Grüße", "default", "default"]
    assert "paused" in given[3]["errorMessage"]


def test_a_browser_reads_values_of_every_type(site: Site) -> None:
    check_values(browse(site, U1, values()))


def test_a_browser_is_told_variant_and_reason(site: Site) -> None:
    flags = [question("banner", {}), question("resting", {}), question("nothing", "default"), question("none", "x")]
    banner, resting, nothing, none = browse(site, {**U2, "mens": 1}, flags)
    assert (banner["variant"], banner["value"], banner["reason"]) == ("b", {"text": "new"}, "SPLIT")
    assert banner["flagMetadata"]["segment"] == "mens"
    assert (resting["variant"], resting["reason"]) == ("a", "DISABLED")
    assert (nothing["value"], nothing["variant"]) == ("default", "a")
    assert (none["value"], none["errorCode"]) == ("x", "FLAG_NOT_FOUND")


def test_a_browser_without_a_targeting_key_or_a_good_key_gets_defaults(site: Site) -> None:
    nobody, default = browse(site, {}, [question("flag.text", "default")])
    assert [one["status"] for one in nobody["requests"]] == [400]
    assert default["value"] == "default"
    refused, default = browse(site, U1, [question("flag.text", "default")], key=site.new_key(Scope.READ))
    assert (refused["code"], [one["status"] for one in refused["requests"]]) == ("PROVIDER_FATAL", [403])
    assert default["value"] == "default"


def test_a_browser_that_polls_is_told_that_nothing_changed_until_something_does(site: Site) -> None:
    given = json.dumps({"context": U2, "flags": [question("polled", {})]})
    with site.node(WEB, "poll", given) as process:
        try:
            assert told(process)["reason"] == "SPLIT"
            requests = told(process)["requests"]
            assert [one["status"] for one in requests] == [200, 304, 304]
            assert {one["held"] for one in requests[1:]} == {requests[0]["tag"]}
            site.do("POST", "/v1/experiments/polled/pause")
            changed = told(process)
            assert (changed["changed"], changed["last"]["status"]) == (["polled"], 200)
            after = told(process)
            assert (after["variant"], after["reason"]) == ("a", "DISABLED")
        finally:
            process.kill()


def test_a_browser_that_listens_hears_of_a_change_within_a_second_or_so(site: Site) -> None:
    given = json.dumps({"context": U2, "flags": [question("streamed", {})]})
    with site.node(WEB, "stream", given) as process:
        try:
            first, opened = sorted((told(process), told(process)), key=lambda one: "opened" in one)
            assert (first["variant"], first["reason"]) == ("b", "SPLIT")
            assert opened == {"opened": "/ofrep/v1/stream", "type": "text/event-stream"}
            site.do("POST", "/v1/experiments/streamed/pause")
            began = time.monotonic()
            changed = told(process)
            assert time.monotonic() - began < 2
            assert changed["changed"] == ["streamed"]
            assert "flagConfigEtag=" in changed["last"]["search"]
            after = told(process)
            assert (after["variant"], after["reason"]) == ("a", "DISABLED")
        finally:
            process.kill()
