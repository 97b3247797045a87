"""Measuring sides in turn: A B C A B C …, so that a noisy minute hits all of them."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from itertools import pairwise
from math import ceil, log
from pathlib import Path
from shutil import which
from statistics import fmean, linear_regression, median
from time import perf_counter
from typing import Any, Literal

from benchmarks.agreement import Agreement, agreements
from benchmarks.memory import peak_mib

LEAST_SECONDS = 0.2
"""A timed run is repeated until it lasts so long, as `timeit` does; times are for one."""

Numbers = Mapping[str, float]
Operator = Literal["<=", ">="]
Tick = Callable[[], None]


class Missing(Exception):
    """A side cannot be prepared here; the text says what is lacking."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`run` is what the clock sees; `numbers` names what came out of it, to compare sides (nothing: it does not).

    `seconds`: what the run itself says it took, where it does more than what is to be measured. `count`: how many
    decisions, requests or events it does; time is for one of them. `close` ends what was prepared.
    """

    run: Callable[[], Any]
    numbers: Callable[[Any], Numbers]
    seconds: Callable[[Any], float] | None = None
    count: int = 1
    close: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One way to do the work.

    `prepare` is everything that is not measured: imports, connections, input in the form the side wants. It can be
    pickled, so that another process can do the same for its memory. `requires` names modules ("ibis"), what is in
    them ("analysis.report:build"), programs ("program wrk") or files ("file NAME"); a side that lacks one is reported
    as missing, as is one whose `prepare` raises `Missing`.
    """

    name: str
    prepare: Callable[[], Work]
    requires: tuple[str, ...] = ()

    @property
    def lacks(self) -> str | None:
        return next((required for required in self.requires if not _is_there(required)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """`slow` takes so many times as long as `fast`: of several on one side the fastest counts."""

    name: str
    fast: str | tuple[str, ...]
    slow: tuple[str, ...]
    operator: Operator
    bound: float

    @property
    def fastest(self) -> tuple[str, ...]:
        """The fast side, or those of which the fastest counts."""
        return (self.fast,) if isinstance(self.fast, str) else self.fast


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Sides that do the same work; the first is ours, and the others' numbers are compared with its.

    `unit` is what is counted ("request"); `memory`: whether a process of its own tells what a side needs.
    """

    name: str
    title: str
    sides: tuple[Side, ...]
    promises: tuple[Promise, ...] = ()
    rounds: int = 5
    warm_ups: int = 1
    unit: str = ""
    memory: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The same work at growing sizes. `count` says how many of `unit` there are at a size."""

    name: str
    title: str
    unit: str
    sizes: tuple[int, ...]
    prepare: Callable[[int], Callable[[], Any]]
    count: Callable[[int], int] = int
    most_when_doubled: float | None = None
    rounds: int = 5
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    name: str
    seconds: tuple[float, ...] = ()
    peak_mib: float | None = None
    lacks: str | None = None

    @property
    def median(self) -> float:
        return median(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One promise, measured; `measured` is None where a side is missing."""

    name: str
    measured: float | None
    operator: Operator
    bound: float
    lacks: str | None = None

    @property
    def is_kept(self) -> bool:
        if self.measured is None:
            return False
        return self.measured <= self.bound if self.operator == "<=" else self.measured >= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Least squares of time on the number of units; `when_doubled`: how time grows as that doubles, or the size."""

    unit: str
    per_unit_seconds: float
    fixed_seconds: float
    share_explained: float
    when_doubled: float
    when_size_doubled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    name: str
    title: str
    sides: tuple[Measured, ...]
    lines: tuple[Line, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    slope: Slope | None = None
    unit: str = ""
    note: str = ""


def measure(case: Case, *, memory: bool, least_seconds: float = LEAST_SECONDS, tick: Tick = lambda: None) -> Outcome:
    """Run a case: warm up, then the sides in turn; `tick` is called after each run."""
    lacking = {side.name: side.lacks for side in case.sides if side.lacks is not None}
    with ExitStack() as prepared:
        works: dict[str, Work] = {}
        for side in case.sides:
            if side.name not in lacking:
                try:
                    works[side.name] = side.prepare()
                except Missing as missing:
                    lacking[side.name] = str(missing)
                else:
                    prepared.callback(works[side.name].close)
        numbers: dict[str, Numbers] = {}
        times = dict.fromkeys(works, 1)
        for name, work in works.items():
            for _ in range(case.warm_ups):
                started = perf_counter()
                result = work.run()
                took = perf_counter() - started
                times[name] = _times(work, took, least_seconds)
                numbers[name] = work.numbers(result)
                tick()
        seconds = _in_turn(works, case.rounds, tick, times)
    peaks = {}
    if memory and case.memory:
        peaks = {side.name: peak_mib(side.prepare) for side in case.sides if side.name in works}
    measured = tuple(
        Measured(
            name=side.name,
            seconds=tuple(seconds.get(side.name, ())),
            peak_mib=peaks.get(side.name),
            lacks=lacking.get(side.name),
        )
        for side in case.sides
    )
    return Outcome(
        name=case.name,
        title=case.title,
        sides=measured,
        lines=tuple(_line(promise, measured) for promise in case.promises),
        agreements=agreements(case.name, case.sides[0].name, numbers),
        unit=case.unit,
        note=case.note,
    )


def sweep(plan: Sweep, *, tick: Tick = lambda: None) -> Outcome:
    """Run a sweep: all sizes in turn, and the slope of time on their number."""
    works = {f"{size}": Work(run=plan.prepare(size), numbers=lambda _: {}) for size in plan.sizes}
    for work in works.values():
        work.run()
        tick()
    seconds = _in_turn(works, plan.rounds, tick, dict.fromkeys(works, 1))
    measured = tuple(Measured(name=name, seconds=tuple(times)) for name, times in seconds.items())
    slope = _slope(plan, [min(side.seconds) for side in measured])
    promised = plan.most_when_doubled
    line = Line(name=f"{plan.name}-doubled", measured=slope.when_doubled, operator="<=", bound=promised or 0.0)
    return Outcome(
        name=plan.name,
        title=plan.title,
        sides=measured,
        lines=() if promised is None else (line,),
        slope=slope,
        note=plan.note,
    )


def runs_of(case: Case | Sweep) -> int:
    """How often `tick` will be called."""
    if isinstance(case, Sweep):
        return len(case.sizes) * (case.rounds + 1)
    return sum(side.lacks is None for side in case.sides) * (case.rounds + case.warm_ups)


def _times(work: Work, took: float, least_seconds: float) -> int:
    """How often to run: what says by itself how long it took does so for one run."""
    return 1 if work.seconds is not None else max(1, ceil(least_seconds / max(took, 1e-6)))


def _in_turn(works: Mapping[str, Work], rounds: int, tick: Tick, times: Mapping[str, int]) -> dict[str, list[float]]:
    """Measure all of them in each round, each so many times in a row."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    with _settled():
        for _ in range(rounds):
            for name, work in works.items():
                gc.collect()
                seconds[name].append(_timed(work, times[name]))
                tick()
    return seconds


def _timed(work: Work, times: int) -> float:
    started = perf_counter()
    for _ in range(times - 1):
        work.run()
    result = work.run()
    took = (perf_counter() - started) / times
    return (took if work.seconds is None else work.seconds(result)) / work.count


@contextmanager
def _settled() -> Iterator[None]:
    """Collections walk over what the runs make alone, not over what there was before: the modules of all sides.

    To walk over hundreds of thousands of objects just before the clock starts drives out of the processor's caches what
    a side left there. That is a cost of measuring; it weighs on three milliseconds and not on a hundred.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _line(promise: Promise, measured: Sequence[Measured]) -> Line:
    sides = {side.name: side for side in measured}
    lacking = {lacks: None for name in (*promise.fastest, *promise.slow) if (lacks := sides[name].lacks)}
    ratio = None
    if not lacking:
        slow, fast = (min(sides[name].median for name in names) for names in (promise.slow, promise.fastest))
        ratio = slow / fast
    return Line(
        name=promise.name,
        measured=ratio,
        operator=promise.operator,
        bound=promise.bound,
        lacks=", ".join(lacking) or None,
    )


def _slope(plan: Sweep, seconds: Sequence[float]) -> Slope:
    counts = [plan.count(size) for size in plan.sizes]
    fitted = linear_regression(counts, seconds)
    left = sum((y - fitted.intercept - fitted.slope * x) ** 2 for x, y in zip(counts, seconds, strict=True))
    spread = sum((y - fmean(seconds)) ** 2 for y in seconds)
    return Slope(
        unit=plan.unit,
        per_unit_seconds=fitted.slope,
        fixed_seconds=fitted.intercept,
        share_explained=1 - left / spread if spread else 1.0,
        when_doubled=_when_doubled(counts, seconds),
        when_size_doubled=_when_doubled(plan.sizes, seconds),
    )


def _when_doubled(counts: Sequence[int], seconds: Sequence[float]) -> float:
    """The steepest growth in the upper half: below, what does not grow hides it."""
    upper = list(zip(counts, seconds, strict=True))[(len(counts) - 1) // 2 :]
    return max(2 ** (log(t1 / t0) / log(n1 / n0)) for (n0, t0), (n1, t1) in pairwise(upper))


def _is_there(required: str) -> bool:
    kind, _, name = required.partition(" ")
    if kind == "program":
        return which(name) is not None
    if kind == "file":
        return Path(name).exists()
    module, _, names = required.partition(":")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a module complains about while it is imported is no finding
            reduce(getattr, filter(None, names.split(".")), import_module(module))
    except (ImportError, AttributeError):
        return False
    return True
