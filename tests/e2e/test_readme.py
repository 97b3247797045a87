"""The README's tour, run as it is printed: only the port and the place of the database differ."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT, free_port

README = ROOT.joinpath("README.md").read_text(encoding="utf-8")
MARK = "##### "


def commands() -> list[str]:
    """The shell blocks of the tour, one after the other."""
    tour = README.split("## Five minutes with curl")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", tour, flags=re.DOTALL)


def script(port: int) -> str:
    """The blocks with a line between them, waiting once for the service; the environment is there already."""
    wait = "for _ in $(seq 100); do curl -sf http://127.0.0.1:8000/readyz >/dev/null && break; sleep 0.1; done"
    setup, *rest = commands()
    setup = "\n".join(line for line in setup.splitlines() if not line.startswith("make "))
    blocks = [f"{setup}\n{wait}", *rest]
    told = f"\necho\necho '{MARK}'\n".join(blocks)
    bin_folder = Path(sys.executable).parent
    return told.replace("8000", str(port)).replace(".venv/bin/", f"{bin_folder}/")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("curl"), reason="the tour uses curl, which is not on this machine")
def test_the_tour_works_as_printed(tmp_path: Path) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "WINNOW_DATABASE_URL": f"sqlite:///{tmp_path / 'tour.sqlite'}",
        "WINNOW_SECRET_KEY": "a secret that only this test knows",
        "WINNOW_PORT": str(port),
    }
    # Job control (set -m) is what makes `kill %1` of the tour work in a script.
    told = subprocess.run(
        ["bash", "-c", f"set -m\n{script(port)}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    blocks = told.stdout.split(MARK)
    assert len(blocks) == len(commands()), told.stderr
    answers = [json.loads(line) for line in blocks[2].splitlines() if line.startswith("{")]
    assignment = answers[0]["assignments"][0]
    assert (assignment["variant"], assignment["segment"], assignment["counted"]) == ("plain", "newcomers", True)
    assert (answers[1]["accepted"], answers[1]["rejected"]) == (2, 0)
    results = [json.loads(line) for line in blocks[3].splitlines() if line.startswith("{")]
    assert results[0]["report"]["segments"][0]["units"] == 1
    assert "problem" not in told.stdout
