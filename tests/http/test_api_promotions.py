"""Promotions: proposed, applied, taken back."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.conftest import FakeClock
from tests.http.api_client import Caller, refusal
from tests.unit.reports import report, scope, store

PROMOTIONS = "/v1/experiments/banner/promotions"


@pytest.fixture
def decided(running: Caller, clock: FakeClock) -> Caller:
    """Three weeks on, b has won among men; everywhere else nothing is sure."""
    clock.advance(days=21)
    document = report(scope("mens"), scope("everyone", outcome="no_winner_yet"))
    store(running.winnow.open_unit_of_work, "banner", document, at=clock())
    return running


def segment(api: Caller, key: str = "mens") -> dict[str, Any]:
    plans: list[dict[str, Any]] = api.get("/v1/experiments/banner").json["segments"]
    return next(plan for plan in plans if plan["segment"] == key)


def test_every_segment_has_its_proposal(decided: Caller) -> None:
    mens, everyone = decided.get("/v1/experiments/banner/proposals").json["items"]
    assert (mens["segment"], mens["decision"]["action"], mens["decision"]["variant"]) == ("mens", "promote", "b")
    assert mens["allocation_before"]["weights_bp"] == {"a": 5_000, "b": 5_000}
    assert mens["allocation_after"]["weights_bp"] == {"a": 500, "b": 9_500}
    assert mens["allocation_after"]["ranges"][0] == {"start": 0, "end": 500, "variant": "a"}
    assert everyone["decision"] == {
        "action": "hold",
        "variant": None,
        "reasons": [{"code": "no_winner_yet", "message": "no_winner_yet in everyone."}],
    }
    assert everyone["allocation_after"] is None


def test_the_evidence_that_is_shown_is_the_evidence_that_was_hashed(decided: Caller) -> None:
    proposal = decided.get("/v1/experiments/banner/proposals").json["items"][0]
    assert proposal["evidence"]["gain_low"] == 0.1
    text = json.dumps(proposal["evidence"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == proposal["evidence_sha256"]


def test_a_dry_run_tells_and_changes_nothing(decided: Caller) -> None:
    before = decided.get("/v1/experiments/banner").json
    answer = decided.post(PROMOTIONS, {"segment": "mens", "dry_run": True})
    assert answer.status_code == 200
    assert answer.json == {"proposal": decided.get("/v1/experiments/banner/proposals").json["items"][0]}
    assert decided.get("/v1/experiments/banner").json == before
    assert decided.get("/v1/promotions").json["items"] == []


def test_a_winner_goes_live_in_its_segment_alone(decided: Caller) -> None:
    others = segment(decided, "everyone")
    made = decided.post(PROMOTIONS, {"segment": "mens"})
    assert (made.status_code, made.headers["Location"]) == (201, f"/v1/promotions/{made.json['id']}")
    assert {name: made.json[name] for name in ("experiment", "segment", "variant", "state", "applied_by")} == {
        "experiment": "banner",
        "segment": "mens",
        "variant": "b",
        "state": "applied",
        "applied_by": "key:root",
    }
    assert (made.json["version_before"], made.json["version_after"]) == (1, 2)
    assert made.json["applied_at"] == "2026-01-26T09:00:00+00:00"
    assert decided.get(made.headers["Location"]).json == made.json
    assert segment(decided)["weights_bp"] == {"a": 500, "b": 9_500}
    assert segment(decided)["promoted"] == "b"
    assert segment(decided, "everyone") == others
    (entry,) = [one for one in decided.get("/v1/audit").json["items"] if one["action"] == "promotion.apply"]
    assert entry["evidence_sha256"] == made.json["evidence_sha256"]


def test_taken_back_the_buckets_are_as_before(decided: Caller, clock: FakeClock) -> None:
    before = segment(decided)
    made = decided.post(PROMOTIONS, {"segment": "mens"}).json
    clock.advance(hours=1)
    back = decided.post(f"/v1/promotions/{made['id']}/revert", {"reason": "Wrong season."})
    assert back.status_code == 200
    assert {name: back.json[name] for name in ("state", "reverted_by", "reverted_at", "revert_reason")} == {
        "state": "reverted",
        "reverted_by": "key:root",
        "reverted_at": "2026-01-26T10:00:00+00:00",
        "revert_reason": "Wrong season.",
    }
    assert segment(decided) == before | {"since_epoch": 3, "declined": made["variant"]}
    again = decided.post(f"/v1/promotions/{made['id']}/revert", {"reason": "Twice."})
    assert refusal(again) == (409, "already_reverted", None)


@pytest.mark.parametrize(
    ("key", "code"), [("everyone", "no_winner_yet"), ("mens", "already_promoted")], ids=["not sure", "done already"]
)
def test_a_policy_that_says_no_says_why(decided: Caller, key: str, code: str) -> None:
    decided.post(PROMOTIONS, {"segment": "mens"})
    assert refusal(decided.post(PROMOTIONS, {"segment": key})) == (409, code, None)


def test_old_evidence_promotes_nothing(decided: Caller, clock: FakeClock) -> None:
    clock.advance(days=2)
    assert refusal(decided.post(PROMOTIONS, {"segment": "mens"})) == (409, "stale", None)


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_unknown_segment_is_refused(decided: Caller, dry_run: bool) -> None:
    answer = decided.post(PROMOTIONS, {"segment": "none", "dry_run": dry_run})
    assert refusal(answer) == (422, "segment_unknown", "/segment")


def test_without_a_snapshot_there_is_nothing_to_propose(running: Caller) -> None:
    assert refusal(running.get("/v1/experiments/banner/proposals")) == (404, "snapshot_not_found", None)
    assert refusal(running.post(PROMOTIONS, {"segment": "mens"})) == (404, "snapshot_not_found", None)


def test_promotions_are_listed_by_experiment(decided: Caller) -> None:
    made = decided.post(PROMOTIONS, {"segment": "mens"}).json
    assert decided.get("/v1/promotions").json == {"items": [made], "next_cursor": None}
    assert decided.get("/v1/promotions?experiment=banner").json["items"] == [made]
    assert decided.get("/v1/promotions?experiment=other").json["items"] == []
