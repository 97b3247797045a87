"""What past experiments say about the lift of the next one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments.bootstrap import Winnow
from experiments.domain.errors import NotFound
from experiments.services.analysing.prior import Learner
from experiments.services.authoring.wishes import ExperimentWish
from tests.conftest import FakeClock
from tests.unit.reports import report, scope, store

Doc = dict[str, Any]


def told(lift: float, error: float = 0.01, outcome: str = "undecided") -> Doc:
    document = report(scope("mens"))
    document["overall"] = scope(None, outcome)
    [one] = document["overall"]["metrics"][0]["comparisons"]
    one["lift"] = {**one["lift"], "value": lift, "std_error": error}
    return document


def past(winnow: Winnow, wish: ExperimentWish, clock: FakeClock, *reports: Doc, over: bool = True) -> None:
    for number, document in enumerate(reports):
        key = f"{'past' if over else 'now'}-{number}"
        winnow.author.create(replace(wish, key=key, name=key), actor="ann")
        for step in ("start", "stop") if over else ("start",):
            winnow.author.step(key, step, actor="ann")
        store(winnow.open_unit_of_work, key, document, at=clock.now)


def test_lifts_that_vary_teach_their_mean_and_their_spread(
    winnow: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    """Equal errors of .01 and a variance of the lifts of .0036: maximum likelihood gives .0036 - .0001."""
    past(winnow, wish, clock, *(told(lift) for lift in (-0.05, 0.07, -0.05, 0.07)))
    found = Learner(winnow.open_unit_of_work).learn("visit")
    assert found.prior is not None
    assert found.prior.mean == pytest.approx(0.01)
    assert found.prior.std_dev == pytest.approx(0.0035**0.5, rel=1e-4)
    assert found.experiments == ("past-0", "past-1", "past-2", "past-3")


def test_only_what_is_over_and_was_decided_by_the_metric_counts(
    winnow: Winnow, wish: ExperimentWish, clock: FakeClock
) -> None:
    past(winnow, wish, clock, told(0.1), told(0.2), over=False)
    past(winnow, wish, clock, told(0.1))
    learner = Learner(winnow.open_unit_of_work)
    assert learner.learn("visit").experiments == ("past-0",)
    with pytest.raises(NotFound):
        learner.learn("nosuch")


def test_what_teaches_nothing_says_why(winnow: Winnow, wish: ExperimentWish, clock: FakeClock) -> None:
    past(winnow, wish, clock, told(0.01), told(0.011))
    found = Learner(winnow.open_unit_of_work).learn("visit")
    assert (found.prior, found.reason) == (None, "The past effects differ no more than by chance.")


def test_before_two_experiments_are_over_there_is_nothing_to_learn_from(winnow: Winnow) -> None:
    found = Learner(winnow.open_unit_of_work).learn("visit")
    assert (found.prior, found.reason) == (None, "There are fewer than two lifts to learn from.")
