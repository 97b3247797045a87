"""Webhooks by HTTP: one signed POST, of whose answer only the status counts."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx

from experiments.domain.delivery import Answer
from experiments.domain.notice import Notice
from experiments.domain.signature import signed_headers
from experiments.domain.webhook import Webhook
from experiments.senders.message import as_body
from experiments.senders.within import within

TIMEOUT_SECONDS = 10.0
USER_AGENT = "Winnow-Webhooks/1"


class Post:
    """Follows no redirect (it could lead to where an administrator never pointed), and reads no answer's body."""

    def __init__(self, public_url: str = "", *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._public_url = public_url
        self._timeout_seconds = timeout_seconds

    def __call__(self, notice: Notice, webhook: Webhook, now: datetime) -> Answer:
        """Make one attempt. Nothing of what went wrong beyond its kind is kept: addresses hold secrets."""
        body = as_body(notice, self._public_url)
        headers = {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            **signed_headers(webhook.secrets(now), notice.id, now, body),
        }
        try:
            response = within(self._timeout_seconds, lambda: asyncio.run(self._post(webhook.url, headers, body)))
        except (TimeoutError, httpx.TimeoutException):
            return Answer(error="timeout", unreached=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as trouble:
            return Answer(error=_kind(trouble), unreached=True)
        return _answer(response, now)

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        """A client's own time limits are for each step; a receiver that drips headers is cut off by this one alone.

        It does not cut off the looking up of a name, for which `asyncio.run` waits at its end.
        """
        async with asyncio.timeout(self._timeout_seconds), httpx.AsyncClient(timeout=self._timeout_seconds) as client:
            request = client.build_request("POST", url, headers=headers, content=body)
            response = await client.send(request, stream=True, follow_redirects=False)
            await response.aclose()
            return response


def _kind(trouble: BaseException) -> str:
    """Tell what is wrong with encryption or certificates apart: who fixes that does not look at the network."""
    cause: BaseException | None = trouble
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            # Errors with a message alone have no reason at all.
            return f"tls:{(getattr(cause, 'reason', None) or type(cause).__name__).lower()}"
        cause = cause.__cause__ or cause.__context__
    return f"connection:{type(trouble).__name__}"


def _answer(response: httpx.Response, now: datetime) -> Answer:
    status = response.status_code
    if response.is_success:
        return Answer(status=status)
    wait = _retry_after_seconds(response.headers.get("retry-after", ""), now)
    error = "redirect" if response.has_redirect_location else f"status:{status}"
    return Answer(status=status, error=error, retry_after_seconds=wait, gone=status == HTTPStatus.GONE)


def _retry_after_seconds(text: str, now: datetime) -> float | None:
    """Read a number of seconds or a date; None for anything else."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
