"""The load generator, on the other core: it asks again as soon as it has its answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.online.cores import LOAD, on_core

WRK = "program wrk"
CONNECTIONS = 32
_MARK = "RESULT "
_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local before, after, number = {before}, {after}, 0
local fixed = nil

function init(arguments)
  before = before .. (arguments[1] or "")
  fixed = wrk.format(nil, nil, nil, before .. after)
end

function request()
  if not {counts} then return fixed end
  number = number + 1
  return wrk.format(nil, nil, nil, before .. number .. after)
end
"""
_PAUSES = """
math.randomseed(7)
function delay() return math.random(0, {most}) end
"""
_DONE = """
function done(summary, latency, requests)
  local wrong = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.status + summary.errors.timeout
  io.write(string.format("RESULT {{\\"requests\\": %d, \\"microseconds\\": %d, \\"wrong\\": %d, "
    .. "\\"p50\\": %d, \\"p99\\": %d}}\\n",
    summary.requests, summary.duration, wrong, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of asking for a while; `waits`: seconds within which so many in a hundred answers came, by how many."""

    requests: int
    seconds: float
    waits: Mapping[int, float]

    @property
    def seconds_each(self) -> float:
        return self.seconds / self.requests


def post_script(path: Path, before: str, after: str, *, counts: bool, most_pause_ms: int = 0) -> Path:
    """Write a script that posts `before` + something + `after`: the argument of the run, and a counter if it counts.

    Before each request a connection pauses at random, up to so long.
    """
    texts = {"before": json.dumps(before), "after": json.dumps(after), "counts": "true" if counts else "false"}
    pauses = _PAUSES.format(most=most_pause_ms) if most_pause_ms else ""
    path.write_text(_SCRIPT.format(**texts) + pauses + _DONE.format())
    return path


def get_script(path: Path) -> Path:
    """Write a script that gets the address as it is."""
    path.write_text(_DONE.format())
    return path


def wrk(
    url: str,
    script: Path,
    *,
    seconds: int,
    headers: Mapping[str, str],
    argument: str = "",
    connections: int = CONNECTIONS,
) -> Load:
    """Ask for so long. An answer that is not 200 ends the benchmark."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    with on_core(LOAD):
        done = subprocess.run(
            [*command, url, "--", argument], capture_output=True, text=True, check=True, timeout=seconds + 60
        )
    line = next(line for line in done.stdout.splitlines() if line.startswith(_MARK))
    found: dict[str, Any] = json.loads(line.removeprefix(_MARK))
    if found["wrong"] or not found["requests"]:
        raise RuntimeError(f"{url}: {found['wrong']} of {found['requests']} answers were wrong\n{done.stdout}")
    waits = {share: found[f"p{share}"] / 1e6 for share in (50, 99)}
    return Load(requests=found["requests"], seconds=found["microseconds"] / 1e6, waits=waits)
