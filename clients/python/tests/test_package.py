"""The package stands alone: on the standard library, without the server, and without what is optional."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

from documents import GOLDEN, catalog, from_golden

PACKAGE = Path(__file__).resolve().parents[1] / "winnow_client"
OPTIONAL = {"hashing.py": {"mmh3"}, "openfeature.py": {"openfeature"}}


def test_what_is_imported() -> None:
    modules = sorted(PACKAGE.glob("*.py"))
    assert len(modules) > 5
    for module in modules:
        foreign = _imported(module) - set(sys.stdlib_module_names) - {"winnow_client", "__future__"}
        assert foreign == OPTIONAL.get(module.name, set()), module.name


def _imported(module: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return {name.split(".")[0] for name in plain | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}}


PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from winnow_client import compile_catalog
document, units = json.load(sys.stdin)
catalog = compile_catalog(document)
answers = [catalog.assigns[key](unit, {"s": segment}) for key, unit, segment in units]
print(json.dumps([[answer.variant, answer.reason] for answer in answers]))
assert "mmh3" not in sys.modules
assert not any(name.startswith("multiprocessing") for name in sys.modules)
"""


def test_it_decides_alike_where_nothing_is_installed() -> None:
    golden = GOLDEN[1]
    document = catalog(*(from_golden(key, given) for key, given in golden["experiments"].items()))
    asked = [[vector["experiment"], vector["unit_id"], vector["segment"]] for vector in golden["assignments"]]
    ended = subprocess.run(
        # Isolated, and without site-packages.
        [sys.executable, "-I", "-S", "-c", PROGRAM, str(PACKAGE.parent)],
        input=json.dumps([document, asked]), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    expected = [[vector["variant"], vector["reason"]] for vector in golden["assignments"]]
    assert json.loads(ended.stdout) == expected
