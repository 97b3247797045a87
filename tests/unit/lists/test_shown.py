"""How many exposures a list comes to, from what its parts have written down."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from experiments.services.lists.shown import count_shown


@pytest.fixture
def few_files() -> Iterator[int]:
    """A process that may open a few more files than it has open, as every process has an end somewhere."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    more = 20
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (max(int(one.name) for one in Path("/proc/self/fd").iterdir()) + more, hard)
    )
    yield more
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_each_is_counted_once_in_more_parts_than_a_process_may_open(tmp_path: Path, few_files: int) -> None:
    rng = np.random.default_rng(7)
    everybody: set[int] = set()
    files = []
    for part in range(3 * few_files):
        shown = np.unique(rng.integers(0, 2**64, size=50, dtype=np.uint64) >> np.uint64(rng.integers(0, 60)))
        everybody.update(shown.tolist())
        files.append(tmp_path / f"{part}.exposed")
        files[-1].write_bytes(shown.tobytes())
    assert count_shown(files) == len(everybody)


def test_of_no_parts_there_is_nobody() -> None:
    assert count_shown([]) == 0
