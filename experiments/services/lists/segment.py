"""What an imported list is made of: a source, an attribute that is true for whoever is on it, and a segment."""

from __future__ import annotations

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import AlreadyExists, InvalidInput, NotFound, StateConflict
from experiments.domain.profile import Registry
from experiments.domain.segment import EVERYONE, Segment
from experiments.domain.segment_kind import SegmentKind
from experiments.domain.source import Source, SourceKind
from experiments.services.authoring.author import Author
from experiments.services.paging import Stored

SOURCE = "lists"


def list_attribute(key: str) -> Attribute:
    """Personal, unless somebody registers it otherwise: a list may tell of anything. Raises InvalidInput."""
    return Attribute(
        key=f"list_{key}",
        name=f"On the list {key}",
        type=AttributeType.BOOLEAN,
        description="Imported: true for whoever is on it.",
        personal=True,
        sources=(SOURCE,),
    )


def list_segment(key: str, name: str | None) -> Segment:
    """Raise InvalidInput."""
    if key == EVERYONE:
        raise InvalidInput("key_reserved", f"{EVERYONE!r} is taken by Winnow itself.", path="/key")
    return Segment(
        key=key,
        name=name or key,
        condition={list_attribute(key).key: True},
        description=f"Who is on the imported list {key}.",
        kind=SegmentKind.LIST,
    )


def stored_segment(author: Author, wanted: Segment) -> Stored[Segment] | None:
    """Return the list's own segment; one of that key that asks something else is somebody else's: AlreadyExists."""
    try:
        found = author.segments.get(wanted.key)
    except NotFound:
        return None
    if found.value.condition != wanted.condition:
        raise AlreadyExists("segment", wanted.key)
    return found


def register(author: Author, registry: Registry, attribute: Attribute, *, actor: str) -> None:
    """Register what is not yet; an attribute that is there is left as it is. Raises StateConflict."""
    if SOURCE not in registry.precedence:
        author.sources.create(_source(registry), actor=actor)
    found = registry.attributes.get(attribute.key)
    if found is None:
        author.attributes.create(attribute, actor=actor)
    elif found.type is not attribute.type or SOURCE not in found.sources:
        raise StateConflict("list_attribute_taken", f"{attribute.key!r} is registered, and not as a list.")


def _source(registry: Registry) -> Source:
    """Lists speak of nothing but themselves, so their precedence does not matter: the lowest that is free."""
    taken = set(registry.precedence.values())
    return Source(
        key=SOURCE,
        name="Imported lists",
        kind=SourceKind.FIRST_PARTY,
        precedence=next(number for number in range(len(taken) + 1) if number not in taken),
        description="Files that say who is on a list: `winnow segments import`.",
    )
