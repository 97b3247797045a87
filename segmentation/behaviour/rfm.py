"""Recency, frequency and monetary value of everybody, with scores, groups and their summary: the entry of the batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from analysis.aggregation.staging import staged
from analysis.estimate import Undefined
from segmentation.behaviour.cuts import Cuts, quantile_cuts
from segmentation.behaviour.groups import NAMED_GROUPS, Groups
from segmentation.behaviour.lifecycle import Lifecycle
from segmentation.behaviour.purchases import customers, customers_by_day
from segmentation.behaviour.summary import GroupSize, HeatCell, Summary, group_sizes, heat_map, summarise
from segmentation.refusal import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Rfm:
    """Everybody's rows as an Arrow table (of `customers`, scores, `rfm_group`, perhaps `stage`), and what they come to.

    `cuts` are those that were used: given to `behaviour`, they score single customers in the same way until they
    are found anew.
    """

    as_of: datetime
    rows: pa.Table
    cuts: Cuts
    summary: Summary
    heat_map: tuple[HeatCell, ...]
    groups: tuple[GroupSize, ...]


def rfm(
    purchases: ir.Table,
    as_of: datetime,
    *,
    cuts: Cuts | None = None,
    groups: Groups = NAMED_GROUPS,
    lifecycle: Lifecycle | None = None,
    cents_per_unit: int = 100,
) -> Rfm | Undefined:
    """Score every customer.

    Parameters
    ----------
    purchases, as_of, cents_per_unit
        As for `customers`.
    cuts
        Declared ones; None: quantiles of these customers, as many as the groups have scores.
    groups
        What scores are called.
    lifecycle
        Rules of stages, for a column `stage`; they need a second group-by, by day.

    Returns
    -------
    Rfm
        `Undefined("no_customers")` where nobody bought anything by then.

    Raises
    ------
    Refused
        As `customers`; `groups_of_other_scores` where cuts and groups have not as many scores.

    Notes
    -----
    The purchases are read once; the rest is asked of the customers, which are a temporary table meanwhile. Hughes,
    *Strategic Database Marketing* (1994), is where scores of recency, frequency and money come from; the groups are a
    custom of the trade, and no two vendors draw them alike: ours are a table (`NAMED_GROUPS`).
    """
    if cuts is not None and cuts.scores != groups.scores:
        raise Refused("groups_of_other_scores", f"cuts make {cuts.scores} scores, groups name {groups.scores}")
    found = (customers if lifecycle is None else customers_by_day)(purchases, as_of, cents_per_unit=cents_per_unit)
    with staged(found if lifecycle is None else lifecycle.staged(found, as_of)) as everybody:
        used = cuts or quantile_cuts(everybody, groups.scores)
        summary = summarise(everybody)
        if isinstance(used, Undefined) or not summary.customers:
            return Undefined(reason="no_customers", message="Nobody has bought anything.")
        scored = groups.named(used.scored(everybody))
        return Rfm(
            as_of=as_of,
            rows=scored.to_pyarrow(),
            cuts=used,
            summary=summary,
            heat_map=heat_map(scored, groups.scores),
            groups=group_sizes(scored, groups.names),
        )
