"""`make bench-segments QUICK=1`: sides that do the same work come to the same numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def test_our_customers_are_those_of_the_bare_group_by(tmp_path: Path) -> None:
    """Customers, purchases, who bought once, money and last purchases."""
    path = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks.segments", "--quick", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "AGREE rfm:winnow~bare_group-by 5 ok" in done.stdout.splitlines()
    figures = json.loads(path.read_text())
    assert [bound["name"] for bound in figures["bounds"]] == ["rfm-over-group-by"]
    assert [side["name"] for side in figures["cases"][0]["sides"]][:2] == ["winnow", "bare group-by"]
