"""`make bench-online QUICK=1`: every side answers what it should, and everything acknowledged arrives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.online.bare_app import bare_app
from benchmarks.online.wrk import post_script

ROOT = Path(__file__).parents[2]
BOUNDS = [
    ("one-decision", "<=", 0.5),
    ("all-experiments-over-hashes", "<=", 5),
    ("bulk-over-hash", "<=", 3),
    ("http-assignment-over-bare", ">=", 0.8),
    ("http-assignment-over-unleash", ">=", 15),
    ("http-exposure-over-bare", ">=", 0.55),
    ("http-p99-over-p50", "<=", 5),
    ("ingest-postgres-over-copy", ">=", 0.6),
    ("ingest-postgres-over-single", ">=", 25),
    ("ingest-postgres-at-2000-over-copy", ">=", 0.6),
    ("ingest-postgres-at-2000-over-single", ">=", 25),
    ("ingest-postgres-random-at-2000-over-copy", ">=", 0.6),
    ("ingest-sqlite-at-2000-over-executemany", ">=", 0.5),
]

Quick = tuple[subprocess.CompletedProcess[str], dict[str, Any]]


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Quick:
    path = tmp_path_factory.mktemp("benchmark") / "figures.json"
    command = [sys.executable, "-m", "benchmarks.online", "--quick", "--json", str(path)]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join((".", "clients/python"))}
    done = subprocess.run(command, cwd=ROOT, env=paths, capture_output=True, text=True, check=False, timeout=280)
    return done, json.loads(path.read_text()) if path.exists() else {}


@pytest.mark.slow
def test_sides_agree_and_every_promise_has_a_line(quick_run: Quick) -> None:
    done, figures = quick_run
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(bound["name"], bound["operator"], bound["bound"]) for bound in figures["bounds"]] == BOUNDS
    assert all(agreement["ok"] for agreement in figures["agreements"])
    assert "AGREE bulk:winnow~winnow,_one_by_one 1 ok" in done.stdout.splitlines()


@pytest.mark.slow
def test_ours_is_measured_wherever_there_is_a_load_generator(quick_run: Quick) -> None:
    _, figures = quick_run
    needs_wrk = {"http-assignment", "http-exposure", "http-wait"}
    for case in figures["cases"]:
        ours = case["sides"][0]
        if shutil.which("wrk") is None and case["name"] in needs_wrk:
            assert ours["missing"] == "program wrk"
        else:
            assert ours["missing"] is None
            assert 0 < ours["median_seconds"] < 1


def test_the_bare_function_reads_the_body_and_answers_the_half_that_the_unit_is_in() -> None:
    headers = [["Content-Type", "application/json"], ["X-Request-Id", "7"]]
    app = bare_app({"salt": "banner/variant", "lower": "control", "upper": "treatment", "headers": headers})
    answered, said = [], []

    def ask(unit_id: str) -> bytes:
        body = json.dumps({"unit_id": unit_id, "attributes": {}}).encode()
        environ = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": _Stream(body)}
        (answer,) = app(environ, start)
        return answer

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        answered.append((status, dict(headers)["Content-Length"]))
        said.append(dict(headers)["X-Request-Id"])

    # Their places for the salt `banner` lie on either side of the middle: tests/http/test_api_assignments.py.
    assert [ask("u1"), ask("u2")] == [b"control", b"treatment"]
    assert answered == [("200 OK", "7"), ("200 OK", "9")]
    assert said == ["7", "7"]


class _Stream:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, size: int) -> bytes:
        return self._body[:size]


@pytest.mark.parametrize(("counts", "line"), [(True, "if not true then"), (False, "if not false then")])
def test_the_load_is_a_script_of_the_body(tmp_path: Path, counts: bool, line: str) -> None:
    text = post_script(tmp_path / "load.lua", '{"unit_id":"', '"}', counts=counts).read_text()
    assert 'local before, after, number = "{\\"unit_id\\":\\"", "\\"}", 0' in text
    assert line in text
