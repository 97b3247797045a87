"""What was discovered as the document that is stored and shown: docs/segmentation/discovery.md writes it down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.estimate import Interval
from analysis.plan import Plan
from experiments.services.recording.ports import Watermark
from experiments.services.studies.lateness import Late
from segmentation.discovery import Discovery, Proposal, Search

SCHEMA = "winnow.discovered/1"
NEVER_A_WINNER = "Proposals for the next experiment, never winners: the data that proposed them cannot prove them."
_LATE: Mapping[str, str] = {
    Late.SAID: "{attribute} was said after the exposure of {units:,} units",
    Late.CONSENT: "whether {attribute} is known changed with the consent of {units:,} units after their exposure",
    Late.JOINED: "{attribute} is known by an id to which {units:,} units were joined after their exposure",
}
NOT_PROPOSED = "That the treatment does something else here than elsewhere is not shown, so it is no proposal."


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was asked: `number` counts the looks at this experiment, `late` units by attribute and why, `units` all."""

    experiment: str
    experiment_version: int
    watermark: Watermark
    plan: Plan
    number: int
    attributes: tuple[str, ...]
    used: tuple[str, ...]
    late: Mapping[str, Mapping[Late, int]]
    search: Search
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A treatment against the control; `found` None: `refusal` says why."""

    treatment: str
    found: Discovery | None
    refusal: str
    units: int
    outside: int


def discovery_document(look: Look, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return the document of a version."""
    groups = list(_groups(look, comparisons))
    proposed = sum(one["proposed"] for one in groups)
    metric, watermark = look.plan.primary, look.watermark
    return {
        "schema": SCHEMA,
        "outcome": "proposals" if proposed else "nothing",
        "message": _message(look, comparisons, proposed),
        "experiment_version": look.experiment_version,
        "watermark": {**asdict(watermark), "at": watermark.at.isoformat()},
        "metric": {"key": metric.key, "name": metric.label, "kind": metric.kind, "direction": metric.direction},
        "look": look.number,
        "alpha": look.search.alpha,
        "power": look.search.power,
        "seed": look.search.seed,
        "attributes": list(look.attributes),
        "left_out": [*_late(look, (name for name in look.attributes if name not in look.used))],
        "late": [*_late(look, look.used)],
        "units": look.units,
        "comparisons": [_comparison(look, one) for one in comparisons],
        "groups": groups,
        "notes": list(_notes(look, comparisons, proposed)),
    }


def _message(look: Look, comparisons: Sequence[Comparison], proposed: int) -> str:
    if proposed:
        segments = "one segment" if proposed == 1 else f"{proposed} segments"
        return f"In {segments} of {look.experiment} {look.plan.primary.label} may move otherwise than elsewhere."
    told = dict.fromkeys(one.refusal if one.found is None else one.found.message for one in comparisons)
    return f"Nothing was found. {' '.join(told)}"


def _late(look: Look, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    for name in names:
        for why in sorted(look.late[name]):
            yield {"attribute": name, "why": why.value, "units": look.late[name][why]}


def _comparison(look: Look, one: Comparison) -> dict[str, Any]:
    found = one.found
    return {
        "treatment": one.treatment,
        "control": look.plan.control,
        "outcome": "too_few_units" if found is None else found.outcome,
        "message": one.refusal if found is None else found.message,
        "alpha": look.search.alpha / look.search.comparisons,
        "units": one.units,
        "units_outside": one.outside,
        "units_proposing": 0 if found is None else found.units_proposing,
        "units_estimating": 0 if found is None else found.units_estimating,
        "gate": None if found is None or found.gate is None else asdict(found.gate),
    }


def _groups(look: Look, comparisons: Sequence[Comparison]) -> Iterator[dict[str, Any]]:
    leaves = [(one, leaf) for one in comparisons if one.found for leaf in one.found.leaves]
    for number, (one, leaf) in enumerate(leaves, start=1):
        proposed = one.found is not None and leaf in one.found.proposals
        yield {
            "key": f"v{look.number}-{number}",
            "treatment": one.treatment,
            "condition": leaf.condition,
            "units": leaf.units,
            "share": leaf.share,
            "effect": leaf.effect,
            "effect_interval": _interval(leaf.effect_interval),
            "outside": leaf.outside,
            "difference": leaf.difference,
            "difference_interval": _interval(leaf.difference_interval),
            "p_value": leaf.p_value,
            "p_adjusted": leaf.p_adjusted,
            "proposed": proposed,
            "units_needed": leaf.units_needed,
            "units_needed_at_worst": leaf.units_needed_at_worst,
            "refusal": None if proposed else NOT_PROPOSED,
            "sentence": _sentence(look, one, leaf),
        }


def _interval(interval: Interval) -> dict[str, float]:
    return {"low": interval.low, "high": interval.high}


def _sentence(look: Look, one: Comparison, leaf: Proposal) -> str:
    interval = leaf.effect_interval
    return (
        f"A leaf of look {look.number} at experiment {look.experiment}: {one.treatment} moves "
        f"{look.plan.primary.label} by {leaf.effect:+.4g} here ({interval.low:+.4g} … {interval.high:+.4g}), "
        f"by {leaf.outside:+.4g} elsewhere."
    )


def _notes(look: Look, comparisons: Sequence[Comparison], proposed: int) -> Iterator[str]:
    if proposed:
        yield NEVER_A_WINNER
    yield (
        f"Where effects do not differ, anything is proposed with a chance of {look.search.alpha:.0%} at most; "
        "one half of the units proposed the leaves, the other half gave these numbers."
    )
    if look.number > 1:
        yield f"This is look {look.number} at this experiment: that chance holds for one of them, not for all together."
    for late in _late(look, look.attributes):
        is_used = late["attribute"] in look.used
        what = "it may be an effect of the treatment itself" if is_used else "so it was left out"
        yield f"{_LATE[late['why']].format(**late)}: {what}."
    for one in comparisons:
        if one.outside:
            told = f"{one.treatment}: {one.outside:,} units were left out"
            yield f"{told}: drawn in another proportion, or with a window that is not complete."
