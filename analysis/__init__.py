"""Numbers for experiments: from exposure and event tables to a report, usable alone on anybody's tables.

`analyse`: raw tables to a report. `aggregate_units`: one row per unit to moments. `build`: moments to a report.
`compare_all`: thousands of comparisons as arrays. All are imported on first use: reading a plan or a stored report must
not cost numpy, scipy or DuckDB.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from analysis.version import ENGINE_VERSION

if TYPE_CHECKING:
    from analysis.aggregate import aggregate_units
    from analysis.comparison import compare_all
    from analysis.report import analyse, build

__all__ = ["ENGINE_VERSION", "aggregate_units", "analyse", "build", "compare_all"]

_HOMES = {
    "aggregate_units": "analysis.aggregate",
    "analyse": "analysis.report",
    "build": "analysis.report",
    "compare_all": "analysis.comparison",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
