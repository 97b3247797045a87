"""A server that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "wk_test_secret"


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class FakeServer:
    """`refusals` are given first, one per request for events; `stored` is what was acknowledged, by id.

    Who is in `unwilling` does not consent. A body of more than `most_bytes` is refused unread, as the real one is.
    """

    catalog: dict[str, Any] | None = None
    catalog_status: int = 200
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    unwilling: set[str] = field(default_factory=set)
    lost_answers: int = 0
    most_bytes: int = 2_000_000
    asked: list[Asked] = field(default_factory=list)
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    def start(self) -> None:
        self.gate.set()
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self.gate.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def requests(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def _events(self, items: list[dict[str, Any]]) -> tuple[int, dict[str, str], Any]:
        if self.refusals:
            status, headers = self.refusals.pop(0)
            return status, headers, {"status": status}
        verdicts = []
        for item in items:
            code = "key_invalid" if item.get("name") == "bad" else "no_consent"
            if code == "key_invalid" or item["unit_id"] in self.unwilling:
                verdicts.append({"event_id": item["event_id"], "status": "rejected", "code": code})
                continue
            status_of = "duplicate" if item["event_id"] in self.stored else "accepted"
            self.stored.setdefault(item["event_id"], item)
            verdicts.append({"event_id": item["event_id"], "status": status_of})
        return 202, {}, {"items": verdicts}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.asked.append(Asked(self.path, dict(self.headers), None))
                if fake.catalog is None or fake.catalog_status != 200:
                    self._answer(fake.catalog_status if fake.catalog else 503, {}, {})
                    return
                tag = f'"{fake.catalog["version"]}"'
                if self.headers.get("If-None-Match") == tag:
                    self._answer(304, {"ETag": tag}, None)
                else:
                    self._answer(200, {"ETag": tag}, fake.catalog)

            def do_POST(self) -> None:
                if int(self.headers["Content-Length"]) > fake.most_bytes:
                    self.close_connection = True
                    self._answer(413, {}, {})
                    return
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                fake.asked.append(Asked(self.path, dict(self.headers), body))
                fake.gate.wait(10)
                status, headers, answer = fake._events(body["items"])
                if status == 202 and fake.lost_answers:
                    fake.lost_answers -= 1
                    self.close_connection = True
                    return
                self._answer(status, headers, answer)

            def _answer(self, status: int, headers: dict[str, str], document: Any) -> None:
                self.send_response(status)
                body = b"" if document is None else json.dumps(document).encode()
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
