"""The minimum before the first look: below it standard errors have not settled, and nothing is concluded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import floor
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.board import Board, Pair
from analysis.effects.events import UNEQUAL
from analysis.estimate import Finding
from analysis.plan import Plan
from analysis.scopes import Scope
from analysis.tested import Tested

Floats: TypeAlias = NDArray[np.float64]


def clearly_above(board: Board, primary: Tested, rows: slice) -> list[bool]:
    """By scope, whether every variant has the minimum in every stratum: then `below_minimum` finds nothing there.

    `rows`: those of the primary metric.
    """
    plan, arms = board.plan, board.arms
    enough = (board.cells[0, board.primary][board.strata_of] >= plan.min_units).all(axis=(1, 2))
    if plan.metrics[board.primary].kind == "conversion":
        converted = np.rint(arms.total[board.primary])
        scarcer = np.minimum(converted, arms.n[board.primary] - converted)
        enough &= (scarcer >= plan.min_conversions).all(axis=1)
    treatment, baseline, needed = (events[rows] for events in primary.events)
    supported = np.minimum(treatment, baseline) >= np.maximum(needed, _least(plan))
    enough &= supported.reshape(len(board.scopes), -1).all(axis=1)
    found: list[bool] = enough.tolist()
    return found


def below_minimum(board: Board, number: int, primary: Tested, rows: slice) -> list[Finding]:
    """`few_units`, and `few_conversions` or `few_events`, of every arm that was offered in a scope.

    All on the primary metric: units whose window is not complete have no outcome yet and do not help.

    Parameters
    ----------
    number
        Of the scope on the board.
    primary, rows
        The tests of the primary metric, and which of their rows are the pairs of this scope.
    """
    plan, scope = board.plan, board.scopes[number]
    findings = list(_few_units(board, number))
    short = {finding.variant for finding in findings}
    if plan.primary.kind == "conversion":
        findings += _few_conversions(board, number, [variant for variant in scope.offered if variant not in short])
        short = {finding.variant for finding in findings}
    findings += _few_events(board, number, primary, rows, short)
    return sorted(findings, key=lambda finding: scope.offered.index(finding.variant or ""))


def _few_units(board: Board, number: int) -> Iterator[Finding]:
    """Strata are compared one by one, so the minimum has to be met in one of them, next to a control that meets it."""
    plan, scope = board.plan, board.scopes[number]
    # A scope without cells has no stratum, and nobody in it.
    counts = [board.outcomes[place] for place in board.places[number]] or board.outcomes[-1:]
    control = board.variants[plan.control]
    beside = [units for units in counts if units[control] >= plan.min_units]
    for variant in scope.offered:
        column = board.variants[variant]
        most = max([units[column] for units in counts])
        if most >= plan.min_units and beside:
            most = max([units[column] for units in beside])
        if most >= plan.min_units:
            continue
        in_one = "" if sum([units[column] for units in counts]) < plan.min_units else " while the split does not change"
        window = "" if plan.primary.window_seconds is None else " with a complete window"
        yield Finding(
            code="few_units",
            severity="info",
            message=f"{plan.variant_name(variant)} has {round(most)} of the {plan.min_units} {plan.units_name}{window} "
            f"needed{in_one}",
            variant=variant,
        )


def _few_conversions(board: Board, number: int, variants: Sequence[str]) -> Iterator[Finding]:
    """Of arms with fewer than the minimum, unless both arms of every comparison may expect it if nothing differs.

    The score test's variance is that of both arms together, and a treatment that does away with an event would be too
    early for ever. Events in a random order, looked at one by one to four times `tuned_for_units`, of rates from .002
    to .05 split from 1:1 to 9:1: the always-valid test errs in .003 to .037 of runs so, and in .003 to .036 where each
    arm has to have the minimum (4,000 runs each).
    """
    plan, at = board.plan, (board.primary, number)
    counts = zip(board.arms.n[at].tolist(), board.arms.total[at].tolist(), strict=True)
    found = {
        variant: (round(n), round(converted)) for variant, (n, converted) in zip(plan.variants, counts, strict=True)
    }
    sides = (
        ("with an event", {variant: found[variant] for variant in variants}),
        (
            "without an event",
            {variant: (found[variant][0], found[variant][0] - found[variant][1]) for variant in variants},
        ),
    )
    for variant in variants:
        for who, of in sides:
            count = of[variant][1]
            if count < plan.min_conversions and not _expected(of, variant, plan.min_conversions):
                yield Finding(
                    code="few_conversions",
                    severity="info",
                    message=f"{plan.variant_name(variant)} has {count} of the {plan.min_conversions} {plan.units_name} "
                    f"{who} needed",
                    variant=variant,
                    metric=plan.primary.key,
                )


def _expected(counts: Mapping[str, tuple[int, int]], variant: str, minimum: int) -> bool:
    """Whether a variant and each other one would both have the minimum, were the rate of the two together both's.

    `counts`: units of an arm, and how many of them.
    """
    units, count = counts[variant]
    others = [other for name, other in counts.items() if name != variant]
    return bool(others) and all(
        min(units, other_units) * (count + other_count) >= minimum * (units + other_units)
        for other_units, other_count in others
    )


def _few_events(board: Board, number: int, primary: Tested, rows: slice, short: set[str | None]) -> Iterator[Finding]:
    """One finding for each arm that holds up a comparison: the worst case of each.

    Conversions as well: enough of them in all, but those of a stratum with few units and much weight may be too few.
    """
    plan, scope = board.plan, board.scopes[number]
    worst: dict[str, tuple[int, float, Pair]] = {}
    # Rates that are the same, 0 or 1, say so themselves.
    reasons = primary.why_p if plan.primary.kind == "conversion" else primary.why
    columns = (reasons[rows], *(events[rows] for events in primary.events))
    for pair, why, treatment, baseline, enough in zip(board.pairs, *columns, strict=True):
        needed, events = max(int(enough), _least(plan)), float(min(treatment, baseline))
        if why or events >= needed or short & set(pair) or not set(pair) <= set(scope.offered):
            continue
        variant = _holding_up(board, number, pair, pair[0] if treatment < baseline else pair[1])
        if variant not in worst or (needed, -events) > (worst[variant][0], -worst[variant][1]):
            worst[variant] = needed, events, pair
    for variant in scope.offered:
        if variant in worst:
            needed, events, pair = worst[variant]
            changed = variant in scope.current and _was_split_otherwise(scope, pair)
            yield _few_events_finding(plan, variant, events, needed, split_changed=changed)


def _holding_up(board: Board, number: int, pair: Pair, scarcer: str) -> str:
    """Of a pair that rests on too little: who is offered no more, or has come late, rather than the scarcer of both."""
    gone = [variant for variant in pair if variant not in board.scopes[number].current]
    if len(gone) == 1:
        return gone[0]
    units = {variant: board.arms.n[board.primary, number, board.variants[variant]] for variant in pair}
    fewer, more = sorted(pair, key=units.__getitem__)
    return fewer if units[more] > UNEQUAL * units[fewer] else scarcer


def _was_split_otherwise(scope: Scope, pair: Pair) -> bool:
    """Whether one of the two had another share of both, at some time."""
    shares = [dict(stratum.shares) for stratum in scope.strata]
    both = [found[pair[0]] / (found[pair[0]] + found[pair[1]]) for found in shares if found.keys() >= set(pair)]
    return len({round(share, 12) for share in both}) > 1


def _least(plan: Plan) -> int:
    """Effective conversions that are needed however equal arms are."""
    return plan.min_conversions if plan.primary.kind == "conversion" else 0


def _few_events_finding(plan: Plan, variant: str, events: float, needed: int, *, split_changed: bool) -> Finding:
    name, is_rate = plan.variant_name(variant), plan.primary.kind == "conversion"
    what = name if is_rate else f"{plan.primary.label} of {name}"
    each = ", with an event and without" if is_rate else ""
    when = ", as it had few of them while the split was another" if split_changed else ""
    return Finding(
        code="few_conversions" if is_rate else "few_events",
        severity="info",
        message=f"{what} comes down to {floor(events)} of the {needed} {plan.units_name} needed{each}{when}",
        variant=variant,
        metric=plan.primary.key,
    )
