"""What stands at the top of a page and in each row of the list: state, since when, how fresh."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from api.dashboard import format as say
from experiments.domain.experiment import Experiment, Status
from experiments.services.analysing.ports import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`since` goes with a chip, `sentence` stands alone."""

    code: str
    word: str
    since: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How far the data reach; `is_old` once the promotion policy would not act on them any more."""

    data_until: str
    ago: str
    is_old: bool


def state_of(experiment: Experiment) -> State:
    """Return the state in words, with the dates that belong to it."""
    word, since, sentence = experiment.status.capitalize(), *_dates(experiment)
    return State(code=experiment.status, word=word, since=since, sentence=sentence)


def freshness_of(experiment: Experiment, snapshot: Snapshot, now: datetime) -> Freshness:
    """Say how old the data are; those of an experiment that is not running cannot get old."""
    age = now - snapshot.watermark.at
    limit = timedelta(seconds=experiment.definition.promotion.maximum_age_seconds)
    return Freshness(
        data_until=say.instant(snapshot.watermark.at),
        ago=say.ago(age),
        is_old=experiment.status is Status.RUNNING and age > limit,
    )


def _dates(experiment: Experiment) -> tuple[str, str]:
    if experiment.started_at is None:
        created = f"created {say.day(experiment.created_at)}"
        return created, f"Draft, {created}"
    started = say.day(experiment.started_at)
    if experiment.stopped_at is not None:
        ran = f"{started} to {say.day(experiment.stopped_at)}"
        return ran, f"Ran from {ran}"
    verb = "Paused, started" if experiment.status is Status.PAUSED else "Running since"
    return f"since {started}", f"{verb} {started}"
