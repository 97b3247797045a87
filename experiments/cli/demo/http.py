"""The public API, as the demo uses it: nothing here that anybody with a key could not do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from experiments.domain.errors import Unavailable

TRIES = 5
"""A batch may be sent again: whatever was stored is not stored twice."""


class Api:
    """One key's view of one server; its client may be used by several threads."""

    def __init__(self, address: str, key: str) -> None:
        self._client = httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def get(self, path: str) -> Any:
        """Read. Raises Unavailable for any other answer than 200."""
        return self._answer(self._client.get(path))

    def find(self, path: str, body: Any = None) -> Any:
        """Read, or ask with a body; return None where there is nothing yet."""
        response = self._client.get(path) if body is None else self._client.post(path, json=body)
        return None if response.status_code == httpx.codes.NOT_FOUND else self._answer(response)

    def post(self, path: str, body: Any = None) -> Any:
        """Act. Raises Unavailable where the answer is a refusal."""
        return self._answer(self._client.post(path, json=body))

    def record(self, items: Sequence[dict[str, Any]]) -> None:
        """Send a batch until it is acknowledged. Raises Unavailable where an item is rejected."""
        for last in (False,) * (TRIES - 1) + (True,):
            response = self._client.post("/v1/events", json={"items": items})
            if last or response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
        verdicts = self._answer(response)
        if verdicts["rejected"]:
            bad = next(verdict for verdict in verdicts["items"] if verdict["status"] == "rejected")
            raise Unavailable("item_rejected", f"{verdicts['rejected']} items were rejected: {bad['message']}")

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        if response.is_success:
            return response.json() if response.content else None
        request = response.request
        raise Unavailable(
            "unexpected_answer", f"{request.method} {request.url.path}: {response.status_code} {response.text[:500]}"
        )
