"""A client that costs next to nothing: requests are bytes that are ready, answers are read to their end."""

from __future__ import annotations

import select
import socket
from collections import deque
from collections.abc import Sequence

from benchmarks.online.cores import LOAD, on_core
from benchmarks.online.processes import HOST

_PATIENCE_SECONDS = 60


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """Return a request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Connection:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=_PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answer = b""

    def receive(self) -> bytes | None:
        """Return the body once it is all there. Raises RuntimeError where it is not a good one."""
        chunk = self.socket.recv(1 << 18)
        answer = self._answer + chunk if self._answer else chunk
        head, found, body = answer.partition(b"\r\n\r\n")
        if not chunk:
            raise RuntimeError(f"the server hung up: {answer[:500]!r}")
        if not found or len(body) < _length(head):
            self._answer = answer
            return None
        if not head.startswith(b"HTTP/1.1 20"):
            raise RuntimeError(f"not what was asked for: {answer[:500]!r}")
        self._answer = b""
        return body


def _length(head: bytes) -> int:
    place = head.lower().index(b"content-length:") + 15
    return int(head[place:].partition(b"\r\n")[0])


class _Connections:
    """All of them, waited for together."""

    def __init__(self, port: int, count: int) -> None:
        self.idle = deque(_Connection(port) for _ in range(count))
        self._poll = select.poll()
        self._all = {one.socket.fileno(): one for one in self.idle}
        for number in self._all:
            self._poll.register(number, select.POLLIN)

    def ready(self, milliseconds: int | None) -> list[_Connection]:
        return [self._all[number] for number, _ in self._poll.poll(milliseconds)]

    def close(self) -> None:
        for one in self._all.values():
            one.socket.close()


def send_all(port: int, requests: Sequence[bytes], *, connections: int) -> list[bytes]:
    """Send them as fast as answers come, and return the bodies of the answers."""
    bodies: list[bytes] = []
    with on_core(LOAD):
        pool = _Connections(port, connections)
        try:
            left = iter(requests)
            while len(bodies) < len(requests):
                while pool.idle and (request := next(left, None)) is not None:
                    pool.idle.popleft().socket.sendall(request)
                ready = pool.ready(_PATIENCE_SECONDS * 1_000)
                if not ready:
                    raise RuntimeError("no answer for a minute")
                for one in ready:
                    body = one.receive()
                    if body is not None:
                        bodies.append(body)
                        pool.idle.append(one)
        finally:
            pool.close()
    return bodies
