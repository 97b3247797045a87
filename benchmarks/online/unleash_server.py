"""Unleash's server, its frontend API asked for the same experiment."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from benchmarks.harness import Missing, Work
from benchmarks.online.databases import Ground
from benchmarks.online.processes import Server, serve
from benchmarks.online.question import CONTROL, COUNTRY, ELSEWHERE, KEY, TREATMENT
from benchmarks.online.wrk import get_script, wrk

FOLDER = Path(__file__).parent / "unleash"
INSTALLED = "file benchmarks/online/unleash/node_modules"
_ADMIN, _FRONTEND = "*:*.for-the-benchmark", "default:development.for-the-benchmark"
_ASKED = {"Authorization": _FRONTEND}
_SETTLED_SECONDS = 30


def frontend_api(ground: Ground, *, seconds: int) -> Work:
    """Ask it with `GET /api/frontend`, as its browser SDKs do."""
    with ExitStack() as stack:
        ground.enter()
        stack.callback(ground.leave)
        host, database = ground.unmigrated()
        server = serve(
            lambda port: ["node", str(FOLDER / "serve.cjs"), str(port), host, database],
            log=ground.folder / f"{uuid.uuid4().hex}.log",
            environment={
                "NODE_ENV": "production",
                "INIT_ADMIN_API_TOKENS": _ADMIN,
                "INIT_FRONTEND_API_TOKENS": _FRONTEND,
                "CHECK_VERSION": "false",
                "SEND_TELEMETRY": "false",
            },
            ready=("/health", 200),
        )
        stack.callback(server.close)
        _furnish(server)
        script = get_script(ground.folder / f"{uuid.uuid4().hex}.lua")
        url = f"{server.address}/api/frontend?userId=7&properties%5Bcountry%5D={COUNTRY}"
        return Work(
            run=lambda: wrk(url, script, seconds=seconds, headers=_ASKED),
            numbers=lambda _: {},
            seconds=lambda load: load.seconds_each,
            close=stack.pop_all().close,
        )


def _furnish(server: Server) -> None:
    strategy = {
        "name": "flexibleRollout",
        "parameters": {"rollout": "100", "stickiness": "userId", "groupId": KEY},
        "constraints": [{"contextName": "country", "operator": "IN", "values": [COUNTRY]}],
        "variants": [
            {"name": key, "weight": 500, "weightType": "variable", "stickiness": "userId"}
            for key in (CONTROL, TREATMENT)
        ],
    }
    features = "/projects/default/features"
    environment = f"{features}/{KEY}/environments/development"
    with httpx.Client(base_url=f"{server.address}/api/admin", headers={"Authorization": _ADMIN}) as client:
        asked: list[tuple[str, dict[str, Any] | None]] = [
            ("/context", {"name": "country"}),
            (features, {"name": KEY, "type": "experiment"}),
            (f"{environment}/strategies", strategy),
            (f"{environment}/on", None),
        ]
        for path, body in asked:
            client.post(path, json=body).raise_for_status()
    deadline = time.monotonic() + _SETTLED_SECONDS
    while not _decides(server):
        if time.monotonic() > deadline:
            raise Missing("an Unleash server that decides")
        time.sleep(0.2)


def _decides(server: Server) -> bool:
    """Both variants come about, and none elsewhere."""
    seen = {_variant(server, unit, COUNTRY) for unit in range(20)}
    return seen == {CONTROL, TREATMENT} and _variant(server, 1, ELSEWHERE) is None


def _variant(server: Server, unit: int, country: str) -> str | None:
    asked = {"userId": str(unit), "properties[country]": country}
    found = httpx.get(f"{server.address}/api/frontend", params=asked, headers=_ASKED).raise_for_status().json()
    return next((toggle["variant"]["name"] for toggle in found["toggles"]), None)
