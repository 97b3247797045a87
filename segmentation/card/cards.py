"""From tables to cards: the one entry."""

from __future__ import annotations

from segmentation.card.base import REVENUE, Base, base_of
from segmentation.card.card import CardBook, SegmentCard, Stability
from segmentation.card.counts import ALL, counted, overlaps_of, size_of, value_of
from segmentation.card.described import described, profiles_of, traits_of
from segmentation.card.doubts import doubts
from segmentation.card.outlook import outlook_of
from segmentation.card.question import Question, Tables
from segmentation.card.reaching import reached_by
from segmentation.card.steadiness import stabilities


def make_cards(tables: Tables, question: Question | None = None) -> CardBook:
    """Make the card of every segment.

    Parameters
    ----------
    tables
        Units with their attributes, who is in which segment, and what else is known: purchases, memberships, contacts.
    question
        What to describe by, which trial the segments are thought of for, and when to warn.

    Returns
    -------
    CardBook
        Cards in the order of `tables.segments`. Shares are fractions of units; a number that does not exist is an
        `Undefined` with its reason.

    Raises
    ------
    Refused
        Tables or a question that contradict themselves; `code` says how.

    Notes
    -----
    The units are read once, staged, and then asked for all segments together: counts, overlaps, numbers, categories;
    memberships and contacts once each. Hundreds of segments times attributes are asked in several parts.
    """
    asked = question or Question()
    steady = stabilities(tables, asked)
    with base_of(tables, asked) as base:
        return _book(base, tables, asked, steady)


def _book(base: Base, tables: Tables, question: Question, steady: dict[str, Stability]) -> CardBook:
    counts, seen = counted(base), described(base, question)
    reached, seen_by_any = reached_by(base, tables, counts)
    sizes = {key: size_of(counts, key) for key in tables.segments}
    everybody = {key for key, size in sizes.items() if size.share > question.thresholds.nearly_everybody}
    has_value, trial = REVENUE in base.rows.columns, question.trial

    def card(key: str) -> SegmentCard:
        size, overlaps = sizes[key], overlaps_of(counts, key)
        outlook = outlook_of(trial, key, counts.groups[key], size.share) if trial else None
        stability, reach = steady.get(key), reached.get(key)
        return SegmentCard(
            segment=key,
            size=size,
            value=value_of(counts, key) if has_value else None,
            stability=stability,
            overlaps=overlaps,
            reached=reach,
            profiles=profiles_of(base, seen, key, question),
            traits=traits_of(base, seen, key, question),
            testability=outlook,
            warnings=doubts(
                size=size,
                overlaps=overlaps,
                everybody=everybody,
                stability=stability,
                reached=reach,
                seen=seen_by_any,
                outlook=outlook,
                trial=trial,
                limits=question.thresholds,
            ),
        )

    return CardBook(
        units=base.units,
        everybody=value_of(counts, ALL) if has_value else None,
        cards=tuple(card(key) for key in tables.segments),
    )
