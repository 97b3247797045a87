"""The schema number that every document carries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from experiments.domain.errors import Unavailable

Document = dict[str, Any]


def refuse_other_schema(document: Mapping[str, Any], kind: str, newest: int) -> None:
    """Refuse a document that another release wrote in a way this one cannot read: all schemas up to its own it can."""
    found = document.get("schema")
    if type(found) is not int or not 1 <= found <= newest:
        read = "schema 1" if newest == 1 else f"schemas 1 to {newest}"
        raise Unavailable(
            "document_schema_unknown",
            f"A stored {kind} has schema {found!r}; this release reads {read}. Run the release that wrote it.",
        )


def instant_text(value: datetime | None) -> str | None:
    """Return an instant as ISO 8601 with its offset."""
    return None if value is None else value.isoformat()


def instant_from(text: str | None) -> datetime | None:
    """Return the instant that `instant_text` wrote."""
    return None if text is None else datetime.fromisoformat(text)
