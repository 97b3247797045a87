"""Lists a stretch at a time, and values with the revision that an edit must name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A stretch of a list in a stable order; `next_after` continues it, None at its end."""

    items: tuple[T, ...]
    next_after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Generic[T]):
    """A value with the revision that an edit must name."""

    value: T
    revision: int
    updated_at: datetime
