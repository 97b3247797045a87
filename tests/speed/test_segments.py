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
    """Customers, purchases, who bought once, money and last purchases; and who follows the log counts the same."""
    path = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks.segments", "--quick", "--json", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert {
        "AGREE rfm:winnow~bare_group-by 5 ok",
        "AGREE membership:winnow~bare_ingestion 3 ok",
        "AGREE import:winnow~bare_COPY 6 ok",
        "AGREE import:winnow~COPY_of_the_file 6 ok",
        "AGREE profile:with_a_profile~without 1 ok",
    } <= set(said)
    figures = json.loads(path.read_text())
    assert [bound["name"] for bound in figures["bounds"]] == [
        "rfm-over-group-by",
        "membership-over-ingestion",
        "import-over-copy",
        "profile-over-none",
    ]
    assert [side["name"] for side in figures["cases"][0]["sides"]][:2] == ["winnow", "bare group-by"]
