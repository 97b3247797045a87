"""Of a handful of customers nothing is told but how many they are: the rest would speak of single people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FEWEST = 30
"""Fewer customers than these are a handful."""

VERSION = 2
"""Rises when the same report is told otherwise, for those who hold an answer."""

Document = Mapping[str, Any]

TOO_FEW_SENTENCE = f"Nothing is told of fewer than {FEWEST} customers: chance would speak, and of single people."
TOO_FEW: Document = {"undefined": "too_few_customers", "message": TOO_FEW_SENTENCE}
_PARTS = ("value", "reached", "testability")
_LISTS = ("profiles", "traits")
_OF_THEM = ("typical", "by_definition", "distinguishing", "habits", "channels")
_SENTENCES = {
    "hard_to_reach": "Hard to reach: hardly any of its customers were seen in a channel.",
    "inside": "It lies in {other}.",
    "redundant": "Nearly the same as {other}.",
    "too_small": f"Too small to test in: it has fewer than {FEWEST} customers.",
}
"""What is doubtful about a handful, without its shares."""


def told(report: Document) -> Document:
    """Return the report of a segment without money, shares and attributes of a handful."""
    card = report["card"]
    if "undefined" in card:
        return report
    if not 0 < card["size"]["units"] < FEWEST:
        return {**report, "card": {**card, "overlaps": [_beside_few(one) for one in card["overlaps"]]}}
    return {
        **report,
        "card": {
            **card,
            **dict.fromkeys(_PARTS, TOO_FEW),
            **{name: [] for name in _LISTS},
            "overlaps": [{name: one[name] if name == "other" else TOO_FEW for name in one} for one in card["overlaps"]],
        },
        "persona": _bare(report["persona"]),
        "doubts": [_bare_doubt(one) for one in report["doubts"]],
    }


def _beside_few(overlap: Document) -> Document:
    """Where the other segment is the handful: how many of it are here, as its number is told."""
    share = overlap["share_of_other"]
    if isinstance(share, Mapping) or not share or round(overlap["both"] / share) >= FEWEST:
        return overlap
    return {name: overlap[name] if name == "other" else TOO_FEW for name in overlap}


def _bare(persona: Document) -> Document:
    """What won with them is no measurement of them alone."""
    if "undefined" in persona:
        return persona
    return {**persona, **{name: [] for name in _OF_THEM}}


def _bare_doubt(doubt: Document) -> Document:
    sentence = _SENTENCES.get(doubt["code"])
    return doubt if sentence is None else {**doubt, "sentence": sentence.format(other=doubt.get("other", ""))}
