"""Saying that something happened, inside the transaction in which it happens."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from experiments.domain.notice import Notice, NoticeKind, one_line
from experiments.services.ports import UnitOfWork


def announce(
    work: UnitOfWork,
    kind: NoticeKind,
    *,
    title: str,
    at: datetime,
    experiment: str | None = None,
    segment: str | None = None,
    payload: Mapping[str, Any] | None = None,
    notice_id: str | None = None,
) -> Notice:
    """Put a notice into the outbox of this unit of work; it is sent after the commit, and not without one.

    The title may be any text: it is made one line. Who names the id makes sure that it is told once.
    """
    notice = Notice(
        id=notice_id or str(uuid.uuid4()),
        kind=kind,
        at=at,
        title=one_line(title),
        experiment=experiment,
        segment=segment,
        payload=payload or {},
    )
    work.notices.append(notice)
    return notice
