"""`make bench-analysis QUICK=1`: sides that do the same work come to the same numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    path = tmp_path_factory.mktemp("benchmark") / "figures.json"
    command = [sys.executable, "-m", "benchmarks.analysis", "--quick", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    return done, json.loads(path.read_text()) if path.exists() else {}


pytestmark = pytest.mark.slow


def test_our_numbers_are_the_bare_sums(quick_run: tuple[subprocess.CompletedProcess[str], dict[str, Any]]) -> None:
    """Units, total and standard deviation of 2 arms on 5 metrics in 7 scopes: 210 numbers, from raw events."""
    done, figures = quick_run
    assert done.returncode == 0, done.stdout + done.stderr
    assert "AGREE events:winnow~bare_sums 210 ok" in done.stdout.splitlines()
    assert all(agreement["ok"] for agreement in figures["agreements"])


def test_every_promise_has_a_line(quick_run: tuple[subprocess.CompletedProcess[str], dict[str, Any]]) -> None:
    done, figures = quick_run
    printed = [line.split()[1:5] for line in done.stdout.splitlines() if line.startswith("BOUND ")]
    assert [(name, operator, float(bound)) for name, _, operator, bound in printed] == [
        ("statistics-speedup", ">=", 40),
        ("units-over-sums", "<=", 2),
        ("events-over-sums", "<=", 1.5),
        ("full-result-speedup", ">=", 5),
        ("segments-doubled", "<=", 2.5),
        ("metrics-doubled", "<=", 2.5),
        ("comparisons-doubled", "<=", 2.5),
    ]
    assert [bound["name"] for bound in figures["bounds"]] == [name for name, *_ in printed]


def test_memory_is_measured_beside_the_time(
    quick_run: tuple[subprocess.CompletedProcess[str], dict[str, Any]],
) -> None:
    _, figures = quick_run
    ours = figures["cases"][0]["sides"][0]
    assert ours["name"] == "winnow"
    assert 30 < ours["peak_mib"] < 1_000
    assert 0 < ours["median_seconds"] < 10
