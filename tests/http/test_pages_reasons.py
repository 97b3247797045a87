"""No reason of the policy reaches a page without a thought of how people read it."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import experiments.domain
import experiments.services
from api.dashboard.reasons import SENTENCES, SPEAK_FOR_THEMSELVES, in_words, refusal_in_words
from experiments.domain.decision import DecisionReason
from experiments.domain.errors import PromotionRefused

SPOKEN_IN = {
    "experiments.domain": Path(experiments.domain.__file__ or "").parent,
    "experiments.services": Path(experiments.services.__file__ or "").parent,
}


def said_in_code() -> Iterator[tuple[str, str]]:
    """Every code that a decision's reason is built with, and by which module."""
    for package, folder in SPOKEN_IN.items():
        for path in sorted(folder.rglob("*.py")):
            module = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
            for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
                for value in _codes_of(call):
                    yield from ((path.stem, code) for code in _texts(value, module))


def _codes_of(call: ast.Call) -> Iterator[ast.expr]:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name == "DecisionReason":
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "code")
    if name == "_answer":
        yield call.args[1]


def _texts(value: ast.expr, module: str) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from (*_texts(value.body, module), *_texts(value.orelse, module))
    elif isinstance(value, ast.Name):
        known = getattr(importlib.import_module(module), value.id, None)
        if isinstance(known, str):
            yield known


def test_every_code_has_a_sentence_or_speaks_for_itself() -> None:
    said = {code for _, code in said_in_code()}
    assert said == set(SENTENCES) | SPEAK_FOR_THEMSELVES
    assert not set(SENTENCES) & SPEAK_FOR_THEMSELVES


def test_the_walk_finds_what_is_said_in_all_ways() -> None:
    said = set(said_in_code())
    assert {
        ("candidacy", "stale"),
        ("candidacy", "not_group_sequential"),
        ("candidacy", "winner"),
        ("aftercare", "hold_over"),
        ("next_step", "expired"),
        ("advance", "stopped"),
    } <= said


@pytest.mark.parametrize("code", sorted(SENTENCES))
def test_a_sentence_stands_in_place_of_one_with_keys(code: str) -> None:
    said = in_words([DecisionReason(code=code, message="v-2 harms m-1.")])
    assert said == (SENTENCES[code],)
    assert SENTENCES[code][0].isupper()
    assert SENTENCES[code][-1] == "."


def test_a_sentence_is_said_once_and_its_instants_are_written_as_everywhere() -> None:
    reasons = [
        DecisionReason(code="soaking", message="50% are watched until 2026-01-27 09:30 UTC."),
        DecisionReason(code="guardrail_harmed", message="b harms x beyond its margin."),
        DecisionReason(code="guardrail_harmed", message="b harms y beyond its margin."),
    ]
    assert in_words(reasons) == (
        "50% are watched until 27 Jan 2026, 09:30 UTC.",
        "It harms a guardrail metric beyond what is tolerated.",
    )


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("stale", "The snapshot reaches to 2026-01-27 09:30 UTC only.", "These results are too old to act on."),
        ("already_promoted", "b is live in men already.", "A winner is live in this segment already."),
        ("already_rejected", "Promotion 1 is…", "It has moved on meanwhile; the page now shows where it stands."),
        ("illegal_held_to_approved", "Promotion…", "It has moved on meanwhile; the page now shows where it stands."),
        ("soaking", "Watched until 2026-01-27 09:30 UTC.", "Watched until 27 Jan 2026, 09:30 UTC."),
        ("tied", "Both beat No e-mail.", "Both beat No e-mail."),
    ],
)
def test_a_refusal_is_told_in_words(code: str, message: str, said: str) -> None:
    assert refusal_in_words(PromotionRefused(code, message)) == said
