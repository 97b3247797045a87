"""Winnow's own source: what followers of the log say in profiles, and take back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import AlreadyExists
from experiments.domain.profile import Profile, Registry, amend
from experiments.domain.source import Source, SourceKind
from experiments.services.authoring.registry import AttributeAuthor, SourceAuthor
from experiments.services.ports import OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.registry_read import read_registry
from experiments.services.promoting.advance import MACHINE

SOURCE = "behaviour"
SOURCE_ITSELF = Source(
    key=SOURCE,
    name="Behaviour",
    kind=SourceKind.OWN,
    precedence=0,
    description="What Winnow's worker finds in the log of events.",
)


def own_attribute(
    key: str, name: str, type_: AttributeType, description: str, allowed: tuple[Any, ...] = ()
) -> Attribute:
    return Attribute(
        key=key, name=name, type=type_, description=description, personal=True, sources=(SOURCE,), allowed=allowed
    )


def register(
    sources: SourceAuthor,
    attributes: AttributeAuthor,
    open_unit_of_work: OpenUnitOfWork,
    wanted: Sequence[Attribute],
) -> None:
    """Register what is not yet: the source below all others. An attribute that is there is left as it is."""
    with open_unit_of_work(read_only=True) as work:
        registry = read_registry(work)
    if SOURCE not in registry.precedence:
        _unless_there(partial(sources.create, _lowest(registry), actor=MACHINE))
    for one in wanted:
        if one.key not in registry.attributes:
            _unless_there(partial(attributes.create, one, actor=MACHINE))


def _lowest(registry: Registry) -> Source:
    taken = set(registry.precedence.values())
    free = next(number for number in range(len(taken) + 1) if number not in taken)
    return replace(SOURCE_ITSELF, precedence=free)


def _unless_there(create: Callable[[], object]) -> None:
    try:
        create()
    except AlreadyExists:
        return


def sayable(registry: Registry, wanted: Sequence[Attribute]) -> Mapping[str, Attribute]:
    """Return the attributes that are ours to say: what others registered is theirs, unless it names our source."""
    held = ((one, registry.attributes.get(one.key)) for one in wanted)
    return {
        one.key: found
        for one, found in held
        if found is not None and found.type is one.type and SOURCE in found.sources
    }


def values_of(ours: Mapping[str, Attribute]) -> Mapping[str, tuple[Any, ...]]:
    """Return the values that they may have, by key; none where any will do."""
    return {key: one.allowed for key, one in ours.items()}


def say(
    work: UnitOfWork,
    registry: Registry,
    wanted: Sequence[Attribute],
    said: Mapping[str, Mapping[str, Any]],
    now: datetime,
) -> None:
    """Write what is new of these attributes; what is no longer said of a unit is taken back.

    So is what we may not say any more; and a value that the attribute may not have is not said.
    """
    ours, keys = sayable(registry, wanted), sorted(one.key for one in wanted)
    stored = work.profiles.to_change(said)
    changed = []
    for unit_id, wants in said.items():
        before = stored[unit_id].profile if unit_id in stored else Profile(unit_id=unit_id)
        held = before.said.get(SOURCE, {})
        present = {name: one.value for name, one in held.items()}
        fit = {name: value for name, value in wants.items() if name in ours and ours[name].allows(value)}
        news = {name: fit.get(name) for name in keys if fit.get(name) != present.get(name)}
        if news:
            at = max([now, *(held[name].at for name in news if name in held)])  # our clock may have been ahead
            after = amend(before, SOURCE, news, at, just_now=True).profile
            changed.append((after, registry.values(after, now=now)))
    work.profiles.put(changed, now=now)
