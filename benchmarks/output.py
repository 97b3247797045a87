"""The same outcomes for a screen, for a program (JSON, `BOUND` lines) and for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.agreement import Agreement
from benchmarks.harness import Line, Measured, Outcome

_INTRODUCTION = """# Benchmarks

Sides are run in turn in one run, on the same machine and input; medians are compared, and only ratios mean
something elsewhere. Garbage is collected before each run, and not in what was there before all of them. Peak memory is
that of a fresh process with all it imports. Each section is written by the command it names.

Under *Promises*, `AGREE` counts the numbers that both sides came to alike; `BOUND` is a limit that we set ourselves,
`ok` or `SHORT` of it. What is short stays in print, and the command ends with code 1.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that one command found out."""

    command: str
    quick: bool
    measured_at: str
    machine: Mapping[str, str]
    outcomes: tuple[Outcome, ...]

    @property
    def lines(self) -> list[Line]:
        return [line for outcome in self.outcomes for line in outcome.lines]

    @property
    def agreements(self) -> list[Agreement]:
        return [agreement for outcome in self.outcomes for agreement in outcome.agreements]

    @property
    def is_kept(self) -> bool:
        """Sides agree and, unless sizes are too small to mean anything, every promise is kept."""
        agreed = all(agreement.is_kept for agreement in self.agreements)
        return agreed and (self.quick or all(line.is_kept for line in self.lines))


def to_dict(run: Run) -> dict[str, Any]:
    return {
        "schema": "winnow.benchmark/1",
        "command": run.command,
        "quick": run.quick,
        "measured_at": run.measured_at,
        "machine": dict(run.machine),
        "ok": run.is_kept,
        "cases": [_case(outcome) for outcome in run.outcomes],
        "bounds": [
            {
                "name": line.name,
                "measured": line.measured,
                "operator": line.operator,
                "bound": line.bound,
                "ok": line.is_kept,
                "missing": line.lacks,
            }
            for line in run.lines
        ],
        "agreements": [
            {
                "case": agreement.case,
                "sides": [agreement.ours, agreement.other],
                "compared": agreement.compared,
                "differs": agreement.differs,
                "ok": agreement.is_kept,
            }
            for agreement in run.agreements
        ],
    }


def _case(outcome: Outcome) -> dict[str, Any]:
    slope = outcome.slope
    return {
        "name": outcome.name,
        "title": outcome.title,
        "unit": outcome.unit,
        "sides": [
            {
                "name": side.name,
                "median_seconds": side.median if side.seconds else None,
                "seconds": list(side.seconds),
                "peak_mib": side.peak_mib,
                "missing": side.lacks,
            }
            for side in outcome.sides
        ],
        "slope": slope
        and {
            "unit": slope.unit,
            "per_unit_seconds": slope.per_unit_seconds,
            "fixed_seconds": slope.fixed_seconds,
            "share_explained": slope.share_explained,
            "when_doubled": slope.when_doubled,
            "when_size_doubled": slope.when_size_doubled,
        },
        "note": outcome.note,
    }


def show(screen: Console, outcome: Outcome) -> None:
    header, *rows = _rows(outcome)
    shown = Table()
    for index, name in enumerate(header):
        shown.add_column(name, justify="right" if index else "left")
    for row in rows:
        shown.add_row(*row)
    screen.print(outcome.title, style="bold")
    screen.print(shown)
    for remark in _remarks(outcome):
        screen.print(remark, markup=False)
    screen.print()


def lines(run: Run) -> Iterator[str]:
    """`AGREE` and `BOUND` lines."""
    for agreement in run.agreements:
        state = "ok" if agreement.is_kept else "DIFFER"
        sides = f"{_slug(agreement.ours)}~{_slug(agreement.other)}"
        reason = f" {agreement.differs}" if agreement.differs else ""
        yield f"AGREE {agreement.case}:{sides} {agreement.compared} {state}{reason}"
    for line in run.lines:
        yield bound_line(line, quick=run.quick)


def bound_line(line: Line, *, quick: bool = False) -> str:
    """In a quick run a missing peer is no news."""
    measured = "missing" if line.measured is None else f"{line.measured:.3g}"
    state = "ok" if line.is_kept else "skipped" if quick and line.lacks else "SHORT"
    reason = f" (without {line.lacks})" if line.lacks else ""
    return f"BOUND {line.name} {measured} {line.operator} {line.bound:g} {state}{reason}"


def write_docs(path: Path, run: Run) -> None:
    """Refresh the command's section, and leave those of other commands as they are."""
    start, end = f"<!-- {run.command} -->", f"<!-- end of {run.command} -->"
    text = path.read_text() if path.exists() else _INTRODUCTION
    section = "\n".join([start, *_section(run), end])
    before, found, after = text.partition(start)
    text = before + section + after.partition(end)[2] if found else f"{text.rstrip()}\n\n{section}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _section(run: Run) -> Iterator[str]:
    yield f"## `make {run.command}`"
    yield ""
    yield f"{run.measured_at}. " + ", ".join(f"{name} {value}" for name, value in run.machine.items()) + "."
    for outcome in run.outcomes:
        yield ""
        yield f"### {outcome.title}"
        yield ""
        yield from _markdown(_rows(outcome))
        for remark in _remarks(outcome):
            yield ""
            yield remark
    yield ""
    yield "### Promises"
    yield ""
    yield "```"
    yield from lines(run)
    yield "```"


