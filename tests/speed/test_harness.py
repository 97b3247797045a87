"""The harness on sides whose time and numbers are known."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks import harness
from benchmarks.harness import Case, Line, Outcome, Promise, Side, Slope, Sweep, Work, measure, runs_of, sweep
from benchmarks.memory import peak_mib
from benchmarks.output import Run, bound_line, lines, to_dict, write_docs


class Clock:
    """Time passes only while a side works."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


CLOCK = Clock()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "perf_counter", CLOCK)
    monkeypatch.setattr(gc, "collect", lambda: 0)


def work(seconds: float, numbers: Mapping[str, float], log: list[str] | None = None, name: str = "") -> Work:
    def run() -> None:
        CLOCK.pass_by(seconds)
        if log is not None:
            log.append(name)

    return Work(run=run, numbers=lambda _: numbers)


def side(name: str, seconds: float = 1.0, numbers: Mapping[str, float] | None = None, **changes: object) -> Side:
    return replace(Side(name=name, prepare=partial(work, seconds, numbers or {})), **changes)  # type: ignore[arg-type]


def case(*sides: Side, **changes: object) -> Case:
    return replace(Case(name="case", title="A case", sides=sides, rounds=3), **changes)  # type: ignore[arg-type]


def run_of(*outcomes: Outcome, quick: bool = False) -> Run:
    return Run(command="bench-x", quick=quick, measured_at="today", machine={"cores": "2"}, outcomes=outcomes)


SPEEDUP = Promise(name="speedup", fast="ours", slow=("one", "other"), operator=">=", bound=2.0)


def test_sides_run_in_turn_after_the_warm_up() -> None:
    log: list[str] = []
    sides = [Side(name=name, prepare=partial(work, 1.0, {}, log, name)) for name in "ab"]
    ticks: list[None] = []
    measured = measure(case(*sides, warm_ups=2), memory=False, tick=lambda: ticks.append(None))
    assert log == ["a", "a", "b", "b", "a", "b", "a", "b", "a", "b"]
    assert len(ticks) == runs_of(case(*sides, warm_ups=2)) == 10
    assert [len(one.seconds) for one in measured.sides] == [3, 3]


def test_a_short_run_is_repeated_until_it_lasts_long_enough() -> None:
    log: list[str] = []
    short, long = (
        Side(name=name, prepare=partial(work, each, {}, log, name)) for name, each in (("s", 0.06), ("l", 0.3))
    )
    measured = measure(case(short, long, rounds=2), memory=False)
    assert "".join(log) == "sl" + "ssssl" * 2
    assert [pytest.approx(0.06), pytest.approx(0.3)] == [one.median for one in measured.sides]


def test_the_fastest_of_the_others_is_what_counts() -> None:
    found = measure(case(side("ours", 0.01), side("one", 0.2), side("other", 0.04), promises=(SPEEDUP,)), memory=False)
    (line,) = found.lines
    assert line.is_kept
    assert line.measured == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("operator", "measured", "expected"),
    [("<=", 2.0, "ok"), ("<=", 2.01, "SHORT"), (">=", 2.0, "ok"), (">=", 1.99, "SHORT")],
)
def test_a_bound_line(operator: str, measured: float, expected: str) -> None:
    line = Line(name="x", measured=measured, operator=operator, bound=2.0)  # type: ignore[arg-type]
    assert bound_line(line) == f"BOUND x {measured:.3g} {operator} 2 {expected}"


@pytest.mark.parametrize(("quick", "state", "is_kept"), [(False, "SHORT", False), (True, "skipped", True)])
def test_a_missing_side_is_short_unless_the_run_is_quick(quick: bool, state: str, is_kept: bool) -> None:
    absent = side("other", requires=("no_such_module",))
    found = run_of(measure(case(side("ours"), side("one"), absent, promises=(SPEEDUP,)), memory=False), quick=quick)
    assert list(lines(found)) == [f"BOUND speedup missing >= 2 {state} (without no_such_module)"]
    assert found.is_kept is is_kept


