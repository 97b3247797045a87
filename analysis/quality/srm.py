"""Sample ratio mismatch: did the arms receive the shares they were meant to?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, fsum, log

from scipy.special import chdtrc

from analysis.estimate import SMALLEST_P, Finding, SampleRatio, SequentialRatio, Undefined
from analysis.moments import ArmKey, MomentTable
from analysis.plan import LEAST_TUNED_FOR_UNITS, Cell, Plan
from analysis.quality.srm_sequential import concentration_for, sequential_ratio
from analysis.scopes import Scope, Stratum

# Cochran's rule: below five expected units the chi-square is no chi-square (1 unit where .04 are expected gives 24).
_LEAST_EXPECTED = 5.0

# Chance of a false alarm of one segment (or cell) over all looks together. A single look has `srm_alpha`, far smaller:
# with .001 at every look, what is split 51:49 would be found too late.
ANY_LOOK_ALPHA = 0.01
_FAR_MORE = 100


def sample_ratio(scope: Scope, table: MomentTable, plan: Plan) -> SampleRatio:
    """Chi-square test of the arm counts against the intended split, over all strata of a scope.

    Parameters
    ----------
    scope, table
        Counts of units that were first exposed there; those in arms of weight 0 are no part of the test, they are an
        alarm of their own.
    plan
        Variants in display order; error rate and planned units of the test that holds at every look.

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
    variants = plan.variants
    observed, expected = dict.fromkeys(variants, 0), dict.fromkeys(variants, 0.0)
    cells: list[tuple[list[int], list[float]]] = []
    chi_square, freedom, arms = 0.0, 0, 0
    for stratum in scope.strata:
        counts = {variant: stratum.units(table, variant) for variant in variants}
        in_play = sum(counts[variant] for variant, _ in stratum.shares)
        for variant, count in counts.items():
            observed[variant] += count
        if not in_play:
            continue
        arms = max(arms, len(stratum.shares))
        cells.append(([counts[variant] for variant, _ in stratum.shares], [share for _, share in stratum.shares]))
        wanted = {variant: share * in_play for variant, share in stratum.shares}
        for variant, meant in wanted.items():
            expected[variant] += meant
        classes = _classes(wanted, counts)
        freedom += len(classes) - 1
        chi_square += sum((seen - fair) ** 2 / fair for seen, fair in classes if len(classes) > 1)
    reason = _untestable(arms, freedom)
    return SampleRatio(
        chi_square=reason or chi_square,
        degrees_of_freedom=freedom,
        p_value=reason or max(float(chdtrc(freedom, chi_square)), SMALLEST_P),
        observed=tuple(observed.items()),
        expected=tuple(expected.items()),
        sequential=_at_any_look(cells, plan),
    )


def _at_any_look(cells: Sequence[tuple[Sequence[int], Sequence[float]]], plan: Plan) -> SequentialRatio | Undefined:
    """The mean of three e-values, tuned for the planned number of units, for far fewer and for far more: an e-value.

    One alone is blind to large mismatches early, and to small ones late.
    """
    tuned = (LEAST_TUNED_FOR_UNITS, plan.tuned_for_units, _FAR_MORE * plan.tuned_for_units)
    found = [sequential_ratio(cells, concentration_for(ANY_LOOK_ALPHA, units)) for units in tuned]
    logs = [one.log_evidence for one in found if isinstance(one, SequentialRatio)]
    if len(logs) < len(found):
        return found[0]
    highest = max(logs)
    evidence = highest + log(fsum(exp(one - highest) for one in logs) / len(logs))
    return SequentialRatio(log_evidence=evidence, p_value=max(exp(-max(evidence, 0.0)), SMALLEST_P))


def _classes(wanted: Mapping[str, float], counts: Mapping[str, int]) -> list[tuple[int, float]]:
    """(observed, expected) of every arm, the rare ones together with the next larger until they expect enough."""
    classes: list[tuple[int, float]] = []
    seen, meant = 0, 0.0
    for variant in sorted(wanted, key=lambda variant: (wanted[variant], variant)):
        seen, meant = seen + counts[variant], meant + wanted[variant]
        if meant >= _LEAST_EXPECTED:
            classes.append((seen, meant))
            seen, meant = 0, 0.0
    if meant:
        last_seen, last_meant = classes.pop() if classes else (0, 0.0)
        classes.append((last_seen + seen, last_meant + meant))
    return classes


