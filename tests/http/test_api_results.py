"""Results: stored reports."""

from __future__ import annotations

import pytest

from experiments.services.analysing.ports import Snapshot
from tests.conftest import FakeClock
from tests.http.api_client import Caller, refusal
from tests.unit.reports import report, scope, store


@pytest.fixture
def snapshots(running: Caller, clock: FakeClock) -> list[Snapshot]:
    made = []
    for outcome in ("too_early", "winner", "winner"):
        document = report(scope("mens", outcome=outcome), scope("everyone"))
        made.append(store(running.winnow.open_unit_of_work, "banner", document, at=clock.advance(hours=1)))
    return made


def test_before_the_first_analysis_there_are_no_results(running: Caller) -> None:
    assert refusal(running.get("/v1/experiments/banner/results")) == (404, "snapshot_not_found", None)


def test_the_latest_report_with_what_it_saw(running: Caller, snapshots: list[Snapshot]) -> None:
    answer = running.get("/v1/experiments/banner/results")
    last = snapshots[-1]
    assert answer.json == {
        "snapshot": {
            "id": last.id,
            "experiment": "banner",
            "version": 1,
            "watermark": {"exposure_id": 0, "event_id": 0, "identity_revision": 0, "at": "2026-01-05T12:00:00+00:00"},
            "computed_at": "2026-01-05T12:00:00+00:00",
            "engine_version": "test",
            "input_sha256": "0" * 64,
            "report_sha256": last.report_sha256,
        },
        "report": last.report,
        "identities": None,
        "channels": [],
    }
    assert list(answer.json["report"]) == list(last.report)
    assert answer.headers["Cache-Control"] == "no-cache"


def test_an_older_report_can_be_read_again(running: Caller, snapshots: list[Snapshot]) -> None:
    first = running.get(f"/v1/experiments/banner/results/{snapshots[0].id}").json
    assert first["snapshot"]["id"] == snapshots[0].id
    assert first["report"]["segments"][0]["verdict"]["outcome"] == "too_early"


def test_a_snapshot_of_another_experiment_is_not_found(running: Caller, snapshots: list[Snapshot]) -> None:
    answer = running.get(f"/v1/experiments/other/results/{snapshots[0].id}")
    assert refusal(answer) == (404, "snapshot_not_found", None)


def test_who_holds_the_report_is_not_sent_it_again(running: Caller, snapshots: list[Snapshot]) -> None:
    path = "/v1/experiments/banner/results"
    etag = running.get(path).headers["ETag"]
    assert snapshots[-1].report_sha256 in etag
    for held in (etag, f"W/{etag}", f'"other", {etag}'):
        answer = running.get(path, If_None_Match=held)
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag)
        assert answer.headers["Cache-Control"] == "no-cache"
    assert running.get(path, If_None_Match='"other"').status_code == 200


def test_the_same_findings_later_are_another_answer(running: Caller, snapshots: list[Snapshot]) -> None:
    assert snapshots[1].report_sha256 == snapshots[2].report_sha256
    tags = [running.get(f"/v1/experiments/banner/results/{one.id}").headers["ETag"] for one in snapshots[1:]]
    assert tags[0] != tags[1]


def test_snapshots_are_listed_newest_first_without_their_reports(running: Caller, snapshots: list[Snapshot]) -> None:
    first = running.get("/v1/experiments/banner/snapshots?limit=2").json
    second = running.get(f"/v1/experiments/banner/snapshots?limit=2&cursor={first['next_cursor']}").json
    listed = first["items"] + second["items"]
    assert [item["id"] for item in listed] == [one.id for one in reversed(snapshots)]
    assert second["next_cursor"] is None
    assert set(listed[0]) == {
        "id", "experiment", "version", "watermark", "computed_at", "engine_version", "input_sha256", "report_sha256",
    }  # fmt: skip
