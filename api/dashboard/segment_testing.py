"""Can a segment be tested in? The card's answer in a word, a sentence, and week by week."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.stored.card_values import Card, Outlook, Shown
from api.dashboard.stored.customers import StoredCard
from experiments.services.segments.few import FEWEST, TOO_FEW


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
    if 0 < card.units < FEWEST:
        return Testing(tone="open", verdict="Not known", sentence=TOO_FEW["message"], rows=(), baseline="")
    tone, verdict = _verdict(report, outlook)
    return Testing(
        tone=tone,
        verdict=verdict,
        sentence=outlook.sentence,
        rows=tuple(
            WeeksRow(
                weeks=say.amount(one.weeks, "week"),
                customers=say.count(one.units),
                lift=_lift(one),
            )
            for one in outlook.shown
        ),
        baseline=_baseline(outlook),
    )


def _verdict(report: StoredCard, outlook: Outlook) -> tuple[str, str]:
    """A tone and a word: whether the lift worth acting on can be shown, or at least a larger one.

    Where no lift can be planned, or nobody is seen whom one could show anything, neither yes nor no is known.
    """
    if outlook.baseline.value is None or outlook.units_needed.value is None:
        return "open", "Not known"
    if not any(doubt.code in ("too_small", "empty") for doubt in report.doubts):
        seen = outlook.shown[len(outlook.shown) // 2].units if outlook.shown else 0
        return ("better", "Yes") if seen else ("open", "Not known")
    larger = any(one.lift.value is not None for one in outlook.shown)
    return "worse", "Only for large effects" if larger else "No"


def _lift(shown: Shown) -> str:
    if shown.lift.value is None:
        return "none, however large" if shown.units else "not known"
    return f"{say.lift(shown.lift.value)} or more"


def _baseline(outlook: Outlook) -> str:
    share = outlook.baseline.value
    return "" if share is None else f"{say.part(share)} of them bought in the weeks looked at"