def _markdown(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    header, *body = rows
    yield f"| {' | '.join(header)} |"
    yield "|---|" + "---:|" * (len(header) - 1)
    for row in body:
        yield f"| {' | '.join(row)} |"


def _rows(outcome: Outcome) -> list[list[str]]:
    first = outcome.sides[0]
    if outcome.slope is not None:
        return [["size", "median", "fastest"], *([side.name, *_times(side)] for side in outcome.sides)]
    with_memory = not outcome.unit or any(side.peak_mib is not None for side in outcome.sides)
    rows = [["side", "median", "fastest", "× the first"]]
    rows[0] += [f"{outcome.unit}s/s"] if outcome.unit else []
    rows[0] += ["peak memory"] if with_memory else []
    for side in outcome.sides:
        times = f"{side.median / first.median:.2f}" if side.seconds and first.seconds else "–"
        row = [side.name, *_times(side), times]
        row += [f"{1 / side.median:,.0f}" if side.seconds else "–"] if outcome.unit else []
        row += ["–" if side.peak_mib is None else f"{side.peak_mib:.0f} MiB"] if with_memory else []
        rows.append(row)
    return rows


def _times(side: Measured) -> tuple[str, str]:
    if not side.seconds:
        return f"missing: {side.lacks}", "–"
    return duration(side.median), duration(min(side.seconds))


def _remarks(outcome: Outcome) -> Iterable[str]:
    slope = outcome.slope
    if slope is not None:
        yield f"{duration(slope.per_unit_seconds)} per {slope.unit} and {duration(slope.fixed_seconds)} once."
        yield f"A straight line explains {slope.share_explained:.2%}."
        yield f"As the number of {slope.unit}s doubles, time grows {slope.when_doubled:.2f} times at most."
        if slope.when_size_doubled != slope.when_doubled:
            yield f"As the size doubles, time grows {slope.when_size_doubled:.2f} times at most."
    if outcome.note:
        yield outcome.note


def duration(seconds: float) -> str:
    size = abs(seconds)
    if size >= 1:
        return f"{seconds:.2f} s"
    if size >= 1e-3:
        return f"{seconds * 1e3:.2f} ms"
    return f"{seconds * 1e6:.1f} µs" if size >= 1e-5 else f"{seconds * 1e9:,.0f} ns"


def _slug(name: str) -> str:
    return name.replace(" ", "_")
