"""Verdicts in plain words, for people who decide about content. A sentence never says more than its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.estimate import Estimate, Finding, Interval, Undefined
from analysis.inference.contest import Contest


def winner(contest: Contest, variant: str) -> str:
    return f"{_name(contest, variant)} wins for {_where(contest)}: {_by_how_much(contest, variant)}."


def ahead(contest: Contest, leader: str, rivals: Sequence[str]) -> str:
    return (
        f"{_name(contest, leader)} beats {_name(contest, contest.plan.control)} for {_where(contest)}, but cannot be "
        f"told apart from {_list(contest, rivals, 'or')} yet: {_by_how_much(contest, leader)}."
    )


def tied(contest: Contest, leaders: Sequence[str]) -> str:
    both = "both" if len(leaders) == 2 else "all"
    return (
        f"{_list(contest, leaders)} {both} beat {_name(contest, contest.plan.control)} for {_where(contest)}, "
        "but cannot be told apart yet."
    )


def control_wins(contest: Contest, treatments: Sequence[str]) -> str:
    start = f"{_name(contest, contest.plan.control)} wins for {_where(contest)}"
    if len(treatments) == 1:
        change, interval = _change(contest, treatments[0])
        return f"{start}: with {_name(contest, treatments[0])} {change}{interval}."
    worse = "lower" if contest.plan.primary.direction == "increase" else "higher"
    return f"{start}: {_metric(contest)} {worse} with {_list(contest, treatments)}."


def undecided(contest: Contest, worse: Sequence[str]) -> str:
    if not worse:
        return f"No winner for {_where(contest)} yet: {_hint(contest)}."
    verb = "does" if len(worse) == 1 else "do"
    control = _name(contest, contest.plan.control)
    return (
        f"No winner for {_where(contest)} yet: {_list(contest, worse)} {verb} worse than {control}, the rest is open."
    )


def _hint(contest: Contest) -> str:
    """Why an interval may leave out 0 and still decide nothing: it stands for one comparison, the verdict for all."""
    alone = contest.promising()
    if not alone:
        return "the variants cannot be told apart"
    control = _name(contest, contest.plan.control)
    verb = "looks" if len(alone) == 1 else "look"
    return (
        f"{_list(contest, alone)} {verb} better than {control}, but not surely enough for as many comparisons as are "
        "made at once"
    )


def nothing_to_compare(contest: Contest) -> str:
    return f"There is nothing to compare for {_where(contest)}: a control and another variant have to be shown."


def too_early(contest: Contest, reasons: Sequence[Finding]) -> str:
    return f"Too early to say for {_where(contest)}: {reasons[0].message}."


def untrustworthy(contest: Contest) -> str:
    return f"Nothing can be concluded for {_where(contest)}: {contest.critical[0].message}."


def _by_how_much(contest: Contest, variant: str) -> str:
    """'visits are 69% higher than with No e-mail (between 52% and 88%)'"""
    change, interval = _change(contest, variant)
    return f"{change} than with {_name(contest, contest.plan.control)}{interval}"


def _change(contest: Contest, variant: str) -> tuple[str, str]:
    """'visits are 69% higher', ' (between 52% and 88%)'; in plain numbers where there is no percentage."""
    effect = contest.effects[variant, contest.plan.control]
    estimate, unit = effect.lift, _percent
    if isinstance(estimate.value, Undefined) or _interval(contest, estimate) is None:
        estimate, unit = effect.difference, _number
    value, interval = estimate.value, _interval(contest, estimate)
    if isinstance(value, Undefined) or interval is None:
        return f"{_metric(contest)} higher or lower", ""
    higher = value > 0
    low, high = (interval.low, interval.high) if higher else (-interval.high, -interval.low)
    change = f"{_metric(contest)} {unit(abs(value))} {'higher' if higher else 'lower'}"
    return change, f" (between {unit(low)} and {unit(high)})"


def _interval(contest: Contest, estimate: Estimate) -> Interval | None:
    anytime = contest.plan.stopping_rule == "always_valid"
    interval = estimate.always_valid if anytime else estimate.fixed
    return None if isinstance(interval, Undefined) else interval


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


def _name(contest: Contest, variant: str) -> str:
    return contest.plan.variant_name(variant)


def _list(contest: Contest, variants: Sequence[str], conjunction: str = "and") -> str:
    *rest, last = (_name(contest, variant) for variant in variants)
    return f"{', '.join(rest)} {conjunction} {last}" if rest else last


def _percent(value: float) -> str:
    percent = 100 * value
    decimals = 0 if abs(percent) >= 10 else 1 if abs(percent) >= 1 else 2
    return f"{percent:.{decimals}f}%"


def _number(value: float) -> str:
    return f"{value:.3g}"
