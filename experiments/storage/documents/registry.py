"""Attributes, sources and profiles as documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.profile import Profile, Statement
from experiments.domain.source import Source, SourceKind
from experiments.storage.documents.versioned import Document, refuse_other_schema

ATTRIBUTE_SCHEMA = SOURCE_SCHEMA = 1


def attribute_to_document(attribute: Attribute) -> Document:
    return {
        "schema": ATTRIBUTE_SCHEMA,
        "key": attribute.key,
        "name": attribute.name,
        "type": attribute.type,
        "description": attribute.description,
        "personal": attribute.personal,
        "sources": list(attribute.sources),
        "allowed": list(attribute.allowed),
        "fresh_days": attribute.fresh_days,
    }


def attribute_from_document(document: Mapping[str, Any]) -> Attribute:
    refuse_other_schema(document, "attribute", ATTRIBUTE_SCHEMA)
    return Attribute(
        key=document["key"],
        name=document["name"],
        type=AttributeType(document["type"]),
        description=document["description"],
        personal=document["personal"],
        sources=tuple(document["sources"]),
        allowed=tuple(document["allowed"]),
        fresh_days=document["fresh_days"],
    )


def source_to_document(source: Source) -> Document:
    return {
        "schema": SOURCE_SCHEMA,
        "key": source.key,
        "name": source.name,
        "kind": source.kind,
        "precedence": source.precedence,
        "description": source.description,
    }


def source_from_document(document: Mapping[str, Any]) -> Source:
    refuse_other_schema(document, "source", SOURCE_SCHEMA)
    return Source(
        key=document["key"],
        name=document["name"],
        kind=SourceKind(document["kind"]),
        precedence=document["precedence"],
        description=document["description"],
    )


@lru_cache(maxsize=1_000)
def _instant_text(at: datetime) -> str:
    """Whole files are of one instant, so few are written and read out again and again."""
    return at.astimezone(UTC).isoformat()


@lru_cache(maxsize=1_000)
def _instant_from(text: str) -> datetime:
    return datetime.fromisoformat(text)


def said_to_document(profile: Profile) -> Document:
    """Return {source: {attribute: [value, instant]}}: there is one for every unit, so names of fields would cost."""
    return {
        source: {name: [one.value, _instant_text(one.at)] for name, one in said.items()}
        for source, said in profile.said.items()
    }


def profile_from(unit_id: str, said: Mapping[str, Any]) -> Profile:
    """Return the profile that `said_to_document` wrote."""
    return Profile(
        unit_id=unit_id,
        said={
            source: {name: Statement(value=value, at=_instant_from(at)) for name, (value, at) in what.items()}
            for source, what in said.items()
        },
    )
