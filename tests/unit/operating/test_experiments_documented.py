"""docs/experiments.md and docs/promotions.md have a row for every field that authors write, with its default."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from experiments.domain import experiment
from experiments.domain.adaptive import AdaptivePolicy
from experiments.domain.layer import Layer
from experiments.domain.metric import Metric
from experiments.domain.policy import AnalysisPlan
from experiments.domain.promotion_policy import PromotionPolicy
from experiments.services.authoring.wishes import ExperimentWish

DOCS = Path(__file__).parents[3] / "docs"
EXPERIMENTS = (DOCS / "experiments.md").read_text(encoding="utf-8")
PROMOTIONS = (DOCS / "promotions.md").read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    _, found, rest = page.partition(f"\n{title}\n")
    assert found
    return rest.partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all rows that begin with a name."""
    return [
        [cell.strip() for cell in line.strip("|").split(" |")]
        for line in text.splitlines()
        if re.match(r"\| `[a-z_]+`", line)
    ]


def names(cell: str) -> list[str]:
    return re.findall(r"`([a-z_]+)`", cell)


def fields(of: type) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(of)}


TABLES = [
    (EXPERIMENTS, "## How results are judged: `analysis`", AnalysisPlan),
    (EXPERIMENTS, "## Splits that follow the results: `adaptive`", AdaptivePolicy),
    (PROMOTIONS, "## The policy", PromotionPolicy),
]


@pytest.mark.parametrize(("page", "title", "of"), TABLES, ids=lambda value: getattr(value, "__name__", ""))
def test_every_field_has_a_row_and_no_other(page: str, title: str, of: type) -> None:
    told = [name for row in rows(section(page, title)) for name in names(row[0])]
    assert sorted(told) == sorted(fields(of))


@pytest.mark.parametrize(("page", "title", "of"), TABLES[:2], ids=["analysis", "adaptive"])
def test_defaults_are_those_of_the_code(page: str, title: str, of: type) -> None:
    defaults = fields(of)
    for row in rows(section(page, title)):
        told = [value.strip(' `"') for value in row[1].split(",")]
        code = [defaults[name] for name in names(row[0])]
        assert told == ["none" if one is None else str(one).lower() if one is False else str(one) for one in code]


def test_every_field_of_an_experiment_is_told_and_what_is_frozen_is_marked() -> None:
    told = {name: row[1] for row in rows(section(EXPERIMENTS, "## The experiment")) for name in names(row[0])}
    assert sorted(told) == sorted(fields(ExperimentWish))
    marked = {name for name, mark in told.items() if mark == "●"} | {"key"}
    assert marked == {*experiment._FROZEN, "variants"}


@pytest.mark.parametrize(("title", "of", "besides"), [("## Metrics", Metric, set()), ("## Layers", Layer, {"slots"})])
def test_every_field_is_named(title: str, of: type, besides: set[str]) -> None:
    assert set(fields(of)) - besides <= set(names(section(EXPERIMENTS, title)))
