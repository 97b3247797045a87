"""Experiments: writing, reading, editing, and the steps of their life."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import FakeClock
from tests.http.api_client import BANNER, Caller, codes, refusal

FULL: dict[str, Any] = {
    "bucketing": 2,
    "key": "full",
    "name": "Everything said",
    "hypothesis": "A shorter text is read more.",
    "owner": "content",
    "tags": ["home", "spring"],
    "unit_type": "account",
    "salt": "salted",
    "variants": [
        {"key": "a", "name": "A", "content": None, "is_control": True},
        {"key": "b", "name": "B", "content": {"z": [1, 2.5, "ü"], "a": None}, "is_control": False},
    ],
    "segments": [
        {"segment": "mens", "weights": {"a": 1, "b": 3}, "traffic_bp": 5_000},
        {"segment": "everyone", "weights": {"a": 2, "b": 1}, "traffic_bp": 10_000},
    ],
    "metrics": [
        {"metric": "visit", "role": "primary", "margin_lift": None},
        {"metric": "returns", "role": "guardrail", "margin_lift": 0.05},
    ],
    "layer": {"layer": "home", "share_bp": 4_000},
    "analysis": {
        "alpha": 0.1,
        "stopping_rule": "group_sequential",
        "family": "benjamini_yekutieli",
        "minimum_duration_seconds": 60,
        "minimum_units": 50,
        "minimum_conversions": 5,
        "tuned_for_units": 1_000,
        "planned_units": 40_000,
        "spending": "pocock",
        "minimum_lift": 0.02,
        "novelty_days": 7,
        "post_stratified": True,
        "lift_prior": {"mean": 0.01, "std_dev": 0.04},
    },
    "promotion": {
        # Another system splits the units here: no policy may be automatic then.
        "automatic": False,
        "winner": "boundary",
        "scope": "one_for_all",
        "minimum_lift": 0.01,
        "loss_tolerance": None,
        "guardrails": "not_harmed",
        "minimum_weeks": 2,
        "minimum_units": 400,
        "maximum_weeks": 8,
        "ramp_bp": [1_000, 2_500],
        "soak_seconds": 7_200,
        "holdback_bp": 1_000,
        "exploration_bp": 600,
        "hold_seconds": 604_800,
        "revert_below_lift": -0.01,
        "quiet_hours": {"start": "22:00", "end": "07:30", "timezone": "Europe/Berlin"},
        "expires_after_seconds": 86_400,
        "maximum_age_seconds": 3_600,
    },
    "exposure_policy": "on_assignment",
    "randomisation": "external",
    "forced": {"tester/1": "b"},
    "adaptive": None,
}


@pytest.fixture
def full(library: Caller) -> Caller:
    assert library.post("/v1/metrics", {**_METRIC, "key": "returns"}).status_code == 201
    assert library.post("/v1/layers", {"key": "home", "name": "Home"}).status_code == 201
    return library


_METRIC = {"key": "spend", "name": "Spend", "kind": "mean", "event_name": "purchase"}


def test_everything_that_is_written_is_read_back(full: Caller) -> None:
    made = full.post("/v1/experiments", FULL)
    assert (made.status_code, made.headers["Location"], made.headers["ETag"]) == (201, "/v1/experiments/full", '"1"')
    read = full.get(made.headers["Location"])
    assert read.json == made.json
    assert read.json["definition"] == FULL
    assert {name: value for name, value in read.json.items() if name not in ("definition", "segments")} == {
        "key": "full",
        "status": "draft",
        "version": 1,
        "epoch": 1,
        "revision": 1,
        "created_at": "2026-01-05T09:00:00+00:00",
        "updated_at": "2026-01-05T09:00:00+00:00",
        "started_at": None,
        "stopped_at": None,
    }
    assert read.json["segments"][0] == {
        "segment": "mens",
        "name": "Men's",
        "condition": {"mens": 1},
        "weights": {"a": 1, "b": 3},
        "weights_bp": {"a": 2_500, "b": 7_500},
        "ranges": [{"start": 0, "end": 2_500, "variant": "a"}, {"start": 2_500, "end": 10_000, "variant": "b"}],
        "traffic_bp": 5_000,
        "since_epoch": 1,
        "promoted": None,
        "promotion": None,
        "declined": None,
    }


def test_what_is_left_out_takes_its_default(library: Caller) -> None:
    definition = library.post("/v1/experiments", BANNER).json["definition"]
    assert definition["segments"][1] == {"segment": "everyone", "weights": {"a": 1, "b": 1}, "traffic_bp": 10_000}
    assert (definition["salt"], definition["layer"], definition["forced"]) == ("banner", None, {})
    assert definition["analysis"] == {
        "alpha": 0.05,
        "stopping_rule": "always_valid",
        "family": "holm",
        "minimum_duration_seconds": 14 * 86_400,
        "minimum_units": 100,
        "minimum_conversions": 10,
        "tuned_for_units": 5_000,
        "planned_units": None,
        "spending": "obrien_fleming",
        "minimum_lift": None,
        "novelty_days": 14,
        "post_stratified": False,
        "lift_prior": None,
    }
    assert definition["promotion"] == {
        "automatic": False,
        "winner": "lower_bound",
        "scope": "per_segment",
        "minimum_lift": 0,
        "loss_tolerance": None,
        "guardrails": "proven_safe",
        "minimum_weeks": 0,
        "minimum_units": 0,
        "maximum_weeks": None,
        "ramp_bp": [],
        "soak_seconds": 86_400,
        "holdback_bp": 500,
        "exploration_bp": 0,
        "hold_seconds": 28 * 86_400,
        "revert_below_lift": 0,
        "quiet_hours": None,
        "expires_after_seconds": 7 * 86_400,
        "maximum_age_seconds": 86_400,
    }


@pytest.mark.parametrize(
    ("analysis", "code", "path"),
    [
        ({"stopping_rule": "group_sequential"}, "planned_units_missing", "/planned_units"),
        ({"stopping_rule": "group_sequential", "planned_units": 99}, "planned_units_missing", "/planned_units"),
        ({"planned_units": 5_000}, "planned_units_unwanted", "/planned_units"),
        ({"family": "dunnett"}, "family_unfit", "/family"),
        ({"family": "e_benjamini_hochberg", "stopping_rule": "fixed_horizon"}, "family_unfit", "/family"),
        ({"minimum_lift": 0}, "minimum_lift_invalid", "/minimum_lift"),
        ({"novelty_days": 91}, "novelty_days_invalid", "/novelty_days"),
        ({"lift_prior": {"mean": 0, "std_dev": 0}}, "prior_invalid", "/lift_prior/std_dev"),
        ({"lift_prior": {"mean": -1, "std_dev": 0.1}}, "prior_invalid", "/lift_prior/mean"),
    ],
)
def test_rules_that_do_not_fit_are_refused_where_they_stand(
    library: Caller, analysis: dict[str, Any], code: str, path: str
) -> None:
    answer = library.post("/v1/experiments", {**BANNER, "analysis": analysis})
    assert refusal(answer) == (422, code, f"/analysis{path}")


ADAPTIVE = {"batch_seconds": 7_200, "floor_bp": 1_000, "draws": 2_000, "seed": "spring", "warm_up_units": 50}


def test_an_adaptive_policy_is_read_back(library: Caller) -> None:
    made = library.post("/v1/experiments", {**BANNER, "adaptive": ADAPTIVE})
    assert (made.status_code, made.json["definition"]["adaptive"]) == (201, ADAPTIVE)
    by_default = library.post("/v1/experiments", {**BANNER, "key": "other", "adaptive": {}})
    assert by_default.json["definition"]["adaptive"] == {
        "batch_seconds": 86_400,
        "floor_bp": 500,
        "draws": 10_000,
        "seed": "1",
        "warm_up_units": 100,
    }


@pytest.mark.parametrize(
    ("asked", "code", "path"),
    [
        ({"adaptive": {"floor_bp": 0}}, "adaptive_floor", "/adaptive/floor_bp"),
        ({"adaptive": {}, "randomisation": "external"}, "adaptive_external", "/randomisation"),
        (
            {"adaptive": {}, "analysis": {"post_stratified": True}},
            "adaptive_post_stratified",
            "/analysis/post_stratified",
        ),
    ],
)
def test_what_cannot_be_adapted_is_refused(library: Caller, asked: dict[str, Any], code: str, path: str) -> None:
    assert refusal(library.post("/v1/experiments", {**BANNER, **asked})) == (422, code, path)


_NIGHT = {"start": "22:00", "end": "07:00"}


@pytest.mark.parametrize(
    ("promotion", "code", "path"),
    [
        ({"minimum_lift": -0.01}, "minimum_lift_invalid", "/minimum_lift"),
        ({"minimum_lift": 10.5}, "minimum_lift_invalid", "/minimum_lift"),
        ({"minimum_lift": 0.02, "revert_below_lift": 0.03}, "revert_below_lift_invalid", "/revert_below_lift"),
        ({"revert_below_lift": -1}, "revert_below_lift_invalid", "/revert_below_lift"),
        ({"loss_tolerance": 0.01}, "loss_tolerance_misplaced", "/loss_tolerance"),
        ({"winner": "expected_loss"}, "loss_tolerance_misplaced", "/loss_tolerance"),
        ({"winner": "expected_loss", "loss_tolerance": 0}, "loss_tolerance_invalid", "/loss_tolerance"),
        ({"winner": "expected_loss", "loss_tolerance": 1.5}, "loss_tolerance_invalid", "/loss_tolerance"),
        ({"holdback_bp": 0}, "holdback_invalid", "/holdback_bp"),
        ({"holdback_bp": 10_000}, "holdback_invalid", "/holdback_bp"),
        ({"exploration_bp": 2_001}, "exploration_invalid", "/exploration_bp"),
        ({"exploration_bp": 1}, "exploration_too_small", "/exploration_bp"),
        ({"exploration_bp": 500, "ramp_bp": [9_000]}, "ramp_invalid", "/ramp_bp"),
        ({"ramp_bp": [1_000, 1_000]}, "ramp_invalid", "/ramp_bp"),
        ({"ramp_bp": [0]}, "ramp_invalid", "/ramp_bp"),
        ({"ramp_bp": [9_500]}, "ramp_invalid", "/ramp_bp"),
        ({"ramp_bp": list(range(100, 1_200, 100))}, "ramp_invalid", "/ramp_bp"),
        ({"minimum_weeks": -1}, "minimum_invalid", "/minimum_weeks"),
        ({"minimum_units": -1}, "minimum_invalid", "/minimum_units"),
        ({"minimum_weeks": 3, "maximum_weeks": 3}, "maximum_invalid", "/maximum_weeks"),
        ({"minimum_weeks": 5_201}, "weeks_invalid", "/minimum_weeks"),
        ({"maximum_weeks": 5_201}, "weeks_invalid", "/maximum_weeks"),
        ({"soak_seconds": -1}, "duration_invalid", "/soak_seconds"),
        ({"hold_seconds": -1}, "duration_invalid", "/hold_seconds"),
        ({"expires_after_seconds": 0}, "duration_invalid", "/expires_after_seconds"),
        ({"maximum_age_seconds": 0}, "age_invalid", "/maximum_age_seconds"),
        ({"quiet_hours": {"start": "22:00", "end": "22:00"}}, "quiet_hours_invalid", "/quiet_hours"),
        ({"quiet_hours": {**_NIGHT, "timezone": "Europe/Atlantis"}}, "timezone_unknown", "/quiet_hours/timezone"),
        ({"quiet_hours": {**_NIGHT, "timezone": "../etc"}}, "timezone_unknown", "/quiet_hours/timezone"),
    ],
)
def test_a_policy_that_does_not_hold_is_refused_where_it_stands(
    library: Caller, promotion: dict[str, Any], code: str, path: str
) -> None:
    answer = library.post("/v1/experiments", {**BANNER, "promotion": promotion})
    assert refusal(answer) == (422, code, f"/promotion{path}")


@pytest.mark.parametrize(
    ("promotion", "code", "path"),
    [
        ({"winner": "highest"}, "unknown", "/winner"),
        ({"scope": "all"}, "unknown", "/scope"),
        ({"guardrails": "none"}, "unknown", "/guardrails"),
        ({"automatic": "yes"}, "invalid", "/automatic"),
        ({"minimum_lift": "0.1"}, "invalid", "/minimum_lift"),
        ({"ramp_bp": [1_000, 20.5]}, "invalid", "/ramp_bp/1"),
        ({"ramp_bp": 1_000}, "invalid", "/ramp_bp"),
        ({"minimum_units": 2**31}, "out_of_range", "/minimum_units"),
        ({"hold_seconds": 10**12}, "out_of_range", "/hold_seconds"),
        ({"hold_weeks": 4}, "unknown_field", "/hold_weeks"),
        ({"quiet_hours": {"start": "22:00"}}, "required", "/quiet_hours/end"),
        ({"quiet_hours": {**_NIGHT, "start": "22 o'clock"}}, "invalid", "/quiet_hours/start"),
        ({"quiet_hours": {**_NIGHT, "start": 22}}, "invalid", "/quiet_hours/start"),
        ({"quiet_hours": {**_NIGHT, "end": "07:00:30"}}, "invalid", "/quiet_hours/end"),
        ({"quiet_hours": {**_NIGHT, "end": "07:00+02:00"}}, "invalid", "/quiet_hours/end"),
        ({"quiet_hours": {**_NIGHT, "days": [6]}}, "unknown_field", "/quiet_hours/days"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused_where_it_stands(
    library: Caller, promotion: dict[str, Any], code: str, path: str
) -> None:
    answer = library.post("/v1/experiments", {**BANNER, "promotion": promotion})
    assert answer.status_code == 422
    assert codes(answer) == [(f"/promotion{path}", code)]


def test_the_policy_of_a_running_experiment_may_change(running: Caller) -> None:
    before = running.get("/v1/experiments/banner")
    body = before.json["definition"]
    body["promotion"] |= {"ramp_bp": [1_000], "quiet_hours": {**_NIGHT, "timezone": "UTC"}}
    after = running.put("/v1/experiments/banner", body, If_Match=before.headers["ETag"]).json
    assert after["definition"]["promotion"] == body["promotion"]
    assert (after["version"], after["epoch"]) == (2, 1)


@pytest.mark.parametrize("start", [False, True], ids=["draft", "running"])
def test_what_is_read_can_be_sent_back_and_changes_nothing(full: Caller, start: bool) -> None:
    full.post("/v1/experiments", FULL)
    if start:
        full.post("/v1/experiments/full/start")
    before = full.get("/v1/experiments/full")
    after = full.put("/v1/experiments/full", before.json["definition"], If_Match=before.headers["ETag"])
    assert after.status_code == 200
    assert (after.json["definition"], after.json["segments"]) == (before.json["definition"], before.json["segments"])
    assert after.json["epoch"] == before.json["epoch"]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, (428, "revision_required", None)),
        ("*", (428, "revision_required", None)),
        ("", (428, "revision_required", None)),
        ('"2"', (412, "revision_mismatch", None)),
        ("1", (412, "revision_mismatch", None)),
        ('W/"1"', (412, "revision_mismatch", None)),
        ('"1", "2"', (412, "revision_mismatch", None)),
        ('"' + "1" * 5_000 + '"', (412, "revision_mismatch", None)),
    ],
)
def test_an_edit_names_the_revision_it_starts_from(
    library: Caller, sent: str | None, expected: tuple[int, str, None]
) -> None:
    library.post("/v1/experiments", BANNER)
    headers = {} if sent is None else {"If_Match": sent}
    assert refusal(library.put("/v1/experiments/banner", {**BANNER, "name": "New"}, **headers)) == expected
    assert library.get("/v1/experiments/banner").json["definition"]["name"] == "Banner"


def test_of_two_editors_of_one_revision_the_second_is_refused(library: Caller) -> None:
    etag = library.post("/v1/experiments", BANNER).headers["ETag"]
    first = library.put("/v1/experiments/banner", {**BANNER, "name": "First"}, If_Match=etag)
    second = library.put("/v1/experiments/banner", {**BANNER, "name": "Second"}, If_Match=etag)
    assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
    assert refusal(second) == (412, "revision_mismatch", None)
    assert library.get("/v1/experiments/banner").json["definition"]["name"] == "First"


def test_a_running_experiment_gets_a_version_and_an_epoch_for_a_new_split(running: Caller) -> None:
    before = running.get("/v1/experiments/banner")
    body = before.json["definition"]
    body["segments"][0]["weights"] = {"a": 1, "b": 3}
    after = running.put("/v1/experiments/banner", body, If_Match=before.headers["ETag"]).json
    assert (after["version"], after["epoch"]) == (2, 2)
    assert [segment["since_epoch"] for segment in after["segments"]] == [2, 1]
    assert after["segments"][0]["weights_bp"] == {"a": 2_500, "b": 7_500}
    versions = running.get("/v1/experiments/banner/versions").json["items"]
    assert [(one["version"], one["epoch"], one["created_by"]) for one in versions] == [
        (1, 1, "key:root"),
        (2, 2, "key:root"),
    ]
    assert versions[0]["definition"]["segments"][0]["weights"] == {"a": 1, "b": 1}


def test_what_results_rest_on_is_frozen_once_started(running: Caller) -> None:
    before = running.get("/v1/experiments/banner")
    body = before.json["definition"]
    body["analysis"]["alpha"] = 0.2
    answer = running.put("/v1/experiments/banner", body, If_Match=before.headers["ETag"])
    assert refusal(answer) == (409, "field_frozen", "/analysis")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"key": "other"}, (409, "field_frozen", "/key")),
        ({"segments": [{"segment": "none"}]}, (422, "segment_unknown", "/segments/0/segment")),
        ({"metrics": [{"metric": "none", "role": "primary"}]}, (422, "metric_unknown", "/metrics/0/metric")),
        ({"layer": {"layer": "none", "share_bp": 1}}, (422, "layer_unknown", "/layer/layer")),
        ({"variants": BANNER["variants"][:1]}, (422, "variants_count", "/variants")),
        ({"segments": [{"segment": "mens", "weights": {"a": 0}}]}, (422, "weights_all_zero", "/segments/0/weights")),
        ({"segments": [{"segment": "mens", "weights": {"c": 1}}]}, (422, "variant_unknown", "/segments/0/weights/c")),
        ({"segments": [{"segment": "mens", "weights": {"a": -1}}]}, (422, "weight_invalid", "/segments/0/weights/a")),
    ],
)
def test_a_definition_that_does_not_hold_is_refused_at_its_place(
    library: Caller, change: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    library.post("/v1/experiments", BANNER)
    answer = library.put("/v1/experiments/banner", {**BANNER, **change}, If_Match='"1"')
    assert refusal(answer) == expected


def test_a_key_is_taken_once(library: Caller) -> None:
    library.post("/v1/experiments", BANNER)
    assert refusal(library.post("/v1/experiments", BANNER)) == (409, "experiment_exists", None)


def test_the_steps_of_a_life(library: Caller, clock: FakeClock) -> None:
    library.post("/v1/experiments", BANNER)
    seen = []
    for step in ("start", "pause", "start", "stop", "archive"):
        clock.advance(hours=1)
        answer = library.post(f"/v1/experiments/banner/{step}")
        assert answer.headers["ETag"] == f'"{answer.json["revision"]}"'
        seen.append((answer.status_code, answer.json["status"], answer.json["revision"]))
    assert seen == [
        (200, "running", 2),
        (200, "paused", 3),
        (200, "running", 4),
        (200, "stopped", 5),
        (200, "archived", 6),
    ]
    end = library.get("/v1/experiments/banner").json
    assert (end["started_at"], end["stopped_at"]) == ("2026-01-05T10:00:00+00:00", "2026-01-05T13:00:00+00:00")
    assert refusal(library.post("/v1/experiments/banner/start")) == (409, "illegal_transition", None)


def test_a_step_may_name_its_revision(library: Caller) -> None:
    library.post("/v1/experiments", BANNER)
    stale = library.post("/v1/experiments/banner/start", If_Match='"7"')
    assert refusal(stale) == (412, "revision_mismatch", None)
    assert library.post("/v1/experiments/banner/start", If_Match='"1"').json["status"] == "running"


def test_a_full_layer_lets_nobody_else_start(full: Caller) -> None:
    for key in ("one", "two", "three"):
        full.post("/v1/experiments", {**FULL, "key": key})
    assert full.post("/v1/experiments/one/start").status_code == 200
    assert full.post("/v1/experiments/two/start").status_code == 200
    assert refusal(full.post("/v1/experiments/three/start")) == (409, "layer_full", None)
    layer = full.get("/v1/layers/home").json
    assert layer["slots"] == [
        {"start": 0, "end": 4_000, "experiment": "one"},
        {"start": 4_000, "end": 8_000, "experiment": "two"},
    ]


def test_a_list_can_be_narrowed_to_a_status(running: Caller) -> None:
    running.post("/v1/experiments", {**BANNER, "key": "draft"})
    for status, keys in (("running", ["banner"]), ("draft", ["draft"]), ("stopped", [])):
        assert [item["key"] for item in running.get(f"/v1/experiments?status={status}").json["items"]] == keys
