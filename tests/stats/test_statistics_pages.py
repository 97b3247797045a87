"""The pages on statistics say what the engine does: its codes, its sentences, its modules, its rows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest

from analysis.estimate import Outcome
from calibration import example
from calibration.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "statistics"


def finding_codes() -> Iterator[str]:
    for path in (ROOT / "analysis").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                yield from _constants(next(word.value for word in node.keywords if word.arg == "code"))


def _constants(value: ast.expr) -> Iterator[str]:
    branches = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    for branch in branches:
        assert isinstance(branch, ast.Constant), "a code is written out where the finding is made"
        yield str(branch.value)


@pytest.fixture(scope="module")
def guide() -> str:
    return (PAGES / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def methods() -> str:
    return (PAGES / "methods.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", sorted(set(finding_codes())))
def test_every_warning_is_explained(code: str, guide: str) -> None:
    row = next((line for line in guide.splitlines() if line.startswith(f"| `{code}` |")), "")
    assert row.count("|") == 4, f"{code} has no row in docs/statistics/README.md"


def test_nothing_else_is_explained_as_a_warning(guide: str) -> None:
    warnings, _, _ = guide.partition("## Where a number is missing")
    assert set(re.findall(r"^\| `(\w+)` \|", warnings, re.MULTILINE)) == set(finding_codes())


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_every_verdict_is_explained(outcome: str, guide: str) -> None:
    assert f"(`{outcome}`) |" in guide


def test_the_worked_example_is_what_the_engine_says(guide: str) -> None:
    said = [line.removeprefix("> ") for line in guide.splitlines() if line.startswith("> ")]
    report = example.report()
    assert report.recommendation is not None
    assert said == [*(scope.verdict.sentence for scope in report.segments), report.recommendation.sentence]


def test_the_picture_of_the_example_shows_every_mail_in_every_segment() -> None:
    rows = example.rows()
    assert len(rows) == 6
    assert all(row.low < row.lift < row.high for row in rows)
    assert [row.verdict for row in rows] == [
        "wins",
        "not shown",
        "tied for first",
        "tied for first",
        "wins",
        "better than no e-mail",
    ]


def test_methods_name_modules_that_exist(methods: str) -> None:
    named = set(re.findall(r"`(analysis(?:\.\w+)+)`", methods))
    assert len(named) > 15
    assert [name for name in sorted(named) if find_spec(name) is None] == []


def test_methods_point_at_every_row_of_the_calibration(methods: str) -> None:
    named = [name.rstrip("*") for name in re.findall(r"`([a-z_0-9]+\*?)`", methods)]
    assert [one.key for one in SCENARIOS if not any(one.key.startswith(name) for name in named)] == []


@pytest.mark.parametrize("page", ["README.md", "methods.md", "calibration.md"])
def test_links_and_pictures_are_there(page: str) -> None:
    text = (PAGES / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if not target.startswith("http")]
    assert [target for target in targets if not (PAGES / target).exists()] == []
