"""The audit log in SQL: rows are added, never changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from experiments.services.paging import Page
from experiments.services.ports import AuditEntry
from experiments.storage.access.tables import audit
from experiments.storage.paging import before_id, cut

_columns = audit.c


class SqlAuditLog:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, entry: AuditEntry) -> None:
        self._connection.execute(insert(audit).values(_values(entry)))

    def page(self, *, subject: str | None, after: str | None, limit: int) -> Page[AuditEntry]:
        wanted = select(audit).where(_columns.id < before_id(after)).order_by(_columns.id.desc()).limit(limit + 1)
        if subject is not None:
            wanted = wanted.where(_columns.subject == subject)
        return cut(self._connection.execute(wanted).all(), limit, _entry, lambda row: row.id)


def _values(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": dict(entry.detail),
        "evidence_sha256": entry.evidence_sha256,
    }


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=row.detail,
        evidence_sha256=row.evidence_sha256,
    )
