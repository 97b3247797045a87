"""Can a segment be tested in? The card's answer in a word, a sentence, and week by week."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.stored.card_values import Card, Outlook
from api.dashboard.stored.customers import StoredCard


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeksRow:
    """What so many weeks can show."""

    weeks: str
    customers: str
    lift: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Testing:
    """`verdict` is yes, no or unknown, in words that begin the sentence."""

    tone: str
    verdict: str
    sentence: str
    rows: tuple[WeeksRow, ...]
    baseline: str


def testing_of(report: StoredCard, card: Card) -> Testing:
    """Whether an experiment in the segment would come to an answer."""
    outlook = card.outlook
    if outlook is None:
        reason = card.reasons.get("testability", "")
        return Testing(tone="open", verdict="Not known", sentence=reason, rows=(), baseline="")
    tone, verdict = _verdict(report, outlook)
    return Testing(
        tone=tone,
        verdict=verdict,
        sentence=outlook.sentence,
        rows=tuple(
            WeeksRow(
                weeks=say.amount(one.weeks, "week"),
                customers=say.count(one.units),
                lift="none, however large" if one.lift.value is None else f"{say.lift(one.lift.value)} or more",
            )
            for one in outlook.shown
        ),
        baseline=_baseline(outlook),
    )


def _verdict(report: StoredCard, outlook: Outlook) -> tuple[str, str]:
    """A tone and a word: whether the lift worth acting on can be shown, or at least a larger one."""
    if outlook.baseline.value is None:
        return "open", "Not known"
    if not any(doubt.code in ("too_small", "empty") for doubt in report.doubts):
        return "better", "Yes"
    larger = any(one.lift.value is not None for one in outlook.shown)
    return "worse", "Only for large effects" if larger else "No"


def _baseline(outlook: Outlook) -> str:
    share = outlook.baseline.value
    return "" if share is None else f"{say.part(share)} of them bought in the weeks looked at"
