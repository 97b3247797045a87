"""Promotions: proposed, approved, ramped, rejected, taken back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.conftest import FakeClock
from tests.http.api_client import BANNER, MENS, VISIT, Caller, codes, refusal
from tests.unit.reports import report, scope, store

BANNER_URL = "/v1/experiments/banner"
PROMOTIONS = f"{BANNER_URL}/promotions"
NOWHERE = "/v1/promotions/11111111-1111-4111-8111-111111111111"


@pytest.fixture
def decided(running: Caller, clock: FakeClock) -> Caller:
    """Three weeks on, b has won among men; everywhere else nothing is sure."""
    return three_weeks_on(running, clock)


@pytest.fixture
def ramped(api: Caller, clock: FakeClock) -> Caller:
    """The same, with a ramp of two steps on the way."""
    return decided_with(api, clock, ramp_bp=[1_000, 6_000])


@pytest.fixture
def waiting(ramped: Caller) -> dict[str, Any]:
    """A proposal that waits for a person, with that ramp before it."""
    return proposed(ramped)


def three_weeks_on(api: Caller, clock: FakeClock) -> Caller:
    clock.advance(days=21)
    document = report(scope("mens"), scope("everyone", outcome="no_winner_yet"))
    store(api.winnow.open_unit_of_work, "banner", document, at=clock())
    return api


def decided_with(api: Caller, clock: FakeClock, **policy: Any) -> Caller:
    for path, body in (("segments", MENS), ("metrics", VISIT), ("experiments", {**BANNER, "promotion": policy})):
        assert api.post(f"/v1/{path}", body).status_code == 201
    assert api.post(f"{BANNER_URL}/start").status_code == 200
    return three_weeks_on(api, clock)


def proposed(api: Caller) -> dict[str, Any]:
    """Let the machine propose, and return what is waiting."""
    assert api.winnow.advancer.step("banner", "mens") is not None
    (found,) = api.get("/v1/promotions?state=proposed").json["items"]
    return dict(found)


def segment(api: Caller, key: str = "mens") -> dict[str, Any]:
    plans: list[dict[str, Any]] = api.get(BANNER_URL).json["segments"]
    return next(plan for plan in plans if plan["segment"] == key)


def sha256_of(evidence: object) -> str:
    text = json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def steps(promotion: dict[str, Any], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(step[name] for name in names) for step in promotion["steps"]]


def test_every_segment_has_its_proposal(decided: Caller) -> None:
    mens, everyone = decided.get(f"{BANNER_URL}/proposals").json["items"]
    assert (mens["segment"], mens["decision"]["action"], mens["decision"]["variant"]) == ("mens", "promote", "b")
    assert mens["allocation_before"]["weights_bp"] == {"a": 5_000, "b": 5_000}
    assert mens["allocation_after"]["weights_bp"] == {"a": 500, "b": 9_500}
    assert mens["allocation_after"]["ranges"][0] == {"start": 0, "end": 500, "variant": "a"}
    assert mens["promotion"] is None
    assert everyone["decision"] == {
        "action": "hold",
        "variant": None,
        "reasons": [{"code": "no_winner_yet", "message": "no_winner_yet in everyone."}],
    }
    assert everyone["allocation_after"] is None


def test_with_a_ramp_a_proposal_shows_its_first_step(ramped: Caller) -> None:
    first = proposed(ramped)
    mens, _ = ramped.get(f"{BANNER_URL}/proposals").json["items"]
    assert mens["allocation_after"]["weights_bp"] == {"a": 4_000, "b": 6_000}  # 1,000 would be less than it has now
    assert mens["promotion"] == first["id"]


def test_the_evidence_that_is_shown_is_the_evidence_that_was_hashed(decided: Caller) -> None:
    proposal = decided.get(f"{BANNER_URL}/proposals").json["items"][0]
    assert proposal["evidence"]["gain_low"] == 0.1
    assert sha256_of(proposal["evidence"]) == proposal["evidence_sha256"]
    made = decided.post(PROMOTIONS, {"segment": "mens"}).json
    assert made["evidence"] == proposal["evidence"]
    assert made["evidence_sha256"] == proposal["evidence_sha256"]
    for step in made["steps"]:
        assert step["evidence_sha256"] == (None if step["evidence"] is None else sha256_of(step["evidence"]))


def test_a_dry_run_tells_and_changes_nothing(decided: Caller) -> None:
    before = decided.get(BANNER_URL).json
    answer = decided.post(PROMOTIONS, {"segment": "mens", "dry_run": True})
    assert answer.status_code == 200
    assert answer.json == {"proposal": decided.get(f"{BANNER_URL}/proposals").json["items"][0]}
    assert decided.get(BANNER_URL).json == before
    assert decided.get("/v1/promotions").json["items"] == []


def test_a_winner_goes_live_in_its_segment_alone(decided: Caller) -> None:
    others = segment(decided, "everyone")
    made = decided.post(PROMOTIONS, {"segment": "mens", "reason": "Spring is here."})
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/promotions/{made.json['id']}")
    assert {name: made.json[name] for name in ("experiment", "segment", "variant", "state", "revision")} == {
        "experiment": "banner",
        "segment": "mens",
        "variant": "b",
        "state": "held",
        "revision": 3,
    }
    now, root = "2026-01-26T09:00:00+00:00", "key:root"
    assert steps(made.json, "state", "at", "by", "note", "share_bp", "version", "version_after", "unattended") == [
        ("proposed", now, root, "Spring is here.", None, 1, None, False),
        ("approved", now, root, "Spring is here.", None, 1, None, False),
        ("held", now, root, "Spring is here.", 9_500, 1, 2, False),
    ]
    assert made.json["reasons"] == [{"code": "winner", "message": "winner in mens."}]
    assert decided.get(made.headers["Location"]).json == made.json
    assert segment(decided)["weights_bp"] == {"a": 500, "b": 9_500}
    assert (segment(decided)["promoted"], segment(decided)["promotion"]) == ("b", made.json["id"])
    assert segment(decided, "everyone") == others


def test_every_step_stands_in_the_trail_with_its_evidence(decided: Caller) -> None:
    made = decided.post(PROMOTIONS, {"segment": "mens", "reason": "Spring."}).json
    trail = [
        (one["action"], one["evidence_sha256"], one["detail"]["reason"], one["detail"].get("share_bp"))
        for one in reversed(decided.get("/v1/audit?subject=banner").json["items"])
        if one["action"].startswith("promotion.")
    ]
    assert trail == [
        ("promotion.propose", made["evidence_sha256"], "Spring.", None),
        ("promotion.approve", None, "Spring.", None),
        ("promotion.hold", made["evidence_sha256"], "Spring.", 9_500),
    ]


def test_a_proposal_waits_and_moves_nobody(ramped: Caller, waiting: dict[str, Any]) -> None:
    assert waiting["state"] == "proposed"
    assert steps(waiting, "state", "by", "unattended", "share_bp") == [("proposed", "worker", True, None)]
    assert segment(ramped)["weights_bp"] == {"a": 5_000, "b": 5_000}
    assert ramped.get(f"/v1/promotions/{waiting['id']}").json == waiting


def test_approved_it_goes_live_for_its_first_share(ramped: Caller, waiting: dict[str, Any]) -> None:
    answer = ramped.post(f"/v1/promotions/{waiting['id']}/approve", {"reason": "Looks right."})
    assert answer.status_code == 200
    assert answer.json["state"] == "ramping"
    assert steps(answer.json, "state", "by", "note", "share_bp", "version_after") == [
        ("proposed", "worker", "", None, None),
        ("approved", "key:root", "Looks right.", None, None),
        ("ramping", "key:root", "Looks right.", 6_000, 2),
    ]
    assert segment(ramped)["weights_bp"] == {"a": 4_000, "b": 6_000}
    assert segment(ramped)["promoted"] is None


def test_a_reason_to_approve_may_be_left_out(ramped: Caller, waiting: dict[str, Any]) -> None:
    answer = ramped.post(f"/v1/promotions/{waiting['id']}/approve", {})
    assert (answer.status_code, answer.json["steps"][1]["note"]) == (200, "")


def test_in_quiet_hours_an_approved_one_waits_for_their_end(api: Caller, clock: FakeClock) -> None:
    quiet = {"start": "08:00", "end": "10:00"}
    decided_with(api, clock, quiet_hours=quiet, automatic=False)
    made = proposed_by_hand(api)
    answer = api.post(f"/v1/promotions/{made['id']}/approve", {})
    assert (answer.status_code, answer.json["state"]) == (200, "approved")
    assert segment(api)["weights_bp"] == {"a": 5_000, "b": 5_000}
    clock.advance(hours=1)
    stepped = api.winnow.advancer.step("banner", "mens")
    assert stepped is not None
    assert segment(api)["weights_bp"] == {"a": 500, "b": 9_500}


def proposed_by_hand(api: Caller) -> dict[str, Any]:
    """In quiet hours the machine proposes nothing; it did so before they began."""
    clock: Any = api.winnow.clock
    clock.advance(hours=-2)
    store(
        api.winnow.open_unit_of_work,
        "banner",
        report(scope("mens"), scope("everyone", outcome="no_winner_yet")),
        at=clock(),
    )
    found = proposed(api)
    clock.advance(hours=2)
    return found


def test_rejected_it_is_not_proposed_again_but_a_person_may(ramped: Caller, waiting: dict[str, Any]) -> None:
    answer = ramped.post(f"/v1/promotions/{waiting['id']}/reject", {"reason": "Off brand."})
    assert answer.status_code == 200
    assert steps(answer.json, "state", "by", "note", "unattended") == [
        ("proposed", "worker", "", True),
        ("rejected", "key:root", "Off brand.", False),
    ]
    assert ramped.winnow.advancer.step("banner", "mens") is None
    assert ramped.get(f"{BANNER_URL}/proposals").json["items"][0]["evidence"]["declined"] == ["b"]
    assert ramped.post(PROMOTIONS, {"segment": "mens"}).status_code == 201


def test_putting_live_by_hand_takes_the_proposal_that_waits(ramped: Caller, waiting: dict[str, Any]) -> None:
    made = ramped.post(PROMOTIONS, {"segment": "mens"}).json
    assert made["id"] == waiting["id"]
    assert [state for (state,) in steps(made, "state")] == ["proposed", "approved", "ramping"]


@pytest.mark.parametrize("ramp", [[], [6_000]], ids=["held", "ramping"])
def test_taken_back_the_buckets_are_as_before(api: Caller, clock: FakeClock, ramp: list[int]) -> None:
    decided_with(api, clock, ramp_bp=ramp)
    before = segment(api)
    made = api.post(PROMOTIONS, {"segment": "mens"}).json
    clock.advance(hours=1)
    back = api.post(f"/v1/promotions/{made['id']}/revert", {"reason": "Wrong season."})
    assert back.status_code == 200
    assert back.json["state"] == "reverted"
    last = back.json["steps"][-1]
    assert {name: last[name] for name in ("by", "at", "note", "version", "version_after", "share_bp")} == {
        "by": "key:root",
        "at": "2026-01-26T10:00:00+00:00",
        "note": "Wrong season.",
        "version": 2,
        "version_after": 3,
        "share_bp": None,
    }
    assert segment(api) == before | {"since_epoch": 3, "declined": made["variant"]}


def test_what_it_has_come_to_stands_beside_what_was_predicted(ramped: Caller, waiting: dict[str, Any]) -> None:
    address = f"/v1/promotions/{waiting['id']}"
    before = ramped.get(f"{address}/evidence")
    assert (before.status_code, before.json["evidence"]["live"]) == (200, None)
    ramped.post(f"{address}/approve", {})
    live = ramped.get(f"{address}/evidence").json["evidence"]["live"]
    # Its estimate is 30% with a standard error of 1%, of which a share of 1 / 30² is taken for luck.
    assert live["predicted_gain"] == pytest.approx(0.3 * (1 - 1 / 900))
    assert {name: live[name] for name in ("promotion", "variant", "share_bp", "is_final", "units", "gain")} == {
        "promotion": waiting["id"],
        "variant": "b",
        "share_bp": 6_000,
        "is_final": False,
        "units": [],
        "gain": None,
    }
    ramped.post(f"{address}/revert", {"reason": "Enough."})
    ended = ramped.get(f"{address}/evidence")
    assert (ended.status_code, ended.json) == (200, {"evidence": None})


ILLEGAL = [
    ("proposed", "revert", "illegal_proposed_to_reverted"),
    ("rejected", "approve", "already_rejected"),
    ("rejected", "reject", "already_rejected"),
    ("rejected", "revert", "already_rejected"),
    ("ramping", "approve", "illegal_ramping_to_approved"),
    ("ramping", "reject", "illegal_ramping_to_rejected"),
    ("reverted", "approve", "already_reverted"),
    ("reverted", "reject", "already_reverted"),
    ("reverted", "revert", "already_reverted"),
]
WAY_TO = {"proposed": (), "rejected": ("reject",), "ramping": ("approve",), "reverted": ("approve", "revert")}


@pytest.mark.parametrize(("state", "act", "code"), ILLEGAL, ids=[f"{act} {state}" for state, act, _ in ILLEGAL])
def test_a_step_that_may_not_follow_is_refused_by_name(
    ramped: Caller, waiting: dict[str, Any], state: str, act: str, code: str
) -> None:
    address = f"/v1/promotions/{waiting['id']}"
    for done in WAY_TO[state]:
        assert ramped.post(f"{address}/{done}", {"reason": "So."}).status_code == 200
    before = ramped.get(address).json
    assert before["state"] == state
    assert refusal(ramped.post(f"{address}/{act}", {"reason": "So."})) == (409, code, None)
    assert ramped.get(address).json == before


def test_a_proposal_whose_evidence_is_old_is_not_approved(
    ramped: Caller, waiting: dict[str, Any], clock: FakeClock
) -> None:
    clock.advance(days=2)
    assert refusal(ramped.post(f"/v1/promotions/{waiting['id']}/approve", {})) == (409, "stale", None)
    assert ramped.get(f"/v1/promotions/{waiting['id']}").json == waiting


def test_a_proposal_whose_evidence_has_turned_is_not_approved(ramped: Caller, waiting: dict[str, Any]) -> None:
    document = report(scope("mens", outcome="undecided", low=-0.1), scope("everyone", outcome="undecided"))
    store(ramped.winnow.open_unit_of_work, "banner", document, at=ramped.winnow.clock())
    assert refusal(ramped.post(f"/v1/promotions/{waiting['id']}/approve", {})) == (409, "undecided", None)


@pytest.mark.parametrize("act", ["reject", "revert"])
@pytest.mark.parametrize(
    ("body", "found"), [({}, ("/reason", "required")), ({"reason": None}, ("/reason", "null"))], ids=["none", "null"]
)
def test_who_turns_down_or_takes_back_says_why(
    ramped: Caller, waiting: dict[str, Any], act: str, body: dict[str, Any], found: tuple[str, str]
) -> None:
    answer = ramped.post(f"/v1/promotions/{waiting['id']}/{act}", body)
    assert answer.status_code == 422
    assert codes(answer) == [found]


@pytest.mark.parametrize(
    ("act", "reason"),
    [("reject", ""), ("revert", ""), ("reject", "x" * 501), ("revert", "x" * 501), ("approve", "x" * 501)],
    ids=["reject, empty", "revert, empty", "reject, long", "revert, long", "approve, long"],
)
def test_a_reason_is_a_text_of_some_length(ramped: Caller, waiting: dict[str, Any], act: str, reason: str) -> None:
    answer = ramped.post(f"/v1/promotions/{waiting['id']}/{act}", {"reason": reason})
    assert refusal(answer) == (422, "text_invalid", "/reason")


def test_putting_live_takes_no_endless_reason(decided: Caller) -> None:
    answer = decided.post(PROMOTIONS, {"segment": "mens", "reason": "x" * 501})
    assert refusal(answer) == (422, "text_invalid", "/reason")


@pytest.mark.parametrize("act", ["approve", "reject", "revert"])
def test_who_may_only_read_decides_nothing(ramped: Caller, waiting: dict[str, Any], act: str) -> None:
    reader = ramped.with_scopes("read", "assign", "ingest")
    answer = reader.post(f"/v1/promotions/{waiting['id']}/{act}", {"reason": "So."})
    assert refusal(answer) == (403, "forbidden", None)
    assert reader.get(f"/v1/promotions/{waiting['id']}").json == waiting


@pytest.mark.parametrize(
    ("method", "tail"),
    [("GET", ""), ("GET", "/evidence"), ("POST", "/approve"), ("POST", "/reject"), ("POST", "/revert")],
)
def test_what_does_not_exist_is_not_found(running: Caller, method: str, tail: str) -> None:
    body = {"reason": "So."} if method == "POST" else None
    assert refusal(running.send(method, f"{NOWHERE}{tail}", body)) == (404, "promotion_not_found", None)


@pytest.mark.parametrize(
    ("key", "code"),
    [("everyone", "no_winner_yet"), ("mens", "already_promoted")],
    ids=["not sure", "live already"],
)
def test_a_policy_that_says_no_says_why(decided: Caller, key: str, code: str) -> None:
    decided.post(PROMOTIONS, {"segment": "mens"})
    assert refusal(decided.post(PROMOTIONS, {"segment": key})) == (409, code, None)


def test_old_evidence_promotes_nothing(decided: Caller, clock: FakeClock) -> None:
    clock.advance(days=2)
    assert refusal(decided.post(PROMOTIONS, {"segment": "mens"})) == (409, "stale", None)


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_unknown_segment_is_refused_where_it_stands(decided: Caller, dry_run: bool) -> None:
    answer = decided.post(PROMOTIONS, {"segment": "none", "dry_run": dry_run})
    assert refusal(answer) == (422, "segment_unknown", "/segment")


def test_without_a_snapshot_there_is_nothing_to_propose(running: Caller) -> None:
    assert refusal(running.get(f"{BANNER_URL}/proposals")) == (404, "snapshot_not_found", None)
    assert refusal(running.post(PROMOTIONS, {"segment": "mens"})) == (404, "snapshot_not_found", None)


def test_promotions_are_listed_by_experiment(decided: Caller) -> None:
    made = decided.post(PROMOTIONS, {"segment": "mens"}).json
    assert decided.get("/v1/promotions").json == {"items": [made], "next_cursor": None}
    assert decided.get("/v1/promotions?experiment=banner").json["items"] == [made]
    assert decided.get("/v1/promotions?experiment=other").json["items"] == []


def test_promotions_are_listed_by_state_newest_first(ramped: Caller, waiting: dict[str, Any]) -> None:
    rejected = ramped.post(f"/v1/promotions/{waiting['id']}/reject", {"reason": "Not now."}).json
    live = ramped.post(PROMOTIONS, {"segment": "mens"}).json
    assert ramped.get("/v1/promotions").json["items"] == [live, rejected]
    for state, expected in (("ramping", [live]), ("rejected", [rejected]), ("proposed", []), ("kept", [])):
        assert ramped.get(f"/v1/promotions?state={state}").json["items"] == expected
        assert ramped.get(f"/v1/promotions?state={state}&experiment=other").json["items"] == []


def test_a_list_of_promotions_is_walked(ramped: Caller, waiting: dict[str, Any]) -> None:
    rejected = ramped.post(f"/v1/promotions/{waiting['id']}/reject", {"reason": "Not now."}).json
    live = ramped.post(PROMOTIONS, {"segment": "mens"}).json
    first = ramped.get("/v1/promotions?limit=1").json
    second = ramped.get(f"/v1/promotions?limit=1&cursor={first['next_cursor']}").json
    assert [first["items"], second["items"]] == [[live], [rejected]]


def test_a_state_that_is_none_is_refused(running: Caller) -> None:
    answer = running.get("/v1/promotions?state=applied")
    assert (answer.status_code, [error["path"] for error in answer.json["errors"]]) == (422, ["/state"])


def test_the_description_knows_the_machine_of_steps(api: Caller) -> None:
    document = api.get("/openapi.json").json
    paths = document["paths"]
    one = "/v1/promotions/{promotion_id}"
    for act in ("approve", "reject", "revert"):
        operation = paths[f"{one}/{act}"]["post"]
        assert {"200", "401", "403", "404", "409", "422"} <= set(operation["responses"])
        assert operation["responses"]["200"]["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/Promotion"
        }
    asked = {parameter["name"]: parameter for parameter in paths["/v1/promotions"]["get"]["parameters"]}
    assert set(asked) == {"cursor", "limit", "experiment", "state"}
    assert "404" in paths[f"{one}/evidence"]["get"]["responses"]
    schemas = document["components"]["schemas"]
    assert schemas["Step"]["properties"]["state"]["enum"] == [
        "proposed", "approved", "ramping", "held", "kept", "reverted", "expired", "rejected", "superseded",
    ]  # fmt: skip
    assert schemas["Revert"]["required"] == ["reason"]
    assert "required" not in schemas["Approve"]
    policy = schemas["PromotionPolicy"]
    assert policy["additionalProperties"] is False
    assert policy["properties"]["winner"]["enum"] == ["lower_bound", "boundary", "expected_loss"]
    assert set(schemas["QuietHours"]["required"]) == {"start", "end"}
