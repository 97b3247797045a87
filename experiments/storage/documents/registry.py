"""Attributes, sources and profiles as documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.profile import Profile, Statement
from experiments.domain.source import Source, SourceKind
from experiments.services.customer_ports import SaidAtOnce
from experiments.storage.documents.versioned import Document, refuse_other_schema

ATTRIBUTE_SCHEMA = SOURCE_SCHEMA = 1
to_json = json.JSONEncoder(allow_nan=False).encode


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


def attribute_documents(said: SaidAtOnce) -> list[str]:
    """Return of each unit what counts, as text; each distinct value is written once."""
    counting = {name: column for name, column in said.columns.items() if name in said.counting}
    return _joined("{", counting, "", "}", len(said.unit_ids))


def said_documents(said: SaidAtOnce) -> list[str]:
    """Return of each unit what `said_to_document` makes of it, as text."""
    before, at = f"{{{to_json(said.source)}: {{", f", {to_json(_instant_text(said.at))}]"
    return _joined(before, said.columns, at, "}}", len(said.unit_ids))


def _joined(
    before: str, columns: Mapping[str, tuple[Sequence[int], Sequence[Any]]], at: str, after: str, rows: int
) -> list[str]:
    if not columns:
        return [before + after] * rows
    parts = [_parts(f"{to_json(name)}: {'[' if at else ''}", *column, at) for name, column in columns.items()]
    if all(None not in values for _, values in columns.values()):
        return [before + ", ".join(row) + after for row in zip(*parts, strict=True)]
    return [before + ", ".join(filter(None, row)) + after for row in zip(*parts, strict=True)]


def _parts(key: str, codes: Sequence[int], values: Sequence[Any], at: str) -> list[str]:
    texts = ["" if value is None else f"{key}{to_json(value)}{at}" for value in values]
    return [texts[code] for code in codes]


def profile_from(unit_id: str, said: Mapping[str, Any]) -> Profile:
    """Return the profile that `said_to_document` wrote."""
    return Profile(
        unit_id=unit_id,
        said={
            source: {name: Statement(value=value, at=_instant_from(at)) for name, (value, at) in what.items()}
            for source, what in said.items()
        },
    )
