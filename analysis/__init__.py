"""Numbers for experiments: from exposure and event tables to a report, usable alone on anybody's tables.

`analyse` is imported on first use: reading a plan or a stored report must not cost numpy, scipy or DuckDB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.version import ENGINE_VERSION

if TYPE_CHECKING:
    from analysis.report import analyse

__all__ = ["ENGINE_VERSION", "analyse"]


def __getattr__(name: str) -> Any:
    if name == "analyse":
        from analysis.report import analyse  # noqa: PLC0415

        return analyse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
