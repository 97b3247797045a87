"""Real customers, real commands: segments from `winnow segments make`, results per segment beside a group-by in SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.e2e.processes import ROOT, winnow

HILLSTROM = ROOT.parent / "shared" / "data" / "hillstrom.csv.gz"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HILLSTROM.exists(), reason="the real data are not beside this checkout"),
]

MADE = (
    ("high_spend", ("spent_between", "least=500"), "history >= 500"),
    ("recent", ("bought_within", "most=3"), "recency <= 3"),
    ("new_on_the_web", ("buys_by_channel", "values=Web"), "channel = 'Web'"),
    ("country", ("place_type", "values=Rural"), "zip_code = 'Rural'"),
    ("known", ("known_customers",), "newbie = 0"),
)
"""In the order in which they are asked: a customer is in the first that fits."""
ARMS = {"No E-Mail": "no_email", "Mens E-Mail": "mens_email", "Womens E-Mail": "womens_email"}


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def plan(url: str) -> str:
    """The example's plan with our segments in place of its own."""
    text = (ROOT / "examples" / "hillstrom.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[[segments]]")
    made = []
    for key, arguments, _ in MADE:
        condition = json.loads(winnow(url, "segments", "make", *arguments).stdout)
        made.append(f'[[segments]]\nkey = "{key}"\nname = "{key}"\ncondition = {toml(condition)}\n')
    return head + "\n".join(made) + "\n[[metrics]]" + rest.partition("[[metrics]]")[2]


def test_results_per_segment(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(plan(sqlite_url), encoding="utf-8")
    loaded = winnow(sqlite_url, "replay", str(HILLSTROM), "--plan", str(file))
    assert loaded.returncode == 0, loaded.stderr
    analysed = winnow(sqlite_url, "analyse", "hillstrom", "--json")
    assert analysed.returncode == 0, analysed.stderr
    scopes = {scope["segment"]: scope for scope in json.loads(analysed.stdout)["segments"]}
    cases = " ".join(f"WHEN {where} THEN '{key}'" for key, _, where in MADE)
    expected = duckdb.sql(
        f"SELECT CASE {cases} ELSE 'everyone' END AS s, segment, count(*), sum(visit), sum(conversion), avg(spend)"
        f" FROM read_csv('{HILLSTROM}') GROUP BY 1, 2"
    ).fetchall()
    assert scopes.keys() == {row[0] for row in expected} == {key for key, *_ in MADE} | {"everyone"}
    for segment, arm, units, visits, conversions, spend in expected:
        found = {
            metric["metric"]: next(one for one in metric["arms"] if one["variant"] == ARMS[arm])
            for metric in scopes[segment]["metrics"]
        }
        assert {one["units"] for one in found.values()} == {units}
        assert (found["visit"]["total"], found["conversion"]["total"]) == (visits, conversions)
        assert found["spend"]["value"] == pytest.approx(spend, rel=1e-9)
