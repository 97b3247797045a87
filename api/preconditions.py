"""ETags: the revision that an edit starts from, and the report that a reader has already."""

from __future__ import annotations

import re

from flask import Response, request

from experiments.domain.errors import RevisionMismatch, RevisionRequired
from experiments.services.publishing.published import Published

_REVISION = re.compile(r'"([0-9]{1,9})"')


def etag(revision: int) -> dict[str, str]:
    """Return the header that names a revision."""
    return {"ETag": f'"{revision}"'}


def expected_revision(kind: str, key: str) -> int:
    """Return the revision in If-Match. Raises RevisionRequired without one, or for `*`, which would match anything."""
    sent = request.headers.get("If-Match", "").strip()
    if sent in ("", "*"):
        raise RevisionRequired
    found = _REVISION.fullmatch(sent)
    if found is None:
        raise RevisionMismatch(kind, key)
    return int(found[1])


def expected_revision_if_any(kind: str, key: str) -> int | None:
    """Return the revision in If-Match, where it is sent at all."""
    return expected_revision(kind, key) if "If-Match" in request.headers else None


def has_already(tag: str) -> bool:
    """Say whether the reader holds just this."""
    return request.if_none_match.contains_weak(tag)


def published(document: Published, *, cache_control: str) -> Response:
    """Give a document that is written out already, unless the reader holds just this."""
    headers = {"ETag": f'"{document.sha256}"', "Cache-Control": cache_control}
    if has_already(document.sha256):
        return Response(status=304, headers=headers)
    return Response(document.body, headers=headers, mimetype="application/json")
