"""Where the lane stops: the routes that it knows, and what answers there."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from api.lane.answers import AnswersHolder
from api.lane.asked import Handler
from api.lane.assignments import Assignments
from api.lane.events import Events
from api.lane.exposing import Exposing
from api.lane.lane import Stop
from api.lane.ofrep import FLAGS, Evaluations
from api.lane.writing import writer
from api.metrics.metrics import Metrics
from experiments.bootstrap import Winnow
from experiments.services.keys import Scope


def stops(app: Flask, services: Winnow) -> Iterator[Stop]:
    """Yield the routes; events only where there is a spool to take them."""
    metrics: Metrics = app.extensions["metrics"]
    decisions = metrics.decisions
    answers = AnswersHolder(services.catalog, writer(app.json.dumps, decisions))
    exposing = Exposing(services.assigner.exposures, services.clock, decisions)

    def stop(rule: str, scope: Scope, handler: Handler, below: str = "") -> Stop:
        return Stop(
            rule=f"{rule}/" if below else rule,
            scope=scope,
            handler=handler,
            counts=metrics.requests.route("POST", f"{rule}/{below}" if below else rule),
        )

    assigned = Assignments(answers, exposing, decisions, services.caches)
    yield stop("/v1/assignments", Scope.ASSIGN, assigned.one)
    yield stop("/v1/assignments/batch", Scope.ASSIGN, assigned.many)
    evaluated = Evaluations(
        answers,
        exposing,
        services.caches,
        streams_url=services.settings.stream_url,
        secret=app.config["SECRET_KEY"],
    )
    yield stop(FLAGS, Scope.ASSIGN, evaluated.all)
    yield stop(FLAGS, Scope.ASSIGN, evaluated.one, below="<string:key>")
    if services.spool is not None:
        events = Events(services.recorder, services.clock, metrics.items)
        yield stop("/v1/events", Scope.INGEST, events.record)
