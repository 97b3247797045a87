"""Discoveries as a page: for whom a treatment may do something else, and what the next experiment needs to show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.dashboard import format as say
from api.dashboard.names import Names, names_of
from api.dashboard.overlap_matrix import part_of_all
from api.dashboard.stored.discoveries import Discovery, Leaf, read_discovery
from experiments.domain.condition.words import Clause, condition_clauses
from experiments.domain.experiment import Experiment
from experiments.domain.study import Study
from experiments.services.segments.few import FEWEST

AGAIN = "It was not the first look: each further one makes it likelier that chance alone proposes something."
NOBODY = Names(variants={}, segments={}, metrics={}, unit="customer")
UNKNOWN = "not known: the difference may be nothing at all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalCard:
    """Effects in the metric's unit; `near` is what is needed if the difference is as small as its interval allows."""

    key: str
    treatment: str
    rule: tuple[Clause, ...]
    size: str
    here: str
    here_between: str
    elsewhere: str
    difference: str
    difference_between: str
    p_value: str
    needed: str
    near: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafRow:
    """A group that was looked at and is no proposal."""

    treatment: str
    rule: tuple[Clause, ...]
    size: str
    here: str
    elsewhere: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryCard:
    """One experiment's newest look; `experiment_key` leads to its page, None where it is not there any more."""

    experiment: str
    experiment_key: str | None
    control: str
    metric: str
    made: str
    message: str
    look: str
    proposals: tuple[ProposalCard, ...]
    others: tuple[LeafRow, ...]
    comparisons: tuple[tuple[str, str], ...]
    caution: str
    notes: tuple[str, ...]


def discovery_card(study: Study, experiment: Experiment | None, attributes: Mapping[str, str]) -> DiscoveryCard:
    """`attributes`: names by key. An experiment that is not there any more keeps its key, and so do its variants."""
    names = NOBODY if experiment is None else names_of(experiment)
    title, control, key = study.name, "the control", None
    if experiment is not None:
        title, control, key = experiment.definition.name, experiment.definition.control.name, experiment.key
    found = read_discovery(study.document)
    looked = f"{say.amount(found.units, 'customer')} compared"
    return DiscoveryCard(
        experiment=title,
        experiment_key=key,
        control=control,
        metric=names.metrics.get(found.metric, found.metric),
        made=f"{say.instant(study.made_at)} by {study.made_by}",
        message=found.message,
        look=looked if found.look == 1 else f"{looked}, look {found.look} at this experiment",
        proposals=tuple(_proposal(one, found, names, attributes) for one in found.leaves if one.proposed),
        others=tuple(_other(one, found, names, attributes) for one in found.leaves if not one.proposed),
        comparisons=tuple((names.variant(treatment), message) for treatment, message in found.comparisons),
        caution=AGAIN if found.look > 1 else "",
        notes=found.notes,
    )


def _proposal(leaf: Leaf, found: Discovery, names: Names, attributes: Mapping[str, str]) -> ProposalCard:
    kind = found.metric_kind
    return ProposalCard(
        key=leaf.key,
        treatment=names.variant(leaf.treatment),
        rule=_rule(leaf, attributes),
        size=_size(leaf),
        here=say.difference(leaf.effect, kind),
        here_between=say.difference_range(*leaf.effect_interval, kind),
        elsewhere=say.difference(leaf.outside, kind),
        difference=say.difference(leaf.difference, kind),
        difference_between=say.difference_range(*leaf.difference_interval, kind),
        p_value=say.p_value(leaf.p_adjusted),
        needed=_needed(leaf.units_needed),
        near=_needed(leaf.units_needed_at_worst),
    )


def _needed(units: int | None) -> str:
    return UNKNOWN if units is None else f"about {say.rounded_up(units)} customers"


def _other(leaf: Leaf, found: Discovery, names: Names, attributes: Mapping[str, str]) -> LeafRow:
    few = leaf.units < FEWEST
    return LeafRow(
        treatment=names.variant(leaf.treatment),
        rule=_rule(leaf, attributes),
        size=_size(leaf),
        here="too few to say" if few else say.difference(leaf.effect, found.metric_kind),
        elsewhere="too few to say" if few else say.difference(leaf.outside, found.metric_kind),
    )


def _rule(leaf: Leaf, attributes: Mapping[str, str]) -> tuple[Clause, ...]:
    return () if leaf.condition is None else condition_clauses(leaf.condition, attributes)


def _size(leaf: Leaf) -> str:
    return part_of_all(leaf.units, leaf.share)
