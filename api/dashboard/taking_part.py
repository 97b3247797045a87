"""Who of a segment takes part at all: shares of a split are shares of these; layer and traffic keep others out."""

from __future__ import annotations

from api.current import winnow
from api.dashboard import format as say
from api.dashboard.names import Names
from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import Definition, SegmentPlan
from experiments.domain.experiment import Experiment
from experiments.domain.layer import Layer, LayerClaim
from experiments.domain.wording import plural


def layer_of(experiment: Experiment) -> Layer | None:
    """Return the layer that the experiment shares with others."""
    claim = experiment.definition.layer
    return None if claim is None else winnow().author.layers.get(claim.layer).value


def taking_part_bp(definition: Definition, plan: SegmentPlan) -> float:
    """Return how many of the segment are in the split; layer and traffic draw lots each, so their shares multiply."""
    of_layer = BUCKETS if definition.layer is None else definition.layer.share_bp
    return of_layer * plan.traffic_bp / BUCKETS


def of_those(definition: Definition, plan: SegmentPlan | None) -> str:
    """Return what a share of the split is a share of; nothing where that is everybody."""
    if plan is None or definition.is_split_elsewhere or taking_part_bp(definition, plan) == BUCKETS:
        return ""
    return " of those who take part"


def who_takes_part(definition: Definition, plan: SegmentPlan | None, names: Names, layer: Layer | None) -> str:
    """Say how many of the segment take part and what the others see; nothing where all do, or nobody does."""
    if plan is None or not plan.traffic_bp or not of_those(definition, plan):
        return ""
    units, control = plural(names.unit), names.variant(definition.control.key)
    only = (
        f"Only {say.basis_points(taking_part_bp(definition, plan))} of its {units} take part; the others see {control}."
    )
    claim = definition.layer
    return only if claim is None or layer is None else f"{only} {_why(claim, plan, layer)}"


def _why(claim: LayerClaim, plan: SegmentPlan, layer: Layer) -> str:
    """Say what becomes of the layer's whole; a claim of all of it keeps nobody out, but has no holdout beside it."""
    own = f"Of all in its layer “{layer.name}”, this experiment has {say.basis_points(claim.share_bp)}"
    if plan.traffic_bp < BUCKETS:
        own += f" ({say.basis_points(plan.traffic_bp)} of these take part here)"
    held = f"{say.basis_points(layer.holdout_bp)} are held out of every experiment" if layer.holdout_bp else ""
    rest = BUCKETS - claim.share_bp - layer.holdout_bp
    others = f"{say.basis_points(rest)} are for other experiments" if rest > 0 else ""
    return f"{', '.join(filter(None, (own, held, others)))}."
