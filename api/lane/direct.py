"""Granian's own way of handing over a request, for what the lane answers (ADR 31).

A WSGI function is given a copy of the environment with all that a process has in its own, and must keep a thread until
it knows its answer. Granian itself calls something smaller: a function of a `proto`, to which the answer is given, by
whichever thread and whenever, and of a `scope`, the environment of this request alone. So an answer that waits for the
disk holds no thread: a few of them serve as many such requests as there are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import CodeType
from typing import Any, Protocol, TypeAlias

from flask import Flask

from api.lane.asked import Environ
from api.lane.lane import Lane, Taken
from api.logs import logger
from experiments.domain.errors import DomainError
from experiments.services.recording.lines import Lines
from experiments.services.recording.ports import Told

SERVER, WRAPS = "granian.server.mp", "_wsgi_call_wrap"
"""Where Granian keeps what makes its small function of a WSGI app; a name of its own, which it may change."""
MOST_REFUSING = 2
"""Threads in which Flask tells those who waited in vain why."""

_log = logger("winnow.lane")


class Proto(Protocol):
    """What Granian waits on for an answer; one that is let go without any is answered 500 by Granian."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Give the answer; a second one is nobody's."""


Direct: TypeAlias = Callable[[Proto, Environ], Any]
Later: TypeAlias = Callable[[Lines, Told], None]


def answer_directly(app: Flask, later: Later) -> bool:
    """Have the Granian that serves this app call the lane without WSGI; False: this is no Granian that we know.

    `later` stores what answers wait for. Everything else, and every app but this one, goes as it went.
    """
    server, lane = sys.modules.get(SERVER), app.wsgi_app
    wrap: Callable[..., Direct] | None = getattr(server, WRAPS, None)
    if wrap is None or not _is_known(wrap) or not isinstance(lane, Lane):
        _log.warning("Answers that wait for the disk hold a thread each: this is no server that is known to need none")
        return False

    def wrapped(callback: Any, options: dict[str, Any], *more: Any, **named: Any) -> Direct:
        plain = wrap(callback, options, *more, **named)
        # More than that is asked for where each access is logged; we do not.
        if callback is not app or options.get("url_path_prefix") or any(more) or any(named.values()):
            return plain
        return direct(lane, plain, later)

    setattr(server, WRAPS, wrapped)
    return True


def _is_known(wrap: Callable[..., Direct]) -> bool:
    """Whether functions that it makes give their answers as ours do."""
    code = getattr(wrap, "__code__", None)
    made = (const for const in getattr(code, "co_consts", ()) if isinstance(const, CodeType))
    return any(Proto.response_bytes.__name__ in one.co_names for one in made)


def direct(lane: Lane, plain: Direct, later: Later) -> Direct:
    """Return the function: what the lane takes it answers, now or when it is stored; `plain` answers the rest."""
    take, finish = lane.take, lane.finish
    refusing = ThreadPoolExecutor(MOST_REFUSING, thread_name_prefix="winnow-refusing")

    def answer(proto: Proto, scope: Environ) -> Any:
        taken = take(scope)
        if taken is None:
            return plain(proto, scope)
        if taken.held is None:
            return proto.response_bytes(taken.learnt.code, finish(taken, scope), taken.reply.body)
        try:
            return later(taken.held.lines, partial(told, proto, scope, taken))
        except DomainError as refusal:
            lane.leave(taken, scope, refusal)
            return plain(proto, scope)

    def told(proto: Proto, scope: Environ, taken: Taken, refusal: DomainError | None) -> None:
        if refusal is None:
            proto.response_bytes(taken.learnt.code, finish(taken, scope), taken.reply.body)
        else:
            # Not here: this is the thread that commits, and others wait for it.
            lane.leave(taken, scope, refusal)
            refusing.submit(plain, proto, scope)

    return answer
