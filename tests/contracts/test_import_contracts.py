"""The import contracts hold, and each of them bites: a planted import is caught by the contract that forbids it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("analysis", "api", "experiments", "segmentation")


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all plants, each of which is pulled out again: what did not change is read from the linter's cache."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_contracts_hold() -> None:
    result = lint(ROOT, "--no-cache")
    assert (result.returncode, "0 broken" in result.stdout) == (0, True), result.stdout


PLANTS = [
    ("Rooms stand in layers", "experiments/domain/segment.py", "import experiments.storage.model"),
    ("Rooms stand in layers", "analysis/moments/one.py", "import experiments.domain.metric"),
    ("Rooms stand in layers", "experiments/services/recording/record.py", "import experiments.bootstrap"),
    ("Rooms stand in layers", "experiments/senders/post.py", "import experiments.storage.model"),
    (
        "Storage stands in layers",
        "experiments/storage/customers/identity_store.py",
        "import experiments.storage.log.event_log",
    ),
    ("Storage stands in layers", "experiments/storage/results/drift_store.py", "import experiments.storage.studies"),
    ("The domain is standard library and the hash only", "experiments/domain/metric.py", "import numpy"),
    ("Services know no web and no SQL", "experiments/services/recording/record.py", "import sqlalchemy"),
    ("SQLAlchemy lives in storage only", "api/errors.py", "import sqlalchemy"),
    ("SQLAlchemy lives in storage only", "experiments/senders/mail.py", "import sqlalchemy"),
    ("Analysis knows nothing of us", "analysis/plan/plan.py", "import experiments.domain.metric"),
    ("Analysis knows nothing of us", "analysis/report.py", "import flask"),
    ("Analysis knows nothing of us", "analysis/report.py", "import segmentation"),
    ("Segmentation knows nothing of us", "segmentation/__init__.py", "import experiments.domain.segment"),
    ("Segmentation knows nothing of us", "segmentation/__init__.py", "import sqlalchemy"),
    ("No request reaches the numbers", "experiments/services/recording/record.py", "import analysis.plan"),
    ("No request reaches the numbers", "experiments/services/recording/record.py", "import segmentation"),
    ("No request reaches the numbers", "experiments/storage/model.py", "import numpy"),
    ("No request reaches the numbers", "experiments/bootstrap.py", "import experiments.services.analysing.analyse"),
    ("No request reaches the numbers", "experiments/bootstrap.py", "import experiments.services.segments.cards"),
    (
        "No request reaches the numbers",
        "experiments/services/studies/studies.py",
        "import experiments.services.studies.learn",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "module", "planted"), PLANTS, ids=[f"{m}: {p}" for _, m, p in PLANTS])
def test_a_planted_import_is_caught(copy: Path, contract: str, module: str, planted: str) -> None:
    path = copy / module
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n{planted}\n", encoding="utf-8")
    try:
        result = lint(copy, "--cache-dir", str(copy / "cache"))
    finally:
        path.write_text(before, encoding="utf-8")
    assert result.returncode == 1
    assert f"{contract} BROKEN" in result.stdout, result.stdout
    assert module.removesuffix(".py").removesuffix("/__init__").replace("/", ".") in result.stdout
