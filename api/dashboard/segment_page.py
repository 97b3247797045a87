"""The card of a segment as a page: how many, worth what, how steady, how near to others, set apart by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.doubt_words import ShownDoubt, doubts_of
from api.dashboard.heat import FEWEST
from api.dashboard.overlap_matrix import few_or, whole_share
from api.dashboard.segment_figures import Figure, per_customer, revenue_share, size_sentence
from api.dashboard.stay_plot import NARROW, WIDE, StayPlot, stay_plot, week_words
from api.dashboard.stored.card_values import Card, Doubt, Outlook, Overlap, Reached, Steadiness, Worth
from api.dashboard.stored.customers import StoredCard
from api.dashboard.trait_words import Contrast, Typical, contrast_of, typical_of

MOST_OVERLAPS = 10
MOST_CONTRASTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    term: str
    figure: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """Plots in both widths where there are weeks to draw; `sentence` says what they come to, or why there are none."""

    wide: StayPlot | None
    narrow: StayPlot | None
    sentence: str
    weeks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapRow:
    """With one other segment; lengths are fractions."""

    key: str
    name: str
    both: str
    of_this: str
    of_other: str
    of_this_length: float
    of_other_length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachRow:
    channel: str
    customers: str
    share: str
    length: float
    beside: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRow:
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
    rows: tuple[TestRow, ...]
    baseline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPage:
    """Everything of a card, in words. `more_overlaps` segments share customers with it and are not listed."""

    size: str
    facts: tuple[Fact, ...]
    value_missing: str
    doubts: tuple[ShownDoubt, ...]
    stays: Stays
    overlaps: tuple[OverlapRow, ...]
    more_overlaps: int
    apart_from: int
    reach: tuple[ReachRow, ...]
    reach_sentence: str
    contrasts: tuple[Contrast, ...]
    by_definition: tuple[Contrast, ...]
    typical: tuple[Typical, ...]
    differences_sentence: str
    testing: Testing


def card_page(
    report: StoredCard, card: Card, *, segments: Mapping[str, str], attributes: Mapping[str, str]
) -> CardPage:
    """`segments` and `attributes`: names by key."""
    telling = [trait for trait in card.traits if trait.distinguishing]
    others = [contrast_of(trait, attributes) for trait in telling if not trait.by_definition]
    shared = sorted((one for one in card.overlaps if one.both), key=lambda one: (-one.both, one.other))
    return CardPage(
        size=size_sentence(card, report.units),
        facts=_facts(card),
        value_missing=card.reasons.get("value", ""),
        doubts=doubts_of(_told_apart(report, card), segments),
        stays=stays_of(card),
        overlaps=tuple(_overlap(one, card, segments) for one in shared[:MOST_OVERLAPS]),
        more_overlaps=max(0, len(shared) - MOST_OVERLAPS),
        apart_from=len(card.overlaps) - len(shared),
        reach=_reach(card.reached),
        reach_sentence=_reach_sentence(card),
        contrasts=tuple(others[:MOST_CONTRASTS]),
        by_definition=tuple(contrast_of(trait, attributes) for trait in telling if trait.by_definition),
        typical=tuple(one for profile in card.profiles if (one := typical_of(profile, attributes))),
        differences_sentence=_differences(card, len(others)),
        testing=testing_of(report, card),
    )


def _told_apart(report: StoredCard, card: Card) -> tuple[Doubt, ...]:
    """The doubts, but for the one that is the answer to whether it can be tested in, where that is given."""
    return tuple(one for one in report.doubts if card.outlook is None or one.code != "too_small")


def _facts(card: Card) -> tuple[Fact, ...]:
    """Money of a handful of customers is not told, nor what a handful of buyers paid."""
    if card.worth is None:
        return ()
    found = [
        Fact(term="Spent per customer", figure=per_customer(card)),
        Fact(term="Part of all revenue", figure=revenue_share(card)),
    ]
    if card.units >= FEWEST:
        found.append(Fact(term="Bought at least once", figure=_buyers(card.worth)))
    if min(card.units, card.worth.buyers) >= FEWEST:
        found.append(Fact(term="Spent per purchase", figure=_purchase(card.worth)))
    return tuple(found)


def _buyers(worth: Worth) -> Figure:
    share = worth.buyer_share.value
    return Figure(text="not known" if share is None else say.part(share), note="of its customers")


def _purchase(worth: Worth) -> Figure:
    value = worth.per_purchase.value
    return Figure(
        text="not known" if value is None else say.money(value), note=f"over {say.amount(worth.purchases, 'purchase')}"
    )


def stays_of(card: Card) -> Stays:
    """Who came and left, week by week."""
    steadiness = card.steadiness
    if steadiness is None or not steadiness.weeks:
        return Stays(wide=None, narrow=None, sentence=f"Not known. {card.reasons.get('stability', '')}", weeks=())
    weeks = tuple(map(week_words, steadiness.weeks))
    return Stays(
        wide=stay_plot(steadiness.weeks, WIDE),
        narrow=stay_plot(steadiness.weeks, NARROW),
        sentence=_flow(steadiness),
        weeks=weeks,
    )


def _flow(steadiness: Steadiness) -> str:
    entering, leaving = steadiness.entering.value, steadiness.leaving.value
    if entering is None or leaving is None:
        return "Nobody was in this segment at the beginning of any week."
    counted = "In the one week counted" if len(steadiness.weeks) == 1 else f"Over {len(steadiness.weeks)} weeks"
    return (
        f"{counted}, {whole_share(leaving)} of its customers left in a week, "
        f"and newcomers were {_percent(entering)} of its size."
    )


def _percent(share: float) -> str:
    return whole_share(share) if share <= 1 else f"{share:.0%}"


def _overlap(overlap: Overlap, card: Card, names: Mapping[str, str]) -> OverlapRow:
    of_this, of_other = overlap.share_of_this.value, overlap.share_of_other.value
    few = card.units < FEWEST
    return OverlapRow(
        key=overlap.other,
        name=names.get(overlap.other, overlap.other),
        both=few_or(overlap.both),
        of_this="too few to say" if few else "not known" if of_this is None else whole_share(of_this),
        of_other="not known" if of_other is None else whole_share(of_other),
        of_this_length=0.0 if few else of_this or 0.0,
        of_other_length=of_other or 0.0,
    )


def _reach(reached: Reached | None) -> tuple[ReachRow, ...]:
    if reached is None:
        return ()
    return tuple(
        ReachRow(
            channel=one.channel,
            customers=say.count(one.units) if one.units >= FEWEST else f"under {FEWEST}",
            share="not known" if one.share.value is None else whole_share(one.share.value),
            length=one.share.value or 0.0,
            beside=_index(one.index.value),
        )
        for one in reached.channels
    )


def _index(index: float | None) -> str:
    if index is None:
        return ""
    if 0.95 <= index < 1.05:
        return "as among all customers"
    return f"{say.times(index)} as often as among all customers"


def _reach_sentence(card: Card) -> str:
    reached = card.reached
    if reached is None:
        return f"Not known. {card.reasons.get('reached', '')}"
    if reached.by_none.value is None:
        return reached.by_none.missing or "Not known."
    if reached.by_none.value == 0:
        return "Every one of them can be reached."
    return f"{whole_share(reached.by_none.value)} of them were seen in no channel."


def _differences(card: Card, found: int) -> str:
    if card.units < FEWEST:
        return f"Nothing is told of fewer than {FEWEST} customers: chance would speak, and of single people."
    if not card.traits:
        return "Nothing can be compared: no attributes are known of enough customers, in the segment and outside of it."
    if not found:
        return "Nothing else sets them apart: in all that is known of them they are much like everybody else."
    return (
        "Beside all customers who are not in the segment. Listed is only what is no chance, and large enough to "
        "matter. It says how they differ, not why."
    )


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
            TestRow(
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
