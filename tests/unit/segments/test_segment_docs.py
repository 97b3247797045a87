"""The page on segments says what is so: its commands work, its codes and limits are those of the code."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from experiments.cli import main
from experiments.domain.segment_kind import SegmentKind
from experiments.domain.templates import TEMPLATES
from segmentation.card.card import Code
from segmentation.card.question import Question, Thresholds, Trial

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "segmentation" / "cards.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture
def winnow_commands() -> list[list[str]]:
    return [shlex.split(line)[1:] for line in re.findall(r"^\$ (winnow .*)$", PAGE, re.MULTILINE)]


def test_there_are_commands() -> None:
    assert len(COMMANDS) == 4


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_work(line: str, sqlite_url: str) -> None:
    command, _, told = line.partition("#")
    _, *arguments = shlex.split(command)
    ran = CliRunner(env={"WINNOW_DATABASE_URL": sqlite_url}).invoke(main, arguments)
    assert ran.exit_code == 0, ran.output
    made = json.loads(ran.stdout)
    assert not told or made == json.loads(told)


def test_commands_on_stored_segments_are_spelt_right(winnow_commands: list[list[str]], sqlite_url: str) -> None:
    """There are no segments here: that is refused, and not the options."""
    assert len(winnow_commands) == 3
    for arguments in winnow_commands:
        ran = CliRunner(env={"WINNOW_DATABASE_URL": sqlite_url}).invoke(main, arguments)
        assert ran.exit_code == 0 or ran.stderr.startswith("winnow: segment_not_found"), ran.output


def test_every_kind_and_every_code_is_told() -> None:
    first_cells = " ".join(re.findall(r"^\| ([^|]*`[^|]*) \|", PAGE, re.MULTILINE))
    assert [kind for kind in SegmentKind if f"`{kind}`" not in first_cells] == []
    assert [code for code in get_args(Code) if f"`{code}`" not in first_cells] == []
    assert "Fifty-four templates" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(TEMPLATES) == 54


def test_the_limits_are_told_as_they_are() -> None:
    limits, question, trial = Thresholds(), Question(), Trial(outcome="y", kind="mean", units_per_week=1)
    for told in (
        f"below {limits.nearly_nobody:.1%}".replace("%", " %"),
        f"above {limits.nearly_everybody:.0%}".replace("%", " %"),
        f"longer than {trial.longest_weeks} weeks",
        f"under {limits.few_units:,} customers",
        f"{limits.leaving:.0%} or more leave".replace("%", " %"),
        f"Jaccard of {limits.redundant} or more",
        f"{limits.inside:.0%} of it lie".replace("%", " %"),
        f"fewer than {question.least_units} customers",
    ):
        assert told in PAGE, told
    assert trial.weeks == (1, 2, 4, 8, 12)
    assert (trial.power, trial.variants, trial.alpha, trial.always_valid) == (0.8, 2, 0.05, True)
    assert (question.least_size, question.alpha, limits.unreached) == (0.2, 0.05, 0.5)
