"""Receivers on this machine: one for webhooks, one for mail. Both are real servers in threads."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(frozen=True)
class Received:
    path: str
    headers: Mapping[str, str]
    body: bytes


Behave = Callable[[BaseHTTPRequestHandler, threading.Event], None]


@dataclass
class WebReceiver:
    """Answers by its script, one behaviour per request, and 200 when the script is at its end."""

    url: str
    script: list[Behave] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def ids(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.received]


def status(code: int, **headers: str) -> Behave:
    def behave(handler: BaseHTTPRequestHandler, _over: threading.Event) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behave


def silence(_handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    """Take the request and say nothing."""
    over.wait(30)


def hang_up(handler: BaseHTTPRequestHandler, _over: threading.Event) -> None:
    """Close the line without an answer."""
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    """Answer a header at a time, for ever: each step is quick, and the whole never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(0.02):
        try:
            handler.wfile.write(b"X-Drip: 1\r\n")
        except OSError:
            return


def endless_body(handler: BaseHTTPRequestHandler, over: threading.Event) -> None:
    """Answer 200 and never finish the body."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nmuch")
    handler.wfile.flush()
    over.wait(30)


@contextmanager
def web_receiver(tls: ssl.SSLContext | None = None) -> Iterator[WebReceiver]:
    over, lock = threading.Event(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                receiver.received.append(Received(self.path, headers, body))
                behave = receiver.script.pop(0) if receiver.script else status(200)
            receiver.arrived.set()
            behave(self, over)

        do_GET = do_POST  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver = WebReceiver(url=f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/hook")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class MailReceiver:
    """Takes mail for everybody but `refuses`; `says` is what it answers to a message."""

    port: int = 0
    refuses: frozenset[str] = frozenset()
    says: str = "250 OK"
    messages: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuses:
            return f"550 no {address} here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.says.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.envelopes.append(envelope)
            self.messages.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        return self.says

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss", handled=False)


class _AnyPort(Controller):
    """Looks which port it was given before it tries whether it answers there."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_receiver(**options: Any) -> Iterator[MailReceiver]:
    """`options` are aiosmtpd's, such as `tls_context`."""
    receiver = MailReceiver()
    controller = _AnyPort(
        receiver, hostname="127.0.0.1", port=0, authenticator=receiver.authenticate, auth_require_tls=False, **options
    )
    controller.start()
    try:
        receiver.port = controller.port
        yield receiver
    finally:
        controller.stop()
