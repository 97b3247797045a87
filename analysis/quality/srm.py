"""Sample ratio mismatch: did the arms receive the shares they were meant to?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from scipy.special import chdtrc

from analysis.estimate import SMALLEST_P, Finding, SampleRatio, Undefined
from analysis.moments import ArmKey, MomentTable
from analysis.plan import Cell, Plan
from analysis.scopes import Scope, Stratum

# Cochran's rule: below five expected units the chi-square is no chi-square (1 unit where .04 are expected gives 24).
_LEAST_EXPECTED = 5.0


def sample_ratio(scope: Scope, table: MomentTable, variants: Sequence[str]) -> SampleRatio:
    """Chi-square test of the arm counts against the intended split, over all strata of a scope.

    Parameters
    ----------
    scope, table
        Counts of units that were first exposed there; those in arms of weight 0 are no part of the test, they are an
        alarm of their own.
    variants
        In display order.

    Returns
    -------
    SampleRatio
        Σ (observed - expected)² / expected over classes and strata; degrees of freedom Σ (classes - 1). A class is an
        arm with a positive weight; arms that expect fewer than five units are one class with the next larger ones, so
        that a rare arm or a new stratum does not silence the others. `Undefined("too_few_units")` when no stratum has
        two classes.

    Notes
    -----
    Assumes that units arrive independently and one look; under repeated looks alpha has to be small (.001).
    Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019.
    """
    observed, expected = dict.fromkeys(variants, 0), dict.fromkeys(variants, 0.0)
    chi_square, freedom, arms = 0.0, 0, 0
    for stratum in scope.strata:
        counts = {variant: stratum.units(table, variant) for variant in variants}
        in_play = sum(counts[variant] for variant, _ in stratum.shares)
        for variant, count in counts.items():
            observed[variant] += count
        if not in_play:
            continue
        arms = max(arms, len(stratum.shares))
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
    )


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
            if mismatch := _mismatch(plan, alone, sample_ratio(alone, table, plan.variants), cell.epoch):
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
    alone = sample_ratio(scope, mixed, plan.variants)
    if _alarms(plan, alone):
        return [_imbalance_finding(plan, units, alone, who="of them")]
    together = sample_ratio(scope, replace(table, units=table.units_first_seen), plan.variants)
    if units and _alarms(plan, together) and not _alarms(plan, ratio):
        return [_imbalance_finding(plan, units, together, who="together with the others")]
    return []


def _alarms(plan: Plan, ratio: SampleRatio) -> bool:
    return not isinstance(ratio.p_value, Undefined) and ratio.p_value < plan.srm_alpha


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
