"""Scores of recency, frequency and money, from cuts that are data: declared, or found as quantiles."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt

from analysis.estimate import Undefined
from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

FEWEST_SCORES, MOST_SCORES = 2, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """1 is worst; `fm` stands for frequency and money together."""

    r: int
    f: int
    m: int

    @property
    def fm(self) -> int:
        """Their mean, halves upwards."""
        return (self.f + self.m + 1) // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Where one score ends and the next begins.

    Parameters
    ----------
    recency_days, frequency, monetary_cents
        Upper ends, inclusive and ascending: (1, 3) makes the groups up to 1, 2 to 3, and above 3. As many of each; one
        fewer than there are scores (2 to 10). The lowest group of frequency and money has score 1, that of recency the
        highest. Two ends may be equal: then nobody has the score between them.

    Raises
    ------
    Refused
        `cuts_not_ascending`, `cuts_of_different_length`, `too_few_scores`, `too_many_scores`.

    Notes
    -----
    A value's score depends on the value alone, so equal values never part. (NTILE fills groups of equal size, and to do
    so gives customers who did the same different scores, by chance.)
    """

    recency_days: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary_cents: tuple[int, ...]

    def __post_init__(self) -> None:
        all_ends = (self.recency_days, self.frequency, self.monetary_cents)
        if len({len(ends) for ends in all_ends}) > 1:
            raise Refused("cuts_of_different_length", "recency, frequency and money need as many cuts each")
        _check_scores(self.scores)
        if any(a > b for ends in all_ends for a, b in pairwise(ends)):
            raise Refused("cuts_not_ascending", "cuts are upper ends, and ascend")

    @property
    def scores(self) -> int:
        return len(self.frequency) + 1

    def score(self, *, recency_days: int, frequency: int, monetary_cents: int) -> Scores:
        """Of one customer."""
        return Scores(
            r=self.scores - bisect_left(self.recency_days, recency_days),
            f=1 + bisect_left(self.frequency, frequency),
            m=1 + bisect_left(self.monetary_cents, monetary_cents),
        )

    def scored(self, customers: ir.Table) -> ir.Table:
        """The table with `r_score`, `f_score`, `m_score` and `fm_score`, as `score` gives them."""
        f = 1 + _ends_below(customers["frequency"], self.frequency)
        m = 1 + _ends_below(customers["monetary_cents"], self.monetary_cents)
        r = self.scores - _ends_below(customers["recency_days"], self.recency_days)
        table = customers.mutate(r_score=r.cast("int8"), f_score=f.cast("int8"), m_score=m.cast("int8"))
        fm = (table["f_score"] + table["m_score"] + 1).cast("int8") // 2
        return table.mutate(fm_score=fm.cast("int8"))


def quantile_cuts(customers: ir.Table, scores: int = 5) -> Cuts | Undefined:
    """Cuts that make groups as equal in size as ties allow.

    Parameters
    ----------
    customers : ibis.Table
        Of `customers`, on DuckDB; best a stored table.
    scores
        How many groups, 2 to 10, else `Refused`.

    Returns
    -------
    Cuts
        The k-th end is the ⌈n·k/scores⌉-th smallest value. A value that several customers have belongs as a whole to
        the lowest group that reaches it: where half of all bought once, all of these have a frequency score of 1, and
        nobody has 2.
        `Undefined("no_customers")` of none.
    """
    _check_scores(scores)
    # A little below: 5/6 of 12 is 10.000000000000002 in floats, and yet the tenth.
    shares = [k / scores * (1 - 1e-12) for k in range(1, scores)]
    columns = ("recency_days", "frequency", "monetary_cents")
    asked = customers.aggregate(**{name: _quantile_disc(customers[name], shares) for name in columns})
    [row] = asked.to_pyarrow().to_pylist()
    if row["frequency"] is None:
        return Undefined(reason="no_customers", message="Nobody has bought anything.")
    return Cuts(**{name: tuple(row[name]) for name in columns})


@ibis.udf.agg.builtin(name="quantile_disc")  # type: ignore[untyped-decorator]
def _quantile_disc(column: dt.int64, shares: dt.Array[dt.float64]) -> dt.Array[dt.int64]:
    """DuckDB's own: values that occur, none between two of them."""


def _check_scores(scores: int) -> None:
    if scores < FEWEST_SCORES:
        raise Refused("too_few_scores", f"there are {FEWEST_SCORES} scores at least")
    if scores > MOST_SCORES:
        raise Refused("too_many_scores", f"there are {MOST_SCORES} scores at most")


def _ends_below(column: Any, ends: Sequence[int]) -> Any:
    """How many ends a value is above."""
    found = ibis.literal(0, type="int8")
    for end in ends:
        found = found + (column > end).cast("int8")
    return found
