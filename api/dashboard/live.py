"""What customers of a segment are shown right now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names
from api.dashboard.taking_part import who_takes_part
from experiments.domain.allocation import Allocation
from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import SegmentPlan, Variant
from experiments.domain.experiment import Experiment, Status
from experiments.domain.layer import Layer
from experiments.domain.promotion import Promotion
from experiments.domain.promotion_policy import PromotionPolicy

_COLOURS = 6
"""How many there are of variants, before they repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A share of the segment; `start` and `width` in per cent place it on a bar of 100, in `colours` side by side."""

    name: str
    share: str
    start: float
    width: float
    role: str
    colours: tuple[str, ...]

    @property
    def is_told(self) -> bool:
        """Say whether its role needs a word beside its name."""
        return self.role in ("holdback", "exploration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """`sentence` says it all; `pieces` are empty where there is no split to draw."""

    sentence: str
    pieces: tuple[Piece, ...]
    promoted: str | None
    traffic: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A split in words and as a bar, whatever the state of the experiment."""

    sentence: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploring:
    """A share in which any variant that is still offered is shown evenly, on purpose, beside a winner."""

    winner: str
    share_bp: int


def live_of(
    experiment: Experiment,
    plan: SegmentPlan,
    names: Names,
    exploring: Exploring | None = None,
    *,
    layer: Layer | None,
) -> Live:
    """Say what the segment sees now, given the state of the experiment and the layer that it shares with others."""
    control = names.variant(experiment.definition.control.key)
    promoted = None if plan.promoted is None else names.variant(plan.promoted)
    match experiment.status:
        case Status.DRAFT:
            return _unsplit("Not started: nothing is shown yet.")
        case Status.ARCHIVED:
            return _unsplit("Archived: nothing is shown any more.")
        case Status.PAUSED:
            return _unsplit(f"Paused: everybody sees {control} for the time being.", promoted)
        case Status.STOPPED:
            is_held_out = promoted is not None and layer is not None and layer.holdout_bp > 0
            but = ", but for who is held out of its layer" if is_held_out else ""
            return _unsplit(f"Stopped: everybody sees {promoted or control}{but}.", promoted)
    if experiment.definition.is_split_elsewhere:
        wish = f", and has to show {promoted}: Winnow only keeps that decision" if promoted else ""
        return _unsplit(f"Another system decides who sees what{wish}.", promoted)
    return _split(experiment, plan, names, exploring, layer)


def _pieces(
    experiment: Experiment, allocation: Allocation, names: Names, promoted: str | None, exploring: Exploring | None
) -> tuple[Piece, ...]:
    """Return the split in the order in which the variants were declared, exploration as a piece of its own behind."""
    weights, found = _apart(allocation.weights_bp, exploring), []
    start, explored = 0.0, []
    for position, variant in enumerate(experiment.definition.variants):
        role = _role(variant, promoted)
        colour = "control" if role in ("control", "holdback") else f"{position % _COLOURS}"
        if allocation.weights_bp.get(variant.key):
            explored.append(colour)
        if share_bp := weights.get(variant.key, 0):
            found.append(_piece(names.variant(variant.key), share_bp, start, role, colour))
            start += share_bp * 100 / BUCKETS
    if exploring is not None:
        name = f"any of {len(explored)} variants"
        found.append(_piece(name, exploring.share_bp, start, "exploration", *explored))
    return tuple(found)


def _apart(weights_bp: Mapping[str, int], exploring: Exploring | None) -> dict[str, int]:
    """Return what each variant has beside the exploration, of which what cannot be shared evenly is the winner's."""
    own = {key: share_bp for key, share_bp in weights_bp.items() if share_bp}
    if exploring is None:
        return own
    part, odd = divmod(exploring.share_bp, len(own))
    return {key: share_bp - part - (odd if key == exploring.winner else 0) for key, share_bp in own.items()}


def _role(variant: Variant, promoted: str | None) -> str:
    if variant.key == promoted:
        return "promoted"
    if not variant.is_control:
        return ""
    return "control" if promoted is None else "holdback"


def _piece(name: str, share_bp: int, start: float, role: str, *colours: str) -> Piece:
    width = share_bp * 100 / BUCKETS
    return Piece(name=name, share=say.basis_points(share_bp), start=start, width=width, role=role, colours=colours)


def split_of(
    experiment: Experiment,
    allocation: Allocation,
    names: Names,
    promoted: str | None,
    exploring: Exploring | None = None,
) -> Split:
    """Return the split; where a winner is promoted, what is left of the control beside exploration is a holdback."""
    found = _pieces(experiment, allocation, names, promoted, exploring)
    return Split(sentence=_sentence(found), pieces=found)


def exploring_of(promotion: Promotion | None) -> Exploring | None:
    """Return what a promotion that is live explores now; None where it does not."""
    last = promotion.shares[-1] if promotion is not None and promotion.is_live and promotion.shares else None
    if promotion is None or last is None or not last.exploration_bp:
        return None
    return Exploring(winner=promotion.variant, share_bp=last.exploration_bp)


def exploring_next(policy: PromotionPolicy, winner: str) -> Exploring | None:
    """Return what will be explored once a winner goes live; None where nothing will."""
    return Exploring(winner=winner, share_bp=policy.exploration_bp) if policy.exploration_bp else None


def _sentence(found: Sequence[Piece]) -> str:
    """95% Women’s e-mail, 5% No e-mail (holdback): the split in words."""
    ordered = sorted(found, key=lambda piece: -piece.width)
    return ", ".join(f"{one.share} {one.name}{f' ({one.role})' if one.is_told else ''}" for one in ordered)


def _split(
    experiment: Experiment, plan: SegmentPlan, names: Names, exploring: Exploring | None, layer: Layer | None
) -> Live:
    control = names.variant(experiment.definition.control.key)
    promoted = None if plan.promoted is None else names.variant(plan.promoted)
    if plan.traffic_bp == 0:
        return _unsplit(f"Nobody of this segment takes part: all see {control}.", promoted)
    split = split_of(experiment, plan.allocation, names, plan.promoted, exploring)
    return Live(
        sentence=split.sentence,
        pieces=split.pieces,
        promoted=promoted,
        traffic=who_takes_part(experiment.definition, plan, names, layer),
    )


def _unsplit(sentence: str, promoted: str | None = None) -> Live:
    return Live(sentence=sentence, pieces=(), promoted=promoted, traffic="")
