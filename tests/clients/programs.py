"""Small programs for Node in `tests/clients/node`: JSON in, JSON out."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

NODE = Path(__file__).parent / "node"


def node(program: str, told: Any) -> Any:
    """Run a program to its end and return what it prints."""
    ended = subprocess.run(
        ["node", program], cwd=NODE, input=json.dumps(told), capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
