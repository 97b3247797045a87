"""Have the groups the sizes they should have? Per segment: who was counted, who should have been, and how odd it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names
from api.dashboard.stored import Number, Scope, StoredReport
from experiments.domain.wording import listed, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One arm: counted, and expected from the split."""

    variant: str
    units: str
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """`note`: how odd its groups are, or why that is not known."""

    segment: str
    groups: tuple[Group, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """`sound` while no critical finding stands, and none that doubts the sizes.

    `sentence` says of how many groups that can be said at all.
    """

    sound: bool
    sentence: str
    sizes: tuple[Sizes, ...]
    has_any_look: bool


def quality_of(report: StoredReport, names: Names) -> Quality | None:
    """Return the sizes of all groups; None before anybody was counted."""
    counted = [scope for scope in report.scopes if scope.ratio.observed]
    if not counted:
        return None
    sizes = tuple(_sizes(scope, names) for scope in counted)
    broken = any(finding.severity == "critical" for finding in report.all_findings)
    doubted = report.doubts_sizes
    return Quality(
        sound=not broken and not doubted,
        sentence=_doubt(broken=broken) if broken or doubted else _sentence(counted, names),
        sizes=sizes,
        has_any_look=any(one.ratio.any_look.value is not None for one in counted),
    )


def _doubt(*, broken: bool) -> str:
    return f"Something {'is' if broken else 'may be'} wrong with the groups: see the warnings at the top."


def _sentence(counted: Sequence[Scope], names: Names) -> str:
    """Say what the test says, and where there are too few for a test."""
    units = plural(names.unit)
    if not any(_is_anybody_in(one) for one in counted):
        return "Nobody has been counted yet."
    split = [one for one in counted if sum(expected > 0 for _, expected in one.ratio.expected) > 1]
    untested = [names.segment(one.segment) for one in split if one.ratio.one_look.value is None]
    if untested and len(untested) == len(split):
        return f"There are too few {units} yet to check whether the groups have the sizes that the split intends."
    if untested:
        return (
            "The groups that can be checked have the sizes that the split intends; "
            f"for {listed(untested)} there are too few {units} yet."
        )
    return "All groups have the sizes that the split intends."


def _sizes(scope: Scope, names: Names) -> Sizes:
    expected = dict(scope.ratio.expected)
    return Sizes(
        segment=names.segment(scope.segment),
        groups=tuple(
            Group(variant=names.variant(variant), units=say.count(units), expected=_expected(expected.get(variant)))
            for variant, units in scope.ratio.observed
        ),
        note=_note(scope),
    )


def _expected(units: float | None) -> str:
    return "–" if units is None else say.count(round(units))


def _is_anybody_in(scope: Scope) -> bool:
    return any(units for _, units in scope.ratio.observed)


def _note(scope: Scope) -> str:
    """At every look and at one; what neither has is said once."""
    if not _is_anybody_in(scope):
        return "nobody yet"
    at_every, at_one = _p(scope.ratio.any_look), _p(scope.ratio.one_look)
    if scope.ratio.any_look.value is None and at_every == at_one:
        return at_one
    told = (("at every look", at_every), ("at one look", at_one))
    return "; ".join(f"{look}: {said}" for look, said in told if said)


def _p(number: Number) -> str:
    return number.missing.removesuffix(".") if number.value is None else say.p_value(number.value)
