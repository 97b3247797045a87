"""The report's JSON, and what importing the engine costs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np

from analysis.moments import Moments, MomentTable
from analysis.report import build, canonical_json, to_dict
from tests.stats.builders import (
    at,
    conversions,
    metric,
    moments_of,
    plan,
    table,
)


def test_json_form() -> None:
    arms = {(1, "all", "a"): {"visits": Moments()}, (1, "all", "b"): {"visits": conversions(10, 100)}}
    document = to_dict(build(plan(watermark_at=at(0)), table(arms)))
    assert document["schema"] == "winnow.report/2"
    assert document["watermark_at"] == "2026-03-01T12:00:00+00:00"
    assert document["variants"] == ["a", "b"]
    found = document["segments"][0]["metrics"][0]
    assert found["comparisons"][0]["p_value"] == {
        "undefined": "no_units",
        "message": "Nobody has been in this arm yet.",
    }
    assert found["arms"][1] | {"interval": None, "std_dev": None} == {
        "variant": "b",
        "units": 100,
        "total": 10.0,
        "value": 0.1,
        "std_dev": None,
        "interval": None,
    }
    assert document["segments"][0]["srm"]["observed"] == [["a", 0], ["b", 100]]
    assert json.loads(canonical_json(build(plan(watermark_at=at(0)), table(arms)))) == document


def test_canonical_json_does_not_depend_on_the_order_of_the_table() -> None:
    arms = {
        (1, "all", variant): {"visits": moments_of(np.arange(9.0) * (index + 0.1))}
        for index, variant in enumerate("ab")
    }
    forwards, backwards = table(arms), table(dict(reversed(arms.items())))
    question = plan(metric(kind="mean"))
    assert canonical_json(build(question, forwards)) == canonical_json(build(question, backwards))


def test_a_plan_costs_no_numbers_library() -> None:
    """A process that only reads plans and stored reports must not pay for scipy or DuckDB."""
    code = (
        "import sys, analysis, analysis.plan, analysis.estimate, analysis.moments, analysis.serialise;"
        "print([m for m in ('numpy', 'scipy', 'pandas', 'duckdb', 'ibis', 'pyarrow') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_report_from_moments_costs_no_database() -> None:
    code = "import sys, analysis.report; print([m for m in ('duckdb', 'ibis', 'statsmodels') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_renamed_metric_keeps_its_key() -> None:
    question = plan(replace(metric(), name="Visits to the shop"))
    assert build(question, MomentTable()).segments[0].metrics[0].metric == "visits"
