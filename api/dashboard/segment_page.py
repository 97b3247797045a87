"""The card of a segment as a page: how many, worth what, how steady, how near to others, set apart by what."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.overlap_matrix import whole_share
from api.dashboard.segment_figures import Figure, per_customer, revenue_share, size_sentence
from api.dashboard.segment_neighbours import OverlapRow, ReachRow, overlap_row, reach_rows, reach_sentence
from api.dashboard.segment_testing import Testing, testing_of
from api.dashboard.stay_plot import NARROW, WIDE, StayPlot, stay_plot, week_words
from api.dashboard.stored.card_values import Card, Steadiness, Worth
from api.dashboard.stored.customers import StoredCard
from api.dashboard.trait_words import Contrast, contrast_of
from experiments.services.segments.few import FEWEST

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
class CardPage:
    """Everything of a card, in words. `more_overlaps` segments share customers with it and are not listed."""

    size: str
    facts: tuple[Fact, ...]
    value_missing: str
    stays: Stays
    overlaps: tuple[OverlapRow, ...]
    more_overlaps: int
    apart_from: int
    not_known_with: int
    reach: tuple[ReachRow, ...]
    reach_sentence: str
    contrasts: tuple[Contrast, ...]
    by_definition: tuple[Contrast, ...]
    differences_sentence: str
    testing: Testing


def card_page(
    report: StoredCard,
    card: Card,
    *,
    segments: Mapping[str, str],
    attributes: Mapping[str, str],
    uncounted: Collection[str],
) -> CardPage:
    """`segments` and `attributes`: names by key. `uncounted`: segments of which nobody knows who is in them."""
    telling = [trait for trait in card.traits if trait.distinguishing]
    others = [contrast_of(trait, attributes) for trait in telling if not trait.by_definition]
    shared = sorted((one for one in card.overlaps if one.both), key=lambda one: (-one.both, one.other))
    unknown = sum(one.other in uncounted for one in card.overlaps if not one.both)
    return CardPage(
        size=size_sentence(card, report.units),
        facts=_facts(card),
        value_missing=card.reasons.get("value", ""),
        stays=stays_of(card),
        overlaps=tuple(overlap_row(one, card, segments) for one in shared[:MOST_OVERLAPS]),
        more_overlaps=max(0, len(shared) - MOST_OVERLAPS),
        apart_from=len(card.overlaps) - len(shared) - unknown,
        not_known_with=unknown,
        reach=reach_rows(card),
        reach_sentence=reach_sentence(card),
        contrasts=tuple(others[:MOST_CONTRASTS]),
        by_definition=tuple(contrast_of(trait, attributes) for trait in telling if trait.by_definition),
        differences_sentence=_differences(card, len(others)),
        testing=testing_of(report, card),
    )


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
