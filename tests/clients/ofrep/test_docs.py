"""The samples of docs/frontends.md, run as they are printed: only address and key differ."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.clients.ofrep.conftest import CLIENTS, Site

PAGE = Path(__file__).parents[3].joinpath("docs", "frontends.md").read_text(encoding="utf-8")
SEEN = re.compile(r"(\{.*\}) (a|b) (?:Reason\.)?(\w+)")
TEXTS = {"a": "old", "b": "new"}


def sample(heading: str, language: str, site: Site) -> str:
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    (code,) = re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)
    assert "https://winnow.example" in code
    return code.replace("https://winnow.example", site.url)


def check(site: Site, command: list[str], folder: Path) -> None:
    ran = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "KEY": site.key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    seen = SEEN.fullmatch(ran.stdout.strip())
    assert seen is not None, ran.stdout
    value, variant, reason = seen.groups()
    assert TEXTS[variant] in value
    assert reason == "SPLIT"


def test_python(site: Site, tmp_path: Path) -> None:
    code = sample("Python, on a server", "python", site)
    check(site, [sys.executable, "-c", f"import os\nKEY = os.environ['KEY']\n{code}"], tmp_path)


def test_node(site: Site) -> None:
    code = sample("Node, on a server", "js", site)
    check(site, ["node", "--input-type=module", "-e", code], CLIENTS / "node")


def test_curl(site: Site) -> None:
    (code,) = re.findall(r"```sh\n(curl .*?)```", PAGE, flags=re.DOTALL)
    ran = subprocess.run(
        ["bash", "-c", code.replace("https://winnow.example", site.url)],
        env={**os.environ, "KEY": site.key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert '"reason":"SPLIT"' in ran.stdout, ran.stdout + ran.stderr
