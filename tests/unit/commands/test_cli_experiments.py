"""`winnow experiments`: the same answers and the same steps as over HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.http.api_client import BANNER, MENS, VISIT, Caller
from tests.unit.commands.test_cli import Winnow

FULL: dict[str, Any] = {
    **BANNER,
    "key": "full",
    "name": "All of it [bold]",
    "hypothesis": "People look.",
    "owner": "Ada",
    "tags": ["shop", "mail"],
    "variants": [
        {"key": "a", "name": "A", "content": None, "is_control": True},
        {"key": "b", "name": "B", "content": {"text": "é" * 100, "sizes": [1, 2.5, None, True]}},
    ],
    "segments": [{"segment": "mens", "weights": {"a": 1, "b": 3}, "traffic_bp": 5_000}],
    "metrics": [{"metric": "visit", "role": "primary"}, {"metric": "paid", "role": "guardrail", "margin_lift": 0.02}],
    "layer": {"layer": "front", "share_bp": 2_500},
    "forced": {"tester": "b"},
    "adaptive": {"floor_bp": 500},
    "analysis": {"lift_prior": {"mean": 0.0, "std_dev": 0.1}},
    "promotion": {"quiet_hours": {"start": "22:00", "end": "07:00", "timezone": "Europe/Berlin"}},
}


@pytest.fixture
def winnow(sqlite_url: str, tmp_path: Path) -> Winnow:
    return Winnow(sqlite_url, tmp_path)


@pytest.fixture
def filled(api: Caller) -> Caller:
    """A draft with everything in it, and another one."""
    paid = {"key": "paid", "name": "Paid", "kind": "mean", "event_name": "paid", "cap": 100.0}
    layer = {"key": "front", "name": "Front"}
    for path, body in (("segments", MENS), ("metrics", VISIT), ("metrics", paid), ("layers", layer)):
        assert api.post(f"/v1/{path}", body).status_code == 201
    for body in (FULL, BANNER):
        assert api.post("/v1/experiments", body).status_code == 201
    return api


def test_json_is_what_the_api_answers(filled: Caller, winnow: Winnow) -> None:
    filled.post("/v1/experiments/full/start")
    listed = json.loads(winnow("experiments", "list", "--json").stdout)
    assert listed == filled.get("/v1/experiments").json["items"]
    assert [one["key"] for one in listed] == ["banner", "full"]
    assert json.loads(winnow("experiments", "show", "full", "--json").stdout) == listed[1]


def test_a_list_of_one_status(filled: Caller, winnow: Winnow) -> None:
    filled.post("/v1/experiments/full/start")
    told = winnow("experiments", "list", "--status", "running").stdout
    assert "full" in told
    assert "All of it [bold]" in told
    assert "2026-01-05 09:00" in told
    assert "banner" not in told
    assert winnow("experiments", "list", "--status", "ready").exit_code == 2


def test_one_is_shown_for_people(filled: Caller, winnow: Winnow) -> None:
    lines = winnow("experiments", "show", "full").stdout.splitlines()
    assert lines[:3] == [
        "All of it [bold] (full): draft, version 1, epoch 1",
        "Hypothesis: People look.",
        "owner Ada; tags shop mail; layer front (25%)",
    ]
    cells = [" ".join(line.split()) for line in lines]
    assert "a (control) A null" in cells
    assert "mens mens is 1 a 25%, b 75% 50% –" in cells
    assert "everyone Everybody: there is no condition. a 50%, b 50% 100% –" in cells
    assert "visit Visits primary conversion visit" in cells
    content = next(line for line in cells if line.startswith("b B "))
    assert content.endswith("…")


def test_the_steps_of_a_life(filled: Caller, winnow: Winnow) -> None:
    told = [winnow("experiments", step, "banner").stdout for step in ("start", "pause", "start", "stop", "archive")]
    assert told == [
        "banner is running (version 1).\n",
        "banner is paused (version 2).\n",
        "banner is running (version 3).\n",
        "banner is stopped (version 3).\n",
        "banner is archived (version 3).\n",
    ]
    assert filled.get("/v1/experiments/banner").json["status"] == "archived"


def test_a_step_that_is_not_allowed_and_an_experiment_that_there_is_not(filled: Caller, winnow: Winnow) -> None:
    refused = winnow("experiments", "pause", "banner")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "winnow: illegal_transition: Experiment 'banner' is draft: it cannot pause.\n"
    missing = winnow("experiments", "show", "baner")
    assert missing.stderr == ("winnow: experiment_not_found: There is no experiment 'baner'. Did you mean 'banner'?\n")
