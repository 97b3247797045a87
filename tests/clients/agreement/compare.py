"""Puts the same questions to all sides, and keeps where they answer otherwise than the domain."""

from __future__ import annotations

import random
from array import array
from collections import Counter
from pathlib import Path
from time import perf_counter

from tests.clients.agreement.draws import Unit, units
from tests.clients.agreement.draws import experiments as drawn
from tests.clients.agreement.sides import Codes, sides

MOST_KEPT = 20


class Comparison:
    def __init__(self, *, seed: int, experiments: int, folder: Path) -> None:
        self._draw = random.Random(seed)
        self.live = drawn(self._draw, experiments)
        self._codes = Codes()
        self._sides = sides(self.live, self._codes, folder)
        self.seconds: Counter[str] = Counter()
        self.decisions: Counter[str] = Counter()
        self.units = self._turn = 0
        self.seen: Counter[int] = Counter()
        self.disagreements: list[str] = []

    @property
    def answers(self) -> list[str]:
        """All answers that were given, most frequent first."""
        return [self._codes.answer(code) for code, _ in self.seen.most_common()]

    def compare(self, count: int, each: int) -> None:
        """Ask for as many more units, in `each` of the experiments: those that are next in turn."""
        asked = units(self._draw, count)
        which = [(self._turn + step) % len(self.live) for step in range(each)]
        self._turn += each
        self.units += count
        expected: array[int] | None = None
        for side in self._sides:
            started = perf_counter()
            given = side.decide(asked, which)
            self.seconds[side.name] += perf_counter() - started
            self.decisions[side.name] += len(given)
            if expected is None:
                expected = given
                self.seen.update(given)
            elif given != expected:
                self._keep(side.name, asked, which, expected, given)

    def report(self) -> str:
        """Return what was compared, in lines."""
        lines = [f"{self.units:,} units in {len(self.live)} experiments, {len(self.seen)} different answers"]
        for name, decisions in self.decisions.items():
            each = self.seconds[name] / decisions * 1e6 if decisions else 0.0
            lines.append(f"  {name:22} {decisions:>13,} decisions, {each:5.2f} µs each, with all that goes around them")
        lines += [f"DISAGREEMENT {line}" for line in self.disagreements] or ["all sides agree on all of them"]
        return "\n".join(lines)

    def _keep(self, name: str, asked: list[Unit], which: list[int], expected: array[int], given: array[int]) -> None:
        assert len(given) == len(expected), f"{name} gave {len(given)} answers of {len(expected)}"
        for at, (right, wrong) in enumerate(zip(expected, given, strict=True)):
            if right != wrong and len(self.disagreements) < MOST_KEPT:
                unit, experiment = asked[at // len(which)], self.live[which[at % len(which)]].experiment
                self.disagreements.append(
                    f"{name}: {unit!r}: {self._codes.answer(wrong)} instead of {self._codes.answer(right)}; "
                    f"{[plan.segment.condition for plan in experiment.definition.segments]}"
                )
