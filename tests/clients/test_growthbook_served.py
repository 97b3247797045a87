"""GrowthBook's SDKs against a running server: they show what our API answers, and what they track is accepted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from growthbook import GrowthBook
from growthbook.growthbook import feature_repo

from tests.clients.programs import node
from tests.clients.served import LOCAL, REMOTE, UNITS, Winnow, house, tracked

KNOWN = {True: REMOTE, False: LOCAL}
ASKED = [*REMOTE, "hidden", "no-such"]
Told = list[tuple[dict[str, Any], list[list[str]]]]


@pytest.fixture(scope="module")
def winnow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Winnow]:
    with house(tmp_path_factory.mktemp("served")) as winnow:
        yield winnow


def in_python(winnow: Winnow, *, remote: bool, units: list[dict[str, Any]], forced: dict[str, int]) -> Told:
    told: Told = []
    for unit in units:
        feature_repo.clear_cache()
        seen: list[list[str]] = []
        sdk = GrowthBook(
            api_host=winnow.address,
            client_key=winnow.client_key,
            attributes=dict(unit),  # which the SDK empties when it ends
            remote_eval=remote,
            forced_variations=forced,
            on_experiment_viewed=lambda experiment, result, user_context, seen=seen: seen.append(
                [experiment.key, experiment.phase, experiment.name, result.key, str(result.hashValue)]
            ),
        )
        sdk.load_features()
        told.append(({key: sdk.get_feature_value(key, "unknown") for key in ASKED}, seen))
        sdk.destroy()
    return told


def in_node(winnow: Winnow, *, remote: bool, units: list[dict[str, Any]], forced: dict[str, int]) -> Told:
    asked = {"apiHost": winnow.address, "clientKey": winnow.client_key, "remoteEval": remote, "keys": ASKED}
    told = node("growthbook_served.mjs", {**asked, "units": units, "forcedVariations": forced})
    assert all(one["success"] for one in told)
    return [({key: one["features"][key]["value"] for key in ASKED}, one["tracked"]) for one in told]


SDKS = pytest.mark.parametrize("sdk", [in_python, in_node], ids=["python", "node"])
WAYS = pytest.mark.parametrize("remote", [False, True], ids=["local", "remote"])


@SDKS
@WAYS
def test_an_sdk_shows_and_tracks_what_we_answer(winnow: Winnow, sdk: Callable[..., Told], remote: bool) -> None:
    reasons: Counter[str] = Counter()
    for unit, (shown, seen) in zip(UNITS, sdk(winnow, remote=remote, units=UNITS, forced={}), strict=True):
        answers = {key: winnow.shown(key, unit) for key in KNOWN[remote]}
        assert shown == {key: answers[key]["content"] if key in answers else "unknown" for key in ASKED}, unit
        due = [tracked(answer, unit) for answer in answers.values()]
        assert sorted(seen) == sorted(one for one in due if one is not None), unit
        reasons.update(answer["reason"] for answer in answers.values())
    assert set(reasons) == {"assigned", "holdout", "other_experiment", "not_in_traffic", "paused", "stopped"}


@SDKS
@WAYS
def test_what_an_sdk_tracks_is_an_exposure(winnow: Winnow, sdk: Callable[..., Told], remote: bool) -> None:
    """The server checks each claim against its own buckets; the callback of docs/growthbook.md sends no more."""
    items = [
        {
            "type": "exposure",
            "event_id": f"{sdk.__name__}-{remote}-{number}-{experiment}",
            "unit_id": unit_id,
            "experiment": experiment,
            "version": int(phase),
            "segment": name,
            "variant": variant,
        }
        for number, (_, seen) in enumerate(sdk(winnow, remote=remote, units=UNITS, forced={}))
        for experiment, phase, name, variant, unit_id in seen
    ]
    assert len(items) > 60
    verdicts = winnow.post("/v1/events", {"items": items}, key=winnow.client_key)
    assert (verdicts["accepted"], verdicts["rejected"]) == (len(items), 0)


@SDKS
@WAYS
def test_a_variation_can_be_forced_by_its_index_and_is_not_tracked(
    winnow: Winnow, sdk: Callable[..., Told], remote: bool
) -> None:
    (unit, *_) = [unit for unit in UNITS if winnow.shown("plain", unit)["reason"] == "assigned"]
    for index, name in enumerate(("old", "new", "bold")):
        ((shown, seen),) = sdk(winnow, remote=remote, units=[unit], forced={"plain": index})
        assert shown["plain"] == {"text": f"plain: {name}"}
        assert "plain" not in [experiment for experiment, *_ in seen]


@SDKS
def test_a_tester_sees_the_forced_variant_in_remote_evaluation(winnow: Winnow, sdk: Callable[..., Told]) -> None:
    ((shown, seen),) = sdk(winnow, remote=True, units=[{"id": "tester-of-ours", "country": "DE"}], forced={})
    assert {key: shown[key] for key in REMOTE} == {key: {"text": f"{key}: new"} for key in REMOTE}
    assert seen == []


@SDKS
@WAYS
def test_without_an_id_everybody_sees_the_control(winnow: Winnow, sdk: Callable[..., Told], remote: bool) -> None:
    for unit in ({}, {"id": ""}, {"id": 0}, {"country": "NL", "age": 30}):
        ((shown, seen),) = sdk(winnow, remote=remote, units=[unit], forced={})
        assert {key: shown[key] for key in KNOWN[remote]} == {key: {"text": f"{key}: old"} for key in KNOWN[remote]}
        assert seen == []


def test_nothing_that_browsers_get_names_testers_or_hidden_experiments(winnow: Winnow) -> None:
    local = winnow.http.get(f"{winnow.address}/api/features/{winnow.client_key}").text
    remote = json.dumps(winnow.post(f"/api/eval/{winnow.client_key}", {"attributes": {"id": "customer-1"}}))
    for text in (local, remote):
        assert "plain: new" in local
        assert "tester-of-ours" not in text
        assert "hidden" not in text
        assert "another" not in text
