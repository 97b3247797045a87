"""Sample ratio mismatch: did the arms receive the shares they were meant to?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import exp, fsum, log
from operator import add, itemgetter
from typing import NamedTuple

from scipy.special import chdtrc

from analysis.board import Board
from analysis.estimate import SMALLEST_P, Finding, SampleRatio, SequentialRatio, Undefined
from analysis.moments import ArmKey, MomentTable
from analysis.plan import LEAST_TUNED_FOR_UNITS, Plan
from analysis.quality.srm_sequential import ONE_ARM, concentration_for, evidence_of_cells
from analysis.scopes import Scope, Stratum

# Cochran's rule: below five expected units the chi-square is no chi-square (1 unit where .04 are expected gives 24).
_LEAST_EXPECTED = 5.0

# Chance of a false alarm of one segment (or cell) over all looks together. A single look has `srm_alpha`, far smaller:
# with .001 at every look, what is split 51:49 would be found too late.
ANY_LOOK_ALPHA = 0.01
_FAR_MORE = 100


class Split(NamedTuple):
    """Units of all variants in plan order, in a stratum (or a cell) with these intended shares."""

    shares: Sequence[tuple[str, float]]
    counts: Sequence[int]


def scope_ratio(board: Board, number: int) -> SampleRatio:
    """Of all units that count in a scope, by the number of the scope."""
    strata = board.scopes[number].strata
    counted = [board.counts[place] for place in board.places[number]]
    return sample_ratio(
        board.plan, [Split(stratum.shares, counts) for stratum, counts in zip(strata, counted, strict=True)]
    )


def sample_ratio(plan: Plan, splits: Sequence[Split]) -> SampleRatio:
    """Chi-square test of the arm counts against the intended split, over all strata of a scope.

    Parameters
    ----------
    plan
        Variants in display order; error rate and planned units of the test that holds at every look.
    splits
        Counts of units that were first exposed there; those in arms of weight 0 are no part of the test, they are an
        alarm of their own.

    Returns
    -------
    SampleRatio
        Σ (observed - expected)² / expected over classes and strata; degrees of freedom Σ (classes - 1). A class is an
        arm with a positive weight; arms that expect fewer than five units are one class with the next larger ones, so
        that a rare arm or a new stratum does not silence the others. `Undefined("too_few_units")` when no stratum has
        two classes. `sequential` is the test for who looks again and again, on the same counts.

    Notes
    -----
    Assumes that units arrive independently, and the chi-square test one look: at .001 it errs in .23 of 20 segments
    over 60 daily looks.
    Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019.
    """
    places = {variant: place for place, variant in enumerate(plan.variants)}
    observed, expected = [0] * len(places), [0.0] * len(places)
    cells: list[tuple[list[int], tuple[float, ...]]] = []
    chi_square, freedom, arms = 0.0, 0, 0
    for shares, counts in splits:
        observed = list(map(add, observed, counts))
        at = [places[variant] for variant, _ in shares]
        seen = [counts[place] for place in at]
        in_play = sum(seen)
        if not in_play:
            continue
        arms = max(arms, len(shares))
        weights = tuple([share for _, share in shares])
        cells.append((seen, weights))
        wanted = [share * in_play for share in weights]
        for place, meant in zip(at, wanted, strict=True):
            expected[place] += meant
        classes = _classes(wanted, seen)
        freedom += len(classes) - 1
        if len(classes) > 1:
            chi_square += sum([(found - fair) ** 2 / fair for fair, found in classes])
    reason = _untestable(arms, freedom)
    return SampleRatio(
        chi_square=reason or chi_square,
        degrees_of_freedom=freedom,
        p_value=reason or max(float(chdtrc(freedom, chi_square)), SMALLEST_P),
        observed=tuple(zip(plan.variants, observed, strict=True)),
        expected=tuple(zip(plan.variants, expected, strict=True)),
        sequential=_at_any_look(cells, plan),
    )


def _at_any_look(cells: Sequence[tuple[Sequence[int], Sequence[float]]], plan: Plan) -> SequentialRatio | Undefined:
    """The mean of three e-values, tuned for the planned number of units, for far fewer and for far more: an e-value.

    One alone is blind to large mismatches early, and to small ones late.
    """
    logs = evidence_of_cells(cells, _concentrations(plan.tuned_for_units))
    if not logs:
        return ONE_ARM
    highest = max(logs)
    evidence = highest + log(fsum([exp(one - highest) for one in logs]) / len(logs))
    return SequentialRatio(log_evidence=evidence, p_value=max(exp(-max(evidence, 0.0)), SMALLEST_P))


@lru_cache(maxsize=64)
def _concentrations(tuned_for_units: int) -> tuple[float, ...]:
    tuned = (LEAST_TUNED_FOR_UNITS, tuned_for_units, _FAR_MORE * tuned_for_units)
    return tuple(concentration_for(ANY_LOOK_ALPHA, units) for units in tuned)


def _classes(wanted: Sequence[float], counts: Sequence[int]) -> list[tuple[float, int]]:
    """(expected, observed) of every arm, the rare ones together with the next larger until they expect enough."""
    # Equal ones stay in the order of their keys.
    arms = sorted(zip(wanted, counts, strict=True), key=itemgetter(0))
    if arms[0][0] >= _LEAST_EXPECTED:
        return arms
    classes: list[tuple[float, int]] = []
    seen, meant = 0, 0.0
    for fair, found in arms:
        seen, meant = seen + found, meant + fair
        if meant >= _LEAST_EXPECTED:
            classes.append((meant, seen))
            seen, meant = 0, 0.0
    if meant:
        last_meant, last_seen = classes.pop() if classes else (0.0, 0)
        classes.append((last_meant + meant, last_seen + seen))
    return classes


_TOO_FEW = Undefined(reason="too_few_units", message="Too few units yet to test how they were split.")


def _untestable(arms: int, freedom: int) -> Undefined | None:
    return ONE_ARM if arms < 2 else None if freedom else _TOO_FEW


def srm_findings(board: Board, number: int, ratio: SampleRatio) -> list[Finding]:
    """What is wrong with the split of a scope: as a whole, in one cell, in those left out, in arms meant for nobody."""
    plan, scope = board.plan, board.scopes[number]
    findings = []
    if mismatch := _mismatch(plan, scope, ratio, None):
        findings.append(mismatch)
    if scope.segment is not None and len(scope.cells) > 1:
        for cell in scope.cells:
            alone = sample_ratio(plan, [_split(plan, cell, board.table.units)])
            if mismatch := _mismatch(plan, scope, alone, cell.epoch, share=len(scope.cells)):
                findings.append(mismatch)
    return [*findings, *mixed_imbalance(plan, scope, ratio, board.table), *_uninvited(plan, scope, board.table)]


def srm_doubts(board: Board, number: int, ratio: SampleRatio, found: Sequence[Finding]) -> list[Finding]:
    """A split that would alarm at one look, while the test for all looks does not; nothing where an alarm is found."""
    plan, scope = board.plan, board.scopes[number]
    if any(one.code == "srm" for one in found) or _alarms(plan, ratio):
        return []
    if isinstance(ratio.p_value, Undefined) or ratio.p_value >= plan.srm_alpha:
        return []
    variant, seen, meant = _worst(ratio)
    name = plan.variant_name(variant)
    where = "all segments together" if scope.segment is None else f"segment {plan.segment_name(scope.segment)}"
    return [
        Finding(
            code="srm_suspected",
            severity="warning",
            message=f"The split in {where} looks wrong: {seen} in {name}, expected {meant}. Chance alone does so in "
            f"fewer than one of {1 / plan.srm_alpha:,.0f} looks; for who looks again and again it is no proof yet",
            variant=variant,
        )
    ]


def _split(plan: Plan, stratum: Stratum, units: Mapping[ArmKey, int]) -> Split:
    counts = [
        sum([units.get(ArmKey(stratum.epoch, segment, variant), 0) for segment in stratum.segments])
        for variant in plan.variants
    ]
    return Split(stratum.shares, counts)


def mixed_imbalance(plan: Plan, scope: Scope, ratio: SampleRatio, table: MomentTable) -> list[Finding]:
    """Whether leaving out the mixed units favours an arm: where they first were is tested as the others are.

    Randomised, units are lost to mixing in the same shares as they came. They are not where, say, only one variant
    makes customers sign out and be taken for somebody else. Two tests: of the mixed units alone, and, where those that
    count are split well, of all together: few, but lost from one arm, they may hide a mismatch of the whole.
    """
    mixed = [_split(plan, stratum, table.mixed) for stratum in scope.strata] if table.mixed else []
    units = sum(sum(split.counts) for split in mixed)
    if not units:
        return []
    alone = sample_ratio(plan, mixed)
    if _alarms(plan, alone):
        return [_imbalance_finding(plan, units, alone, who="of them")]
    if _alarms(plan, ratio):
        return []
    counted = [_split(plan, stratum, table.units) for stratum in scope.strata]
    together = sample_ratio(
        plan,
        [Split(one.shares, [*map(add, one.counts, other.counts)]) for one, other in zip(counted, mixed, strict=True)],
    )
    return (
        [_imbalance_finding(plan, units, together, who="together with the others")] if _alarms(plan, together) else []
    )


def _alarms(plan: Plan, ratio: SampleRatio, share: int = 1) -> bool:
    """By the test that holds at every look, unless the plan has a single one; one of `share` tests of a kind."""
    if plan.stopping_rule == "fixed_horizon":
        return not isinstance(ratio.p_value, Undefined) and ratio.p_value < plan.srm_alpha / share
    sequential = ratio.sequential
    return isinstance(sequential, SequentialRatio) and sequential.p_value < ANY_LOOK_ALPHA / share


def _imbalance_finding(plan: Plan, mixed: int, ratio: SampleRatio, *, who: str) -> Finding:
    variant, seen, meant = _worst(ratio)
    return Finding(
        code="mixed_imbalance",
        severity="critical",
        message=f"{mixed:,} {plan.units_name} saw more than one variant and are left out, but not evenly: {who} {seen} "
        f"were in {plan.variant_name(variant)} first, expected {meant}",
        variant=variant,
    )


def _worst(ratio: SampleRatio) -> tuple[str, str, str]:
    """The arm whose share is furthest off, the share it has and the one it should have."""
    expected = dict(ratio.expected)
    observed = {variant: count for variant, count in ratio.observed if expected[variant] > 0}
    wanted, total = sum(expected.values()), sum(observed.values())
    gaps = {variant: count / total - expected[variant] / wanted for variant, count in observed.items()}
    worst = max(gaps, key=lambda variant: abs(gaps[variant]))
    return worst, *_percentages(observed[worst] / total, expected[worst] / wanted)


def _mismatch(plan: Plan, scope: Scope, ratio: SampleRatio, epoch: int | None, share: int = 1) -> Finding | None:
    if not _alarms(plan, ratio, share):
        return None
    worst, seen, meant = _worst(ratio)
    where = "all segments together" if scope.segment is None else f"segment {plan.segment_name(scope.segment)}"
    when = "" if epoch is None else f", epoch {epoch}"
    return Finding(
        code="srm",
        severity="critical",
        message=f"SRM in {where}{when}: {seen} in {plan.variant_name(worst)}, expected {meant}",
        variant=worst,
        epoch=epoch,
    )


def _uninvited(plan: Plan, scope: Scope, table: MomentTable) -> list[Finding]:
    findings = []
    for cell in scope.cells:
        if len(cell.shares) == len(plan.variants):
            continue
        for variant in plan.variants:
            count = table.units.get(ArmKey(cell.epoch, cell.segments[0], variant), 0)
            if count and variant not in cell.variants:
                findings.append(_uninvited_finding(plan, cell, variant, count))
    return findings


def _uninvited_finding(plan: Plan, cell: Stratum, variant: str, count: int) -> Finding:
    return Finding(
        code="zero_weight_arm",
        severity="critical",
        message=f"{count} {plan.units_name} of segment {plan.segment_name(cell.segments[0])} saw "
        f"{plan.variant_name(variant)} in epoch {cell.epoch}, which should have shown it to nobody",
        variant=variant,
        epoch=cell.epoch,
    )


def _percentages(first: float, second: float) -> tuple[str, str]:
    """Both with the fewest digits, three or more, at which they differ; neither is all where it is not."""
    for digits in range(3, 9):
        texts = f"{100 * first:.{digits}g}%", f"{100 * second:.{digits}g}%"
        if texts[0] != texts[1] and all(
            (text == "100%") == (share == 1) for text, share in zip(texts, (first, second), strict=True)
        ):
            break
    return texts
