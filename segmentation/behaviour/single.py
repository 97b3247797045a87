"""One customer's row from its state: what `rfm` says of everybody, without asking about anybody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from segmentation.behaviour.cuts import Cuts, Scores
from segmentation.behaviour.groups import NAMED_GROUPS, Groups
from segmentation.behaviour.history import History
from segmentation.behaviour.lifecycle import Lifecycle, Stage
from segmentation.refusal import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The values of a row, by the names of its columns; `fm_score` is `scores.fm`."""

    recency_days: int
    frequency: int
    monetary_cents: int
    average_cents: float | None
    scores: Scores
    rfm_group: str
    stage: Stage


def behaviour(
    history: History,
    now: datetime,
    cuts: Cuts,
    *,
    groups: Groups = NAMED_GROUPS,
    lifecycle: Lifecycle | None = None,
) -> Behaviour:
    """What is known of a customer at an instant, not before the last purchase.

    Parameters
    ----------
    cuts
        Declared ones, or those of the last `rfm`: between two of these a score of quantiles is that of the older one.

    Raises
    ------
    Refused
        `instant_before_last_purchase`, `instant_without_zone`, `groups_of_other_scores`.
    """
    if cuts.scores != groups.scores:
        raise Refused("groups_of_other_scores", f"cuts make {cuts.scores} scores, groups name {groups.scores}")
    recency_days = history.recency_days(now)
    scores = cuts.score(recency_days=recency_days, frequency=history.frequency, monetary_cents=history.monetary_cents)
    return Behaviour(
        recency_days=recency_days,
        frequency=history.frequency,
        monetary_cents=history.monetary_cents,
        average_cents=history.average_cents,
        scores=scores,
        rfm_group=groups.of(scores),
        stage=(lifecycle or Lifecycle()).stage(
            age_days=history.age_days(now), recency_days=recency_days, silence_days=history.silence_days
        ),
    )
