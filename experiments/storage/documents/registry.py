"""Attributes, sources and profiles as documents."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.profile import Profile, Statement
from experiments.domain.source import Source, SourceKind
from experiments.services.profiles.ports import SaidAtOnce
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


def said_documents(said: SaidAtOnce) -> list[str]:
    """Return of each unit what `said_to_document` makes of it, as text; each distinct value is written once."""
    return _said(said, _texts(said))


def new_documents(said: SaidAtOnce) -> tuple[list[str], list[str]]:
    """Return of each unit what counts, and the same as `said_documents`."""
    texts = _texts(said)
    parts = [
        _parts(said.columns[name][0], texts[name], f"{to_json(name)}: ", "") for name in texts if name in said.counting
    ]
    return _joined("{", parts, "}", len(said.unit_ids)), _said(said, texts)


def _said(said: SaidAtOnce, texts: Mapping[str, Sequence[str]]) -> list[str]:
    at = f", {to_json(_instant_text(said.at))}]"
    parts = [_parts(said.columns[name][0], texts[name], f"{to_json(name)}: [", at) for name in texts]
    return _joined(f"{{{to_json(said.source)}: {{", parts, "}}", len(said.unit_ids))


def _texts(said: SaidAtOnce) -> dict[str, list[str]]:
    """Return the values as JSON; empty where nothing is said."""
    return {name: ["" if one is None else _text(one) for one in values] for name, (_, values) in said.columns.items()}


def _text(value: Any) -> str:
    """Return the same as `to_json`, which takes its time for numbers."""
    kind = type(value)
    return repr(value) if kind is int or (kind is float and math.isfinite(value)) else to_json(value)


def _parts(codes: Sequence[int], texts: Sequence[str], before: str, after: str) -> list[str]:
    forms = [f"{before}{text}{after}" if text else "" for text in texts]
    return [forms[code] for code in codes]


def _joined(before: str, columns: Sequence[Sequence[str]], after: str, rows: int) -> list[str]:
    if not columns:
        return [before + after] * rows
    return [f"{before}{', '.join(filter(None, row))}{after}" for row in zip(*columns, strict=True)]


def profile_from(unit_id: str, said: Mapping[str, Any]) -> Profile:
    """Return the profile that `said_to_document` wrote."""
    return Profile(
        unit_id=unit_id,
        said={
            source: {name: Statement(value=value, at=_instant_from(at)) for name, (value, at) in what.items()}
            for source, what in said.items()
        },
    )
