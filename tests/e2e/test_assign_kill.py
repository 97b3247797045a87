"""SIGKILL in the middle of `winnow assign`: no half output, and in the end the bytes of a run that nobody disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from experiments.bootstrap import build
from experiments.domain.definition import Variant
from experiments.domain.metric import MetricRole
from experiments.domain.segment import Segment
from experiments.services.authoring.wishes import ExperimentWish, MetricWish, SegmentWish
from experiments.settings import Settings
from experiments.storage.engine import normalised
from tests.e2e.processes import COMMAND, ROOT, environment
from tests.golden.reference import bucket
from tests.unit.builders import VISIT

pytestmark = pytest.mark.slow

ROWS, BATCH = 60_000, 500
KILLS = (0.2, 0.5, 0.8)


def shop(url: str) -> None:
    winnow = build(Settings(database_url=url))
    winnow.author.segments.create(Segment(key="mens", name="Men", condition={"mens": 1}), actor="test")
    winnow.author.metrics.create(VISIT, actor="test")
    wish = ExperimentWish(
        key="banner",
        name="Banner",
        variants=(Variant(key="a", name="A", is_control=True), Variant(key="b", name="B")),
        segments=(SegmentWish(segment="mens", weights={"a": 1, "b": 1}),),
        metrics=(MetricWish(metric="visit", role=MetricRole.PRIMARY),),
    )
    winnow.author.create(wish, actor="test")
    winnow.author.step("banner", "start", actor="test")


def start(url: str, file: Path, out: Path) -> subprocess.Popen[bytes]:
    arguments = ["assign", str(file), "-e", "banner", "-o", str(out), "--batch", str(BATCH), "--expose"]
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def kill_after(url: str, file: Path, out: Path, parts: int) -> None:
    """End it without a moment's notice as soon as so many parts are there."""
    process = start(url, file, out)
    folder, deadline = out.with_name(out.name + ".parts"), time.monotonic() + 120
    while not (folder / f"{parts:06d}.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    assert not out.exists(), "it had finished already: nothing was interrupted"


def finished(url: str, file: Path, out: Path) -> str:
    told, _ = start(url, file, out).communicate(timeout=240)
    return told.decode()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_killed_thrice_it_ends_with_the_same_bytes_and_every_exposure_once(
    sqlite_url: str, tmp_path: Path, kind: str
) -> None:
    shop(sqlite_url)
    file, out = tmp_path / "list.csv", tmp_path / f"out.{kind}"
    rows = (f"ü{n % (ROWS - 100)},{n % 2}\n" for n in range(ROWS))
    file.write_text("unit_id,mens\n" + "".join(rows) + ",1\n", encoding="utf-8")
    for share in KILLS:
        kill_after(sqlite_url, file, out, int(ROWS / BATCH * share))
    assert f"{ROWS:,} of {ROWS + 1:,} rows assigned (" in finished(sqlite_url, file, out)
    straight = tmp_path / f"straight.{kind}"
    finished(sqlite_url, file, straight)
    for made, wanted in ((out, straight), (Path(f"{out}.rejected.csv"), Path(f"{straight}.rejected.csv"))):
        assert made.read_bytes() == wanted.read_bytes()
    assert not Path(f"{out}.parts").exists()
    engine = create_engine(normalised(sqlite_url))
    with engine.connect() as connection:
        stored = {
            row.unit_id: row.variant for row in connection.execute(text("SELECT unit_id, variant FROM exposures"))
        }
        count = connection.execute(text("SELECT count(*) FROM exposures")).scalar_one()
    engine.dispose()
    # The 100 customers who stand there twice are in the same segment both times.
    assert count == len(stored) == ROWS - 100
    for unit_id in list(stored)[::97]:
        assert stored[unit_id] == ("a" if bucket("banner/variant", unit_id) < 5_000 else "b")
