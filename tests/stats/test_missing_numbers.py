"""Every reason for which the engine has no number is explained to people."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def reasons() -> Iterator[str]:
    """Those that stand in the code as they are."""
    for path in (ROOT / "analysis").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Undefined":
                for given in node.keywords:
                    if given.arg == "reason" and isinstance(given.value, ast.Constant):
                        yield str(given.value.value)


def test_each_is_in_the_page_that_content_teams_read() -> None:
    page = (ROOT / "docs/statistics/README.md").read_text(encoding="utf-8")
    _, _, told = page.partition("## Where a number is missing")
    told, _, _ = told.partition("\n## ")
    assert len(set(reasons())) > 20
    assert sorted(one for one in set(reasons()) if f"`{one}`" not in told) == []
