"""What a handler of the lane gets and gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from experiments.services.keys import Principal
from experiments.services.recording.lines import Lines

Environ = dict[str, Any]


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An answer; `headers` come on top of those that Flask gives to every answer of its kind."""

    body: bytes
    status: str
    headers: tuple[tuple[str, str], ...]


class Held(msgspec.Struct, frozen=True, gc=False):
    """An answer that may be given once `lines` are on disk; `stored` is called in between, and waits for nothing."""

    reply: Reply
    lines: Lines
    stored: Callable[[], None]


def reply(body: bytes, status: str = "200 OK", headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Return an answer whose headers say how long it is; an empty one says nothing of that, as Flask's do not."""
    return Reply(body, status, (*headers, ("Content-Length", str(len(body)))) if body else headers)


Handler: TypeAlias = Callable[[Environ, bytes, Principal], Reply | Held | None]
"""Takes the environment, the body, and who asks. None: this is for Flask, which answers as if the lane were not there.

So a handler knows clean requests only.
"""
