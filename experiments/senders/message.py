"""A notice in words and in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from experiments.domain.notice import Notice, NoticeKind, one_line

_HAPPENED = {
    NoticeKind.PROPOSED: "A promotion is proposed. Nothing has changed yet; a person decides.",
    NoticeKind.PROMOTED: "A variant went live.",
    NoticeKind.REVERTED: "A promotion was taken back; the split is again what it was.",
    NoticeKind.ALERT: "Somebody should look at this.",
    NoticeKind.TEST: "This is only a test.",
}


def as_body(notice: Notice, public_url: str) -> bytes:
    """Return what webhooks are sent: the same bytes at every attempt."""
    data: dict[str, Any] = {
        "experiment": notice.experiment,
        "segment": notice.segment,
        "title": notice.title,
        "link": link_of(notice, public_url),
        "details": dict(notice.payload),
    }
    document = {"type": notice.kind, "timestamp": notice.at.isoformat(), "data": data}
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def as_text(notice: Notice, public_url: str) -> str:
    """Return what people read."""
    return "\n".join(_lines(notice, public_url)) + "\n"


def link_of(notice: Notice, public_url: str) -> str | None:
    """Return the address of the experiment's page, where it is known how people reach us."""
    if not public_url:
        return None
    return f"{public_url}/experiments/{notice.experiment}" if notice.experiment else f"{public_url}/"


def _lines(notice: Notice, public_url: str) -> Iterator[str]:
    yield notice.title
    yield ""
    yield _HAPPENED[notice.kind]
    yield ""
    if notice.experiment:
        yield f"Experiment: {notice.experiment}"
    if notice.segment:
        yield f"Segment: {notice.segment}"
    yield f"When: {notice.at:%Y-%m-%d %H:%M} UTC"
    if reasons := list(_reasons(notice.payload.get("reasons"))):
        yield ""
        yield "Why:"
        yield from (f"- {reason}" for reason in reasons)
    if link := link_of(notice, public_url):
        yield ""
        yield link


def _reasons(reasons: object) -> Iterator[str]:
    for reason in reasons if isinstance(reasons, list | tuple) else ():
        if isinstance(reason, dict) and reason.get("message"):
            yield one_line(str(reason["message"]))
