"""The README's tour, run as it is printed: only the port and the places of database and log differ."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import ROOT, free_port

README = ROOT.joinpath("README.md").read_text(encoding="utf-8")
MARK = "##### "


def commands() -> list[str]:
    """The shell blocks of the tour, one after the other."""
    tour = README.split("## Five minutes with curl")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", tour, flags=re.DOTALL)


def script(port: int) -> str:
    """The blocks with a line between them; the environment is there already."""
    blocks = f"\necho\necho '{MARK}'\n".join(commands())
    told = "\n".join(line for line in blocks.splitlines() if not line.startswith("make "))
    places = {"8000": str(port), ".venv/bin/": f"{Path(sys.executable).parent}/", "var/serve.log": "$LOG"}
    for printed, here in places.items():
        told = told.replace(printed, here)
    return told


def documents(text: str) -> list[Any]:
    """All JSON documents in a text, whatever stands between them."""
    found, rest = [], text
    while "{" in rest:
        rest = rest[rest.index("{") :]
        document, end = json.JSONDecoder().raw_decode(rest)
        found.append(document)
        rest = rest[end:]
    return found


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("curl"), reason="the tour uses curl, which is not on this machine")
def test_the_tour_works_as_printed(tmp_path: Path) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "WINNOW_DATABASE_URL": f"sqlite:///{tmp_path / 'tour.sqlite'}",
        "WINNOW_SECRET_KEY": "a secret that only this test knows",
        "WINNOW_PORT": str(port),
        "WINNOW_SPOOL_DIR": str(tmp_path / "spool"),
        "LOG": str(tmp_path / "serve.log"),
    }
    # The tour leaves its service running. Job control (set -m) is what makes `kill %1` work in a script.
    told = subprocess.run(
        ["bash", "-c", f"set -m\n{script(port)}\nkill %1"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    blocks = told.stdout.split(MARK)
    assert len(blocks) == len(commands()), told.stderr
    answers = documents(blocks[2])
    assignment = answers[0]["assignments"][0]
    assert (assignment["variant"], assignment["segment"], assignment["counted"]) == ("plain", "newcomers", True)
    assert (answers[1]["accepted"], answers[1]["rejected"]) == (2, 0)
    assert documents(blocks[3])[0]["report"]["segments"][0]["units"] == 1
    assert "problem" not in told.stdout
