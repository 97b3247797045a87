"""What the pages of segments read: names, experiments and reports, through the services."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from api.current import winnow
from api.dashboard.doubt_words import ShownDoubt, doubts_of
from api.dashboard.stored.card_values import Card
from api.dashboard.stored.cards import read_doubt
from api.dashboard.stored.customers import CustomersReport, StoredCard, read_customers, read_segment_report
from experiments.domain.errors import NotFound
from experiments.domain.experiment import Experiment
from experiments.services.paging import Page
from experiments.services.segments.reports import Reported

_AT_ONCE = 100


def stored_card(reported: Reported) -> StoredCard | None:
    """Return the newest report of a segment; None until there is one."""
    return None if reported.report is None else read_segment_report(reported.report.document)


def shown_doubts(reported: Reported, names: Mapping[str, str]) -> tuple[ShownDoubt, ...]:
    """Return what is doubtful about a segment as it is now; before it is counted, what is known at once."""
    return doubts_of([read_doubt(one) for one in reported.doubts], names)


def uncounted_beside(card: Card) -> frozenset[str]:
    """Return the segments whose newest report does not know who is in them: others seem to share nobody with them."""
    if all(one.both for one in card.overlaps):
        return frozenset()
    every = winnow().segment_reports.all_newest()
    return frozenset(
        one.segment.value.key for one in every if one.report is not None and "undefined" in one.report.document["card"]
    )


def customers_report() -> CustomersReport | None:
    """Return the newest report of all customers; None until there is one."""
    try:
        return read_customers(winnow().segment_reports.customers().document)
    except NotFound:
        return None


def segment_names() -> dict[str, str]:
    """Names of all segments by key."""
    return {stored.value.key: stored.value.name for stored in _every(winnow().author.segments.page)}


def attribute_names() -> dict[str, str]:
    """Names of all registered attributes by key."""
    return {stored.value.key: stored.value.name for stored in _every(winnow().author.attributes.page)}


def every_experiment() -> Iterator[Experiment]:
    """Yield all experiments in order of key."""
    return _every(winnow().author.page)


def _every(read: Callable[..., Page[Any]]) -> Iterator[Any]:
    after: str | None = None
    while True:
        page = read(after=after, limit=_AT_ONCE)
        yield from page.items
        if page.next_after is None:
            return
        after = page.next_after
