"""The samples of docs/webhooks.md, run as they are printed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments.domain.signature import secret_of, signed_headers

PAGE = Path(__file__).parents[2].joinpath("docs", "webhooks.md").read_text(encoding="utf-8")
ID, BODY = "9b2f6a52-6c1c-4d0e-8a53-0c5e1b9d7f10", '{"title": "ü"}'.encode()
OLD, NEW = secret_of(b"o" * 32), secret_of(b"n" * 32)


def sample(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return str(found)


def cases() -> list[tuple[str, dict[str, str], bytes, bool]]:
    now = datetime.now(UTC)
    sent = signed_headers((NEW, OLD), ID, now, BODY)
    stale = signed_headers((NEW,), ID, now - timedelta(minutes=6), BODY)
    return [
        (NEW, sent, BODY, True),
        (OLD, sent, BODY, True),
        (secret_of(b"x" * 32), sent, BODY, False),
        (NEW, sent, BODY + b" ", False),
        (NEW, {**sent, "webhook-id": "other"}, BODY, False),
        (NEW, stale, BODY, False),
    ]


def test_the_python_sample() -> None:
    names: dict[str, Any] = {}
    exec(sample("python"), names)
    assert [names["verify"](secret, headers, body) for secret, headers, body, _ in cases()] == [c[3] for c in cases()]


def test_the_javascript_sample(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    given = json.dumps([[secret, headers, body.decode()] for secret, headers, body, _ in cases()])
    ask = f"console.log(JSON.stringify({given}.map(([s, h, b]) => verify(s, h, Buffer.from(b)))));"
    script = tmp_path / "verify.mjs"
    script.write_text(f"{sample('js')}\n{ask}\n", encoding="utf-8")
    told = subprocess.run([node, str(script)], capture_output=True, text=True, check=True, timeout=60).stdout
    assert json.loads(told) == [case[3] for case in cases()]


def test_the_example_of_the_page_is_the_tested_one() -> None:
    assert f"webhook-id: {ID}" in PAGE
