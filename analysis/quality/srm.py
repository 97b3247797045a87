"""Sample ratio mismatch: did the arms receive the shares they were meant to?"""

from __future__ import annotations

from collections.abc import Sequence

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
        Σ (observed - expected)² / expected, summed over arms with a positive weight and strata; degrees of freedom
        Σ (arms - 1). `Undefined("too_few_units")` while any arm expects fewer than five.

    Notes
    -----
    Assumes that units arrive independently and one look; under repeated looks alpha has to be small (.001).
    Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019.
    """
    observed, expected = dict.fromkeys(variants, 0), dict.fromkeys(variants, 0.0)
    chi_square, freedom, least = 0.0, 0, float("inf")
    for stratum in scope.strata:
        counts = {variant: stratum.units(table, variant) for variant in variants}
        in_play = sum(counts[variant] for variant, _ in stratum.shares)
        for variant, count in counts.items():
            observed[variant] += count
        if not in_play:
            continue
        freedom += len(stratum.shares) - 1
        for variant, share in stratum.shares:
            wanted = share * in_play
            expected[variant] += wanted
            chi_square += (counts[variant] - wanted) ** 2 / wanted
            least = min(least, wanted)
    reason = _untestable(freedom, least)
    return SampleRatio(
        chi_square=reason or chi_square,
        degrees_of_freedom=freedom,
        p_value=reason or max(float(chdtrc(freedom, chi_square)), SMALLEST_P),
        observed=tuple(observed.items()),
        expected=tuple(expected.items()),
    )


def _untestable(freedom: int, least: float) -> Undefined | None:
    if not freedom:
        return Undefined(reason="one_arm", message="There are no two arms with units to compare the sizes of.")
    if least < _LEAST_EXPECTED:
        return Undefined(reason="too_few_units", message="Too few units yet to test how they were split.")
    return None


def srm_findings(plan: Plan, scope: Scope, ratio: SampleRatio, table: MomentTable) -> list[Finding]:
    """What is wrong with the split of a scope: as a whole, in one cell, or in an arm that should receive nobody."""
    findings = []
    if mismatch := _mismatch(plan, scope, ratio, None):
        findings.append(mismatch)
    cells = [cell for cell in plan.cells if scope.segment in (None, cell.segment)]
    if scope.segment is not None and len(cells) > 1:
        for cell in cells:
            alone = _cell_scope(cell)
            if mismatch := _mismatch(plan, alone, sample_ratio(alone, table, plan.variants), cell.epoch):
                findings.append(mismatch)
    return findings + _uninvited(plan, cells, table)


def _cell_scope(cell: Cell) -> Scope:
    offered = tuple(variant for variant, _ in cell.shares)
    stratum = Stratum(epoch=cell.epoch, segments=(cell.segment,), shares=cell.shares)
    return Scope(segment=cell.segment, strata=(stratum,), offered=offered, current=offered)


def _mismatch(plan: Plan, scope: Scope, ratio: SampleRatio, epoch: int | None) -> Finding | None:
    if isinstance(ratio.p_value, Undefined) or ratio.p_value >= plan.srm_alpha:
        return None
    expected = dict(ratio.expected)
    observed = {variant: count for variant, count in ratio.observed if expected[variant] > 0}
    wanted, total = sum(expected.values()), sum(observed.values())
    gaps = {variant: count / total - expected[variant] / wanted for variant, count in observed.items()}
    worst = max(gaps, key=lambda variant: abs(gaps[variant]))
    seen, meant = _percentages(observed[worst] / total, expected[worst] / wanted)
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
