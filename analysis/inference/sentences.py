"""Verdicts in plain words, for people who decide about content. A sentence never says more than its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite

from analysis.estimate import Finding, Undefined
from analysis.inference.contest import Contest, direction_shown
from analysis.wording import are, number, percentage

# The end of an interval where a p-value meets alpha: 0, but for what floats lose.
_NOTHING = 1e-12


def winner(contest: Contest, variant: str) -> str:
    start = f"{_name(contest, variant)} wins for {_where(contest)}: {_by_how_much(contest, variant)}."
    return start + _found_earlier(contest) + _was_better(contest, variant)


def ahead(contest: Contest, leader: str, rivals: Sequence[str]) -> str:
    return (
        f"{_name(contest, leader)} beats {_name(contest, contest.plan.control)} for {_where(contest)}, but cannot be "
        f"told apart from {_list(contest, rivals, 'or')} yet: {_by_how_much(contest, leader)}."
        + _found_earlier(contest)
        + _was_better(contest, leader)
    )


def tied(contest: Contest, leaders: Sequence[str]) -> str:
    both = "both" if len(leaders) == 2 else "all"
    return (
        f"{_list(contest, leaders)} {both} beat {_name(contest, contest.plan.control)} for {_where(contest)}, "
        "but cannot be told apart yet." + _found_earlier(contest) + _was_better(contest)
    )


def control_wins(contest: Contest, treatments: Sequence[str]) -> str:
    start = f"{_name(contest, contest.plan.control)} wins for {_where(contest)}"
    if len(treatments) == 1:
        change, interval = _change(contest, treatments[0])
        start = f"{start}: with {_name(contest, treatments[0])} {change}{interval}."
        return start + _found_earlier(contest) + _was_better(contest)
    worse = "lower" if contest.plan.primary.direction == "increase" else "higher"
    return f"{start}: {_metric(contest)} {worse} with {_list(contest, treatments)}." + (
        _found_earlier(contest) + _was_better(contest)
    )


def undecided(contest: Contest) -> str:
    """All that is shown, and no more: against the control first, then among the treatments."""
    among = tuple(_among_treatments(contest))
    if (reason := contest.untestable()) and not among:
        label, units = _mid_sentence(contest.plan.primary.label), contest.plan.units_name
        why = f"{label} cannot be tested. {reason.message} More {units} like these will not change that."
        return f"No winner for {_where(contest)}: {why}" + _was_better(contest)
    shown = ". ".join((_against_control(contest), *among))
    if contest.stands:
        return f"No winner for {_where(contest)}: {shown}." + _found_earlier(contest) + _was_better(contest)
    return f"No winner yet for {_where(contest)}: {shown}." + _was_better(contest)


def _against_control(contest: Contest) -> str:
    control = contest.plan.control
    better = [one for one in contest.contestants if contest.beats(one, control)]
    worse = [one for one in contest.contestants if contest.beats(control, one)]
    said = [
        f"{_list(contest, found)} {_does(found)} {how} than {_name(contest, control)}"
        for found, how in ((better, "better"), (worse, "worse"))
        if found
    ]
    return ", ".join(said) if better else ", ".join((*said, _nothing_more(contest, other=bool(worse))))


def _nothing_more(contest: Contest, *, other: bool) -> str:
    """A difference may be sure enough alone, and not among as many as are looked at."""
    # Where looks have ended, nothing is promising any more.
    alone, control = [] if contest.stands else contest.promising(), _name(contest, contest.plan.control)
    if not alone:
        when = "was shown while looks decided" if contest.stands else "is shown"
        return f"no {'other ' if other else ''}difference from {control} {when}"
    verb = "looks" if len(alone) == 1 else "look"
    return (
        f"{_list(contest, alone)} {verb} better than {control}, but not surely enough for as many comparisons as are "
        "made at once"
    )


def _among_treatments(contest: Contest) -> Iterator[str]:
    for one in contest.contestants:
        if beaten := [other for other in contest.contestants if contest.beats(one, other)]:
            yield f"{_name(contest, one)} does better than {_list(contest, beaten)}"


def _found_earlier(contest: Contest) -> str:
    """Numbers go on changing after the last look that may decide; what was decided does not."""
    if not contest.stands:
        return ""
    return " That stands as the last look left it: since then no error rate is left, or nobody new has come."


def _was_better(contest: Contest, leader: str | None = None) -> str:
    """A variant that is gone may have been the better one; who reads of a winner is told."""
    other = contest.plan.control if leader is None else leader
    gone = [one for one in contest.retired if contest.beats(one, other)]
    if not gone:
        return ""
    verb = "is" if len(gone) == 1 else "are"
    return f" {_list(contest, gone)} did better than {_name(contest, other)}, but {verb} not offered any more."


def nothing_to_compare(contest: Contest) -> str:
    start = f"There is nothing to compare for {_where(contest)}: a control and another variant have to be shown."
    return start + _was_better(contest)


def too_early(contest: Contest, reasons: Sequence[Finding]) -> str:
    start = f"Too early to say for {_where(contest)}: {reasons[0].message}."
    if not contest.maturing:
        return start
    return f"{start} {are(contest.maturing, contest.plan.units_name)} in whose time is not over yet."


def untrustworthy(contest: Contest) -> str:
    return f"Nothing can be concluded for {_where(contest)}: {contest.critical[0].message}."


def _by_how_much(contest: Contest, variant: str) -> str:
    """'visits are 69% higher than with No e-mail (between 52% and 88%)'"""
    change, interval = _change(contest, variant)
    return f"{change} than with {_name(contest, contest.plan.control)}{interval}"


def _change(contest: Contest, variant: str) -> tuple[str, str]:
    """'visits are 69% higher', ' (between 52% and 88%)'; in plain numbers where there is no percentage."""
    pair = variant, contest.plan.control
    compared = contest.comparisons[pair]
    unit: Callable[[float], str] = percentage
    value, interval = compared.lift.value, compared.lift_in_family
    if isinstance(value, Undefined) or isinstance(interval, Undefined):
        value, interval, unit = compared.difference.value, compared.difference_in_family, number
    if isinstance(value, Undefined) or isinstance(interval, Undefined):
        return f"{_metric(contest)} higher or lower", ""
    higher = (direction_shown(compared) if contest.stands else value) > 0
    # 0 - x, not -x: there is no "-0%".
    low, high = (interval.low, interval.high) if higher else (0 - interval.high, 0 - interval.low)
    # What is measured by now is not what that look has measured.
    by = "" if contest.stands else f"{unit(abs(value))} "
    change = f"{_metric(contest)} {by}{'higher' if higher else 'lower'}"
    return change, f" ({_range(low, high, unit)})"


def _range(low: float, high: float, unit: Callable[[float], str]) -> str:
    """Of what is decided. Where it ends at 0 to the last bit, 0 is ruled out all the same."""
    if abs(low) <= _NOTHING:
        return f"more than {unit(0.0)}" + (f" and at most {unit(high)}" if isfinite(high) else "")
    return f"between {unit(low)} and {unit(high)}" if isfinite(high) else f"at least {unit(low)}"


def _metric(contest: Contest) -> str:
    label = _mid_sentence(contest.plan.primary.label)
    plural = label.endswith("s") and not label.endswith("ss")
    return f"{label} {'are' if plural else 'is'}"


def _mid_sentence(label: str) -> str:
    """'Visits' -> 'visits'; abbreviations stay: 'CTR'."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def _where(contest: Contest) -> str:
    segment = contest.scope.segment
    return "all segments together" if segment is None else contest.plan.segment_name(segment)


def _does(variants: Sequence[str]) -> str:
    return "does" if len(variants) == 1 else "do"


def _name(contest: Contest, variant: str) -> str:
    return contest.plan.variant_name(variant)


def _list(contest: Contest, variants: Sequence[str], conjunction: str = "and") -> str:
    *rest, last = (_name(contest, variant) for variant in variants)
    return f"{', '.join(rest)} {conjunction} {last}" if rest else last
