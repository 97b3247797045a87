"""Where commands write: results to stdout, everything else to stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

WIDTH_ELSEWHERE = 120
"""Columns where stdout is a file or a pipe."""


class Tell(Protocol):
    """Called with what is done, with all there is where that is known, and with the label of another step."""

    def __call__(self, done: int, total: int | None, label: str | None = None) -> None: ...


def out() -> Console:
    """Return the console of results; made anew, because tests exchange stdout."""
    console = _console(stderr=False)
    if not console.is_terminal:
        console.width = WIDTH_ELSEWHERE
    return console


def err() -> Console:
    """Return the console of everything that is no result."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    """What people named is shown as they named it, brackets and colons included."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


@contextmanager
def progress_bar(label: str, unit: str = "rows") -> Iterator[Tell]:
    """Show a bar on stderr while the block runs; a stderr that is no terminal gets none."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    console = err()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=None)

        def tell(done: int, total: int | None, label: str | None = None) -> None:
            bar.update(task, completed=done, total=total, description=label)

        yield tell


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self._unit}/s" if speed else "")
