"""What customers of a segment are shown right now."""

from __future__ import annotations

from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names
from experiments.domain.allocation import Allocation
from experiments.domain.bucketing import BUCKETS
from experiments.domain.definition import Randomisation, SegmentPlan
from experiments.domain.experiment import Experiment, Status
from experiments.domain.wording import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A share of the segment; `start` and `width` in per cent place it on a bar of 100."""

    name: str
    share: str
    start: float
    width: float
    role: str
    position: int


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


def live_of(experiment: Experiment, plan: SegmentPlan, names: Names) -> Live:
    """Say what the segment sees now, given the state of the experiment."""
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
            return _unsplit(f"Stopped: everybody sees {promoted or control}.", promoted)
    if experiment.definition.randomisation is Randomisation.EXTERNAL:
        return _unsplit("Another system decides who sees what.", promoted)
    return _split(experiment, plan, names, control, promoted)


def pieces(experiment: Experiment, allocation: Allocation, names: Names, promoted: str | None) -> tuple[Piece, ...]:
    """Return the split in the order in which the variants were declared."""
    weights, start, found = allocation.weights_bp, 0.0, []
    for position, variant in enumerate(experiment.definition.variants):
        width = weights.get(variant.key, 0) * 100 / BUCKETS
        if width:
            held = promoted is not None and variant.is_control and promoted != variant.key
            role = (
                "promoted"
                if variant.key == promoted
                else "holdback"
                if held
                else "control"
                if variant.is_control
                else ""
            )
            found.append(
                Piece(
                    name=names.variant(variant.key),
                    share=say.basis_points(weights[variant.key]),
                    start=start,
                    width=width,
                    role=role,
                    position=position,
                )
            )
            start += width
    return tuple(found)


def split_sentence(experiment: Experiment, allocation: Allocation, names: Names, promoted: str | None) -> str:
    """95% Women’s e-mail, 5% No e-mail (holdback): the split in words."""
    return ", ".join(
        f"{piece.share} {piece.name}{' (holdback)' if piece.role == 'holdback' else ''}"
        for piece in sorted(pieces(experiment, allocation, names, promoted), key=lambda piece: -piece.width)
    )


def split_of(experiment: Experiment, allocation: Allocation, names: Names, promoted: str | None) -> Split:
    """Return the split, with what is left of the control as a holdback where a winner is promoted."""
    return Split(
        sentence=split_sentence(experiment, allocation, names, promoted),
        pieces=pieces(experiment, allocation, names, promoted),
    )


def _split(experiment: Experiment, plan: SegmentPlan, names: Names, control: str, promoted: str | None) -> Live:
    if plan.traffic_bp == 0:
        return _unsplit(f"Nobody of this segment takes part: all see {control}.", promoted)
    return Live(
        sentence=split_sentence(experiment, plan.allocation, names, plan.promoted),
        pieces=pieces(experiment, plan.allocation, names, plan.promoted),
        promoted=promoted,
        traffic=_traffic(plan, control, names),
    )


def _unsplit(sentence: str, promoted: str | None = None) -> Live:
    return Live(sentence=sentence, pieces=(), promoted=promoted, traffic="")


def _traffic(plan: SegmentPlan, control: str, names: Names) -> str:
    if plan.traffic_bp == BUCKETS:
        return ""
    units = plural(names.unit)
    return f"Only {say.basis_points(plan.traffic_bp)} of its {units} take part; the others see {control}."
