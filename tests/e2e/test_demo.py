"""The end-to-end story: server and worker as processes, everything else over HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from experiments.bootstrap import build
from experiments.settings import Settings
from tests.e2e.processes import COMMAND, ROOT, environment, winnow

pytestmark = pytest.mark.slow

FEW = ("--customers", "12000")


@pytest.fixture
def outcome(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return winnow("sqlite:////nowhere/at/all", "demo", "--once", *FEW, "--folder", str(tmp_path / "demo"))


def test_the_demo_tells_its_story_and_ends(outcome: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    assert outcome.returncode == 0, outcome.stderr
    for told in ("12,000 customers", "What won, for whom", "Found against true", "Done in"):
        assert told in outcome.stdout
    services = build(Settings(database_url=f"sqlite:///{tmp_path / 'demo' / 'winnow.sqlite'}"))
    overview = services.results.overview("spring-email")
    assert overview.snapshot is not None
    assert overview.snapshot.report["units"] == 12_000
    winners = {(p.segment, p.variant) for p in overview.promotions}
    assert winners <= {("mens_only", "mens_email"), ("womens_only", "womens_email"), ("both", "mens_email")}
    assert "wrong" not in outcome.stdout.partition("Found against true")[2]
    assert (tmp_path / "demo" / "server.log").exists()


def test_the_demo_fails_aloud(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("recency,history\n1,2\n")
    failed = winnow(
        "sqlite:////nowhere/at/all", "demo", "--once", "--csv", str(bad), "--folder", str(tmp_path / "demo")
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("winnow: column_missing: ")


def test_its_link_signs_in_and_ctrl_c_ends_it_with_its_children(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "demo", "--customers", "300", "--folder", str(tmp_path / "demo")],
        cwd=ROOT,
        env={**environment(""), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    link = next(line for line in process.stdout if "/sign-in?token=" in line)
    address = link.partition("/sign-in")[0]
    page = httpx.Client(follow_redirects=True).get(link.strip())
    assert (page.status_code, page.url.path) == (200, "/experiments/spring-email")
    assert "Spring e-mail" in page.text
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(40) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz")
