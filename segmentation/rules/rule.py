"""A leaf is what fits all of its bounds; a rule is what is in any of its leaves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np

from segmentation.rules.bounds import Bound, Range
from segmentation.rules.columns import Columns, Flags

Leaf: TypeAlias = tuple[Bound, ...]
Rule: TypeAlias = tuple[Leaf, ...]


def leaf_matches(leaf: Leaf, columns: Columns) -> Flags:
    """Shape (n,), in the units of the attributes; a leaf without bounds holds everybody."""
    inside = np.ones(_units(columns), dtype=bool)
    for bound in leaf:
        inside &= bound.matches(columns[bound.attribute])
    return inside


def rule_matches(rule: Rule, columns: Columns) -> Flags:
    """Shape (n,); what the rule's condition document says of each unit."""
    inside = np.zeros(_units(columns), dtype=bool)
    for leaf in rule:
        inside |= leaf_matches(leaf, columns)
    return inside


def leaf_document(leaf: Leaf) -> dict[str, object]:
    """A condition in the dialect of segments: attributes side by side, `$and` only where some may be missing."""
    parts = [bound.document() for bound in leaf]
    if sum("$or" in part for part in parts) > 1:
        return {"$and": parts}
    return {key: value for part in parts for key, value in part.items()}


def rule_document(rule: Rule) -> dict[str, object]:
    """One condition; `$or` of its leaves where there are several."""
    documents = [leaf_document(leaf) for leaf in rule]
    return documents[0] if len(documents) == 1 else {"$or": documents}


def simplified(rule: Rule) -> Rule:
    """The same units in fewer leaves: two that differ in one range, whose ranges adjoin, become one.

    Ranges that are everything together are left out, and with them the question whether the attribute is there at all.
    """
    leaves = [tuple(sorted(leaf, key=lambda bound: bound.attribute)) for leaf in rule]
    while (pair := _first_pair(leaves)) is not None:
        one, other, merged = pair
        leaves = [leaf for leaf in leaves if leaf not in (one, other)] + [merged]
    return tuple(sorted(leaves, key=repr))


def _first_pair(leaves: Sequence[Leaf]) -> tuple[Leaf, Leaf, Leaf] | None:
    for one, other in combinations(leaves, 2):
        merged = _merged(one, other)
        if merged is not None:
            return one, other, merged
    return None


def _merged(one: Leaf, other: Leaf) -> Leaf | None:
    if [bound.attribute for bound in one] != [bound.attribute for bound in other]:
        return None
    differing = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    if len(differing) != 1:
        return one if not differing else None
    a, b = differing[0]
    if not (isinstance(a, Range) and isinstance(b, Range)) or a.missing or b.missing:
        return None
    low, high = (a, b) if a.at_most is not None and a.at_most == b.above else (b, a)
    if low.at_most is None or low.at_most != high.above:
        return None
    if low.above is None and high.at_most is None:
        return tuple(bound for bound in one if bound is not a)
    joined = Range(attribute=a.attribute, above=low.above, at_most=high.at_most)
    return tuple(joined if bound is a else bound for bound in one)


def _units(columns: Columns) -> int:
    return len(next(iter(columns.values())).values)
