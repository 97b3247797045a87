"""The pages on studies and lists say what is so: their commands parse, their fields are those of the documents."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.plan import Cell, MetricPlan, Plan
from experiments.cli import main
from experiments.services.recording.ports import Watermark
from experiments.services.studies.clustering_document import clustering_document
from experiments.services.studies.discovery_document import Comparison, Look, discovery_document
from segmentation.discovery import Search, discover
from segmentation.learnt import Learning, learn
from tests.conftest import FakeClock
from tests.learnt.trials import inside, trial

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {
    name: (DOCS / name).read_text(encoding="utf-8") for name in ("segmentation/learnt.md", "segmentation/discovery.md")
}
PROFILES = (DOCS / "profiles.md").read_text(encoding="utf-8")
LINES = [
    line.partition("#")[0]
    for page in (*PAGES.values(), PROFILES)
    for line in re.findall(r"^winnow segments .*$", page, re.MULTILINE)
]


def fields(page: str) -> set[str]:
    """Names in the first cells of the table that has `schema`."""
    table = next(part for part in page.split("\n\n") if "| `schema` |" in part)
    return {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("line", LINES)
def test_commands_are_spelt_right(line: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is stored here: that is refused, and not the options."""
    monkeypatch.chdir(tmp_path)
    Path("preview.csv").write_text("unit_id\nu1\n", encoding="utf-8")
    ran = CliRunner(env={"WINNOW_DATABASE_URL": sqlite_url}).invoke(main, shlex.split(line)[1:])
    assert ran.exit_code == 0 or ran.stderr.startswith("winnow: "), ran.output


def test_there_are_commands() -> None:
    assert len(LINES) == 8


@pytest.mark.parametrize("units", [300, 50], ids=["clusters", "too-few"])
def test_fields_of_clusterings(units: int) -> None:
    values = np.concatenate([np.random.default_rng(1).normal(centre, 1, size=units // 2) for centre in (0, 12)])
    learning = Learning(most_clusters=2, references=19, pairs=2, starts=2)
    table: Any = {"a": values}
    document = clustering_document(learn(table, learning), table, ["a"], name="n", version=1, learning=learning)
    assert document["outcome"] == ("clusters" if units == 300 else "too_few_units")
    assert set(document) == fields(PAGES["segmentation/learnt.md"])


def test_fields_of_discoveries(clock: FakeClock) -> None:
    one = trial(2, 2000, lambda rng, x, w: 0.9 * w * inside(x) + rng.normal(size=len(w)))
    search = Search(seed=1)
    found = discover(one.ids, one.treated, one.outcome, one.attributes, search)
    look = Look(
        experiment="e",
        experiment_version=1,
        watermark=Watermark(exposure_id=1, event_id=1, at=clock.now),
        plan=Plan(
            variants=("a", "b"),
            control="a",
            segments=("all",),
            metrics=(MetricPlan(key="m", kind="mean", role="primary", event_name="m"),),
            cells=(Cell(epoch=1, segment="all", weights={"a": 1, "b": 1}),),
        ),
        number=1,
        attributes=tuple(one.attributes),
        used=tuple(one.attributes),
        late={name: {} for name in one.attributes},
        search=search,
        units=2000,
    )
    comparison = Comparison(treatment="b", found=found, refusal="", units=2000, outside=0)
    document = discovery_document(look, [comparison])
    page = PAGES["segmentation/discovery.md"]
    assert (set(document), document["outcome"]) == (fields(page), "proposals")
    (row,) = re.findall(r"^\| `groups` \|(.*)$", page, re.MULTILINE)
    assert [name for name in document["groups"][0] if f"`{name}`" not in row] == []
    (row,) = re.findall(r"^\| `comparisons` \|(.*)$", page, re.MULTILINE)
    assert [name for name in document["comparisons"][0] if not re.search(rf"\b{name}\b", row)] == []