def _untestable(arms: int, freedom: int) -> Undefined | None:
    if arms < 2:
        return Undefined(reason="one_arm", message="There are no two arms with units to compare the sizes of.")
    if not freedom:
        return Undefined(reason="too_few_units", message="Too few units yet to test how they were split.")
    return None


def srm_findings(plan: Plan, scope: Scope, ratio: SampleRatio, table: MomentTable) -> list[Finding]:
    """What is wrong with the split of a scope: as a whole, in one cell, in those left out, in arms meant for nobody."""
    findings = []
    if mismatch := _mismatch(plan, scope, ratio, None):
        findings.append(mismatch)
    cells = [cell for cell in plan.cells if scope.segment in (None, cell.segment)]
    if scope.segment is not None and len(cells) > 1:
        for cell in cells:
            alone = _cell_scope(cell)
            if mismatch := _mismatch(plan, alone, sample_ratio(alone, table, plan), cell.epoch):
                findings.append(mismatch)
    return [*findings, *mixed_imbalance(plan, scope, ratio, table), *_uninvited(plan, cells, table)]


def mixed_imbalance(plan: Plan, scope: Scope, ratio: SampleRatio, table: MomentTable) -> list[Finding]:
    """Whether leaving out the mixed units favours an arm: where they first were is tested as the others are.

    Randomised, units are lost to mixing in the same shares as they came. They are not where, say, only one variant
    makes customers sign out and be taken for somebody else. Two tests: of the mixed units alone, and, where those that
    count are split well, of all together: few, but lost from one arm, they may hide a mismatch of the whole.
    """
    mixed = replace(table, units=table.mixed)
    units = sum(scope.units(mixed, variant) for variant in plan.variants)
    alone = sample_ratio(scope, mixed, plan)
    if _alarms(plan, alone):
        return [_imbalance_finding(plan, units, alone, who="of them")]
    together = sample_ratio(scope, replace(table, units=table.units_first_seen), plan)
    if units and _alarms(plan, together) and not _alarms(plan, ratio):
        return [_imbalance_finding(plan, units, together, who="together with the others")]
    return []


def _alarms(plan: Plan, ratio: SampleRatio) -> bool:
    """By the test that holds at every look, unless the plan has a single one."""
    if plan.stopping_rule == "fixed_horizon":
        return not isinstance(ratio.p_value, Undefined) and ratio.p_value < plan.srm_alpha
    sequential = ratio.sequential
    return isinstance(sequential, SequentialRatio) and sequential.p_value < ANY_LOOK_ALPHA


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


def _cell_scope(cell: Cell) -> Scope:
    offered = tuple(variant for variant, _ in cell.shares)
    stratum = Stratum(epoch=cell.epoch, segments=(cell.segment,), shares=cell.shares)
    return Scope(segment=cell.segment, strata=(stratum,), offered=offered, current=offered)


def _mismatch(plan: Plan, scope: Scope, ratio: SampleRatio, epoch: int | None) -> Finding | None:
    if not _alarms(plan, ratio):
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


def _uninvited(plan: Plan, cells: Sequence[Cell], table: MomentTable) -> list[Finding]:
    findings = []
    for cell in cells:
        invited = {variant for variant, _ in cell.shares}
        for variant in plan.variants:
            count = table.units.get(ArmKey(cell.epoch, cell.segment, variant), 0)
            if count and variant not in invited:
                findings.append(_uninvited_finding(plan, cell, variant, count))
    return findings


def _uninvited_finding(plan: Plan, cell: Cell, variant: str, count: int) -> Finding:
    return Finding(
        code="zero_weight_arm",
        severity="critical",
        message=f"{count} {plan.units_name} of segment {plan.segment_name(cell.segment)} saw "
        f"{plan.variant_name(variant)} in epoch {cell.epoch}, which should have shown it to nobody",
        variant=variant,
        epoch=cell.epoch,
    )


def _percentages(first: float, second: float) -> tuple[str, str]:
    """Both with the fewest digits, three or more, at which they differ."""
    for digits in range(3, 9):
        texts = f"{100 * first:.{digits}g}%", f"{100 * second:.{digits}g}%"
        if texts[0] != texts[1]:
            break
    return texts
