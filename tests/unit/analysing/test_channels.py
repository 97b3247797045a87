"""Channels: kept from claim to log, and results by the channel of the first exposure against sums in the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from experiments.bootstrap import Winnow
from experiments.domain.definition import ExposurePolicy, Randomisation
from experiments.domain.event import Channel, Event, ExposureClaim
from experiments.domain.experiment import Status
from experiments.services.analysing.analyse import Analyst
from experiments.services.assigning.assign import Unit
from experiments.services.authoring.wishes import ExperimentWish
from experiments.services.recording.ports import Watermark
from tests.conftest import FakeClock
from tests.unit.builders import NOW

Start = Callable[..., Winnow]
CHANNELS = [Channel.EMAIL, Channel.WEB, Channel.STORE, None]


@pytest.fixture
def start(winnow: Winnow, wish: ExperimentWish) -> Start:
    def begin(**changes: Any) -> Winnow:
        winnow.author.create(replace(wish, **changes), actor="ann")
        assert winnow.author.step("banner", "start", actor="ann").status is Status.RUNNING
        return winnow

    return begin


def show(winnow: Winnow, unit_id: str, variant: str, channel: Channel | None, hours: float = 0) -> None:
    said = ExposureClaim(
        event_id=f"x-{unit_id}-{variant}-{channel}-{hours}",
        unit_id=unit_id,
        experiment="banner",
        version=1,
        segment="everyone",
        variant=variant,
        occurred_at=NOW + timedelta(hours=hours),
        channel=channel,
    )
    (verdict,) = winnow.recorder.record([said])
    assert verdict.status == "accepted", verdict


def told(winnow: Winnow, clock: FakeClock) -> list[dict[str, Any]]:
    analyst = Analyst(winnow.open_unit_of_work, clock)
    supplement = analyst.analyse("banner").supplement
    assert analyst.verify("banner").identical
    found: list[dict[str, Any]] = supplement.get("channels", [])
    return found


def test_results_by_channel_are_those_of_units_by_their_first_exposure(start: Start, clock: FakeClock) -> None:
    winnow = start(randomisation=Randomisation.EXTERNAL)
    rng, expected, left_out = np.random.default_rng(11), {}, dict.fromkeys(CHANNELS, 0)
    clock.advance(days=2)
    for number in range(160):
        unit, variant = f"u{number}", "ab"[int(rng.integers(2))]
        first, later = (CHANNELS[int(rng.integers(4))] for _ in range(2))
        show(winnow, unit, variant, later, hours=2)  # recorded before what was earlier
        mixed = number % 20 == 0
        show(winnow, unit, "ab"[variant == "a"] if mixed else variant, first, hours=1)
        visits = int(rng.random() < 0.5)
        if visits:
            event = Event(event_id=f"v-{unit}", unit_id=unit, name="visit", occurred_at=NOW + timedelta(hours=3))
            winnow.recorder.record([replace(event, channel=later)])
        if mixed:
            left_out[first] += 1
        else:
            units, total = expected.get((first, variant), (0, 0.0))
            expected[first, variant] = (units + 1, total + visits)
    found = told(winnow, clock)
    assert [one["channel"] for one in found] == ["email", "store", "web", None]
    seen = {}
    for one in found:
        (metric,) = one["metrics"]
        channel = None if one["channel"] is None else Channel(one["channel"])
        seen.update({(channel, arm["variant"]): (arm["units"], arm["total"]) for arm in metric["arms"]})
        assert one["units_mixed"] == left_out[channel]
        assert one["units"] == sum(units for (place, _), (units, _) in expected.items() if place == channel)
        assert [arm["value"] for arm in metric["arms"]] == [
            pytest.approx(expected[channel, variant][1] / expected[channel, variant][0]) for variant in "ab"
        ]
    assert seen == expected


def test_with_enough_units_a_lift_has_an_interval_around_it(start: Start, clock: FakeClock) -> None:
    winnow = start(randomisation=Randomisation.EXTERNAL)
    clock.advance(days=2)
    for number in range(400):
        show(winnow, f"u{number}", "ab"[number % 2], Channel.APP)
        if number % 4 == 1 or number % 8 == 0:  # half of b, a quarter of a
            event = Event(event_id=f"v{number}", unit_id=f"u{number}", name="visit", occurred_at=NOW)
            winnow.recorder.record([event])
    (one,) = told(winnow, clock)
    (metric,) = one["metrics"]
    (effect,) = metric["comparisons"]
    assert (effect["treatment"], effect["baseline"], one["units"]) == ("b", "a", 400)
    assert effect["lift"]["value"] == pytest.approx(1)
    assert effect["lift"]["interval"]["low"] < effect["lift"]["value"] < effect["lift"]["interval"]["high"]


def test_where_nobody_says_a_channel_nothing_is_told(start: Start, clock: FakeClock) -> None:
    winnow = start(randomisation=Randomisation.EXTERNAL)
    show(winnow, "u1", "a", None)
    assert told(winnow, clock) == []


def test_a_person_has_the_channel_of_whichever_id_came_first(start: Start, clock: FakeClock) -> None:
    winnow = start(randomisation=Randomisation.EXTERNAL)
    clock.advance(days=1)
    show(winnow, "ann", "a", Channel.EMAIL, hours=2)
    show(winnow, "device", "a", Channel.STORE, hours=1)
    winnow.identifier.identify("device", "ann", trusted=True)
    assert [(one["channel"], one["units"]) for one in told(winnow, clock)] == [("store", 1)]


def test_where_asking_is_showing_the_first_channel_that_asks_stays(start: Start) -> None:
    winnow = start(exposure_policy=ExposurePolicy.ON_ASSIGNMENT)
    for unit_id, channel in (("u1", Channel.APP), ("u1", Channel.WEB), ("u2", None)):
        winnow.assigner.assign([Unit(unit_id=unit_id, attributes={})], "banner", channel=channel)
    with winnow.open_unit_of_work(read_only=True) as work:
        mark = Watermark(exposure_id=99, event_id=99, at=NOW)
        rows = [row for batch in work.log.exposures("banner", mark) for row in batch]
    assert [(row[0], row[5]) for row in rows] == [("u1", "app"), ("u2", None)]
