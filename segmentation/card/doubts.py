"""What a card warns of when a segment is made: too small, unstable, redundant, out of reach."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from analysis.estimate import Undefined
from segmentation.card.card import CardWarning, Code, Overlap, Reached, Size, Stability, TrialOutlook
from segmentation.card.question import Thresholds, Trial


def doubts(
    *,
    size: Size,
    overlaps: tuple[Overlap, ...],
    everybody: Collection[str],
    stability: Stability | None,
    reached: Reached | None,
    seen: int,
    outlook: TrialOutlook | None,
    trial: Trial | None,
    limits: Thresholds,
) -> tuple[CardWarning, ...]:
    """Everything that is doubtful about a segment, the worst first; whoever is empty is nothing else.

    To lie in one of `everybody`, the segments that hold nearly all customers, says nothing. `seen`: of all customers,
    in and out of it, so many are known in a channel.
    """
    if not size.units:
        return (CardWarning(code="empty", severity="critical", sentence="Nobody is in this segment."),)
    found = [
        *_by_size(size, limits),
        *_by_trial(size, outlook, trial, limits),
        *_by_overlap(overlaps, everybody, limits),
        *_by_stability(stability, limits),
        *_by_reach(reached, seen, limits),
    ]
    return tuple(sorted(found, key=lambda one: one.severity == "info"))


def _warning(code: Code, sentence: str, other: str | None = None) -> CardWarning:
    return CardWarning(code=code, severity="warning", sentence=sentence, other=other)


def _customers(number: int) -> str:
    return f"{number:,} customer{'' if number == 1 else 's'}"


def _by_size(size: Size, limits: Thresholds) -> Iterator[CardWarning]:
    if size.share < limits.nearly_nobody:
        yield _warning("nearly_nobody", f"Nearly nobody: {size.share:.2%} of all customers are in it.")
    if size.share > limits.nearly_everybody:
        yield _warning("nearly_everybody", f"Nearly everybody: {size.share:.1%} of all customers are in it.")


def _by_trial(
    size: Size, outlook: TrialOutlook | None, trial: Trial | None, limits: Thresholds
) -> Iterator[CardWarning]:
    if outlook is None or trial is None:
        if size.units < limits.few_units:
            message = f"Too small to test in: it has {_customers(size.units)}, and should have {limits.few_units:,}."
            yield _warning("too_small", message)
    elif _is_too_small(outlook, trial):
        yield _warning("too_small", f"Too small to test in. {outlook.sentence}")


def _is_too_small(outlook: TrialOutlook, trial: Trial) -> bool:
    """What is not known, be it the metric or the traffic, is not called small."""
    weeks = outlook.weeks_needed
    if isinstance(weeks, Undefined):
        return weeks.reason in ("too_few_units", "too_many_units")
    return weeks > trial.longest_weeks and outlook.told.units > 0


def _by_overlap(overlaps: tuple[Overlap, ...], everybody: Collection[str], limits: Thresholds) -> Iterator[CardWarning]:
    for one in overlaps:
        if _reaches(one.jaccard, limits.redundant):
            message = f"Nearly the same as {one.other}: of those in either, {one.jaccard:.0%} are in both."
            yield _warning("redundant", message, one.other)
        elif one.other not in everybody and _reaches(one.share_of_this, limits.inside):
            message = f"It lies in {one.other}: {one.share_of_this:.0%} of its customers are there too."
            yield CardWarning(code="inside", severity="info", sentence=message, other=one.other)


def _by_stability(stability: Stability | None, limits: Thresholds) -> Iterator[CardWarning]:
    if stability is not None and _reaches(stability.leaving, limits.leaving):
        message = f"Unstable: {stability.leaving:.0%} of its customers leave it each week, so whoever was tested in it"
        yield _warning("unstable", f"{message} is soon somebody else.")


def _by_reach(reached: Reached | None, seen: int, limits: Thresholds) -> Iterator[CardWarning]:
    """Where hardly anybody was seen at all, that somebody was not says nothing of the segment."""
    if reached is None or seen < limits.least_seen or not _reaches(reached.by_none, limits.unreached):
        return
    told = "none of its customers was seen in any channel."
    if reached.by_none != 1:
        told = f"{reached.by_none:.0%} of its customers were not seen in any channel."
    yield _warning("hard_to_reach", f"Hard to reach: {told}")


def _reaches(number: float | Undefined, limit: float) -> bool:
    return not isinstance(number, Undefined) and number >= limit