def test_a_function_that_a_module_does_not_have_is_missing_too() -> None:
    assert side("x", requires=("json:no_such_function",)).lacks == "json:no_such_function"
    assert side("x", requires=("json:JSONDecoder.decode", "json")).lacks is None


@pytest.mark.parametrize(
    ("theirs", "line", "is_kept"),
    [
        ({"a": 1.0 + 1e-9, "b": 2.0}, "AGREE case:ours~other 1 ok", True),
        ({"a": 1.001}, "AGREE case:ours~other 1 DIFFER a: 1.0 v 1.001", False),
        ({"c": 1.0}, "AGREE case:ours~other 0 DIFFER", False),
    ],
    ids=["agree", "differ", "nothing in common"],
)
def test_sides_that_differ_fail_also_a_quick_run(theirs: Mapping[str, float], line: str, is_kept: bool) -> None:
    found = measure(case(side("ours", numbers={"a": 1.0}), side("other", numbers=theirs)), memory=False)
    assert list(lines(run_of(found, quick=True))) == [line]
    assert run_of(found, quick=True).is_kept is is_kept


def test_a_sweep_finds_a_quadratic_and_forgives_it_per_pair() -> None:
    def prepare(size: int) -> partial[None]:
        return partial(CLOCK.pass_by, 0.0002 * size * (size - 1) / 2)

    plan = Sweep(
        name="arms", title="", unit="arm", sizes=(2, 5, 10, 14, 20), prepare=prepare, most_when_doubled=2.5, rounds=3
    )
    assert [line.is_kept for line in sweep(plan).lines] == [False]
    per_pair = sweep(replace(plan, unit="pair", count=lambda arms: arms * (arms - 1) // 2))
    assert [line.is_kept for line in per_pair.lines] == [True]
    assert per_pair.slope is not None
    assert per_pair.slope.per_unit_seconds == pytest.approx(0.0002)
    assert per_pair.slope.share_explained == pytest.approx(1)
    assert per_pair.slope.when_size_doubled == pytest.approx(4.3, abs=0.2)


def _hungry(mebibytes: int) -> Work:
    return Work(run=lambda: b"x" * (mebibytes << 20), numbers=lambda _: {})


def test_peak_memory_is_that_of_the_side_alone() -> None:
    held = b"x" * (300 << 20)
    small, large = peak_mib(partial(_hungry, 1)), peak_mib(partial(_hungry, 101))
    assert len(held) > small * 2**20
    assert large - small == pytest.approx(100, abs=20)


def test_json_holds_what_was_printed() -> None:
    outcome = Outcome(
        name="case",
        title="A case",
        sides=measure(case(side("ours")), memory=False).sides,
        lines=(Line(name="x", measured=3.0, operator="<=", bound=2.0),),
        slope=Slope(
            unit="u",
            per_unit_seconds=1.0,
            fixed_seconds=0.5,
            share_explained=0.9,
            when_doubled=2.0,
            when_size_doubled=4.0,
        ),
    )
    found = json.loads(json.dumps(to_dict(run_of(outcome))))
    assert found["ok"] is False
    assert found["bounds"] == [
        {"name": "x", "measured": 3.0, "operator": "<=", "bound": 2.0, "ok": False, "missing": None}
    ]
    assert found["machine"] == {"cores": "2"}
    assert found["cases"][0]["slope"]["when_size_doubled"] == 4.0
    assert len(found["cases"][0]["sides"][0]["seconds"]) == 3


def test_docs_are_refreshed_and_other_sections_stay(tmp_path: Path) -> None:
    path = tmp_path / "docs" / "benchmarks.md"
    first = run_of(measure(case(side("ours")), memory=False))
    write_docs(path, first)
    write_docs(path, replace(first, command="bench-y"))
    write_docs(path, replace(first, measured_at="tomorrow"))
    text = path.read_text()
    assert text.startswith("# Benchmarks\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## `make bench-x`", "## `make bench-y`"]
    assert "tomorrow. cores 2." in text
    assert text.count("today. cores 2.") == 1
