from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from experiments.domain.event import Channel
from experiments.services.recording.ports import Watermark


def _append(open_unit_of_work, now, *, exposures=(), events=()):
    with open_unit_of_work() as unit:
        known = unit.log.append_exposures(exposures, received_at=now), unit.log.append_events(events, received_at=now)
        unit.commit()
    return known


def _rows(batches):
    return [row for batch in batches for row in batch]


def _read(open_unit_of_work, now, *, experiment="checkout", names=("purchase",), watermark=None):
    with open_unit_of_work(read_only=True) as unit:
        mark = watermark or unit.log.watermark(now=now)
        exposures = _rows(unit.log.exposures(experiment, mark))
        events = _rows(unit.log.events(experiment, names, mark))
        assert unit.log.counts(experiment, names, mark) == (len(exposures), len(events))
    return exposures, events


def test_an_empty_log(open_unit_of_work, now):
    with open_unit_of_work(read_only=True) as unit:
        assert unit.log.watermark(now=now) == Watermark(exposure_id=0, event_id=0, at=now)
    assert _read(open_unit_of_work, now) == ([], [])
    assert _append(open_unit_of_work, now) == (frozenset(), frozenset())


def test_rows_come_back_in_the_order_of_their_calls(open_unit_of_work, now, exposure, event):
    later = now + timedelta(seconds=1)
    _append(open_unit_of_work, now, exposures=[exposure("z")], events=[event("z")])
    _append(
        open_unit_of_work,
        now,
        exposures=[exposure("a", "u2", variant="b", segment="vip", epoch=4, occurred_at=later)],
        events=[event("a", "u2", value=None, occurred_at=later)],
    )
    exposures, events = _read(open_unit_of_work, now)
    assert exposures == [("u1", "a", "everyone", 2, now, None), ("u2", "b", "vip", 4, later, None)]
    assert events == [("u1", "purchase", 12.5, now), ("u2", "purchase", None, later)]


def test_rows_are_plain_tuples_with_instants_in_utc(open_unit_of_work, now, exposure, event):
    zone = timezone(timedelta(hours=5, minutes=30))
    there = datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=zone)
    _append(
        open_unit_of_work, now, exposures=[exposure("x", occurred_at=there)], events=[event("x", occurred_at=there)]
    )
    exposures, events = _read(open_unit_of_work, now)
    for row, at in ((exposures[0], exposures[0][4]), (events[0], events[0][-1])):
        assert type(row) is tuple
        assert at == there
        assert at.utcoffset() == timedelta(0)
    assert exposures[0][4] == datetime(2026, 3, 28, 21, 0, 0, 1, tzinfo=UTC)


def test_a_channel_is_kept_and_so_is_that_none_was_said(open_unit_of_work, now, exposure, event):
    shown = [exposure(f"{n}", channel=channel) for n, channel in enumerate([*Channel, None])]
    happened = [event(f"{n}", channel=channel) for n, channel in enumerate([*Channel, None])]
    _append(open_unit_of_work, now, exposures=shown, events=happened)
    found = [row[5] for row in _read(open_unit_of_work, now)[0]]
    assert found == ["email", "web", "app", "store", "call_centre", "other", None]
    assert all(type(one) is str for one in found[:-1])


@pytest.mark.parametrize("value", [0.1, -0.0, 5e-324, 999_999_999_999_999.9, 3, 0.1 + 0.2])
def test_values_are_kept_to_the_last_bit(open_unit_of_work, now, exposure, event, value):
    _append(open_unit_of_work, now, exposures=[exposure("x")], events=[event("x", value=value)])
    assert _read(open_unit_of_work, now)[1] == [("u1", "purchase", value, now)]


def test_what_was_there_before_is_named_and_kept_as_it_was(open_unit_of_work, now, exposure, event):
    _append(open_unit_of_work, now, exposures=[exposure("1"), exposure("2")], events=[event("1")])
    known = _append(
        open_unit_of_work,
        now,
        exposures=[exposure("3"), exposure("2", "other"), exposure("1", "other")],
        events=[event("2"), event("1", value=99.0)],
    )
    assert known == (frozenset({"1", "2"}), frozenset({"1"}))
    exposures, events = _read(open_unit_of_work, now)
    assert [row[0] for row in exposures] == ["u1", "u1", "u1"]
    assert [row[2] for row in events] == [12.5, 12.5]


def test_exposures_and_events_do_not_share_ids(open_unit_of_work, now, exposure, event):
    assert _append(open_unit_of_work, now, exposures=[exposure("1")], events=[event("1")]) == (frozenset(), frozenset())


def test_a_repeat_within_one_unit_of_work_is_known_too(open_unit_of_work, now, event):
    with open_unit_of_work() as unit:
        assert unit.log.append_events([event("1")], received_at=now) == frozenset()
        assert unit.log.append_events([event("1"), event("2")], received_at=now) == frozenset({"1"})


def test_what_was_not_committed_was_never_there(open_unit_of_work, now, exposure, event):
    with open_unit_of_work() as unit:
        unit.log.append_exposures([exposure("1")], received_at=now)
        unit.log.append_events([event("1")], received_at=now)
    assert _read(open_unit_of_work, now) == ([], [])
    assert _append(open_unit_of_work, now, exposures=[exposure("1")], events=[event("1")]) == (frozenset(), frozenset())


def test_ids_of_any_shape(open_unit_of_work, now, exposure, event):
    ids = ["\u00fc", "\U0001d518" * 512, "a'b\"c", "%s", "{}", "\\", "NULL", " ", "a,b", "\u00e9", "e\u0301"]
    _append(
        open_unit_of_work, now, exposures=[exposure(one, one) for one in ids], events=[event(one, one) for one in ids]
    )
    exposures, events = _read(open_unit_of_work, now)
    assert sorted(row[0] for row in exposures) == sorted(ids) == sorted(row[0] for row in events)


def test_large_batches(open_unit_of_work, now, exposure, event):
    exposures = [exposure(f"x{number}", f"u{number}") for number in range(12_345)]
    events = [event(f"e{number}", f"u{number}", value=float(number)) for number in range(1_000)]
    assert _append(open_unit_of_work, now, exposures=exposures, events=events) == (frozenset(), frozenset())
    again = _append(open_unit_of_work, now, events=[*events[500:], event("new")])
    assert again[1] == frozenset(f"e{number}" for number in range(500, 1_000))
    found = _read(open_unit_of_work, now)
    assert sorted(row[0] for row in found[0]) == sorted(one.unit_id for one in exposures)
    assert sorted(row[2] for row in found[1]) == sorted([*map(float, range(1_000)), 12.5])
    with open_unit_of_work(read_only=True) as unit:
        batches = [len(batch) for batch in unit.log.exposures("checkout", unit.log.watermark(now=now))]
    assert batches == [10_000, 2_345]


def test_forced_exposures_and_other_experiments_are_left_out(open_unit_of_work, now, exposure, event):
    _append(
        open_unit_of_work,
        now,
        exposures=[
            exposure("1", "in"),
            exposure("2", "tester", forced=True),
            exposure("3", "elsewhere", experiment="other"),
        ],
        events=[event("1", "in"), event("2", "tester"), event("3", "elsewhere"), event("4", "in", name="visit")],
    )
    exposures, events = _read(open_unit_of_work, now, names=("purchase",))
    assert [row[0] for row in exposures] == ["in"]
    assert [row[:2] for row in events] == [("in", "purchase")]
    _, both = _read(open_unit_of_work, now, names=("visit", "purchase"))
    assert [row[:2] for row in both] == [("in", "purchase"), ("in", "visit")]
    assert _read(open_unit_of_work, now, names=()) == (exposures, [])


def test_contacts_are_who_met_us_where(open_unit_of_work, now, exposure, event):
    before = now - timedelta(seconds=1)
    _append(
        open_unit_of_work,
        now,
        exposures=[
            exposure("1", "u1", channel=Channel.EMAIL),
            exposure("2", "u1", channel=Channel.EMAIL),
            exposure("3", "u2"),
            exposure("4", "tester", channel=Channel.WEB, forced=True),
            exposure("5", "gone", channel=Channel.WEB, occurred_at=before),
        ],
        events=[
            event("1", "u1", channel=Channel.EMAIL),
            event("2", "u1", channel=Channel.STORE),
            event("3", "u3", channel=Channel.APP),
            event("4", "gone", channel=Channel.APP, occurred_at=before),
        ],
    )
    with open_unit_of_work(read_only=True) as unit:
        mark = unit.log.watermark(now=now)
    _append(open_unit_of_work, now, exposures=[exposure("6", "late", channel=Channel.WEB)], events=[])
    with open_unit_of_work(read_only=True) as unit:
        contacts = _rows(unit.log.contacts_since(now, mark))
    assert sorted(contacts) == [("u1", "email"), ("u1", "store"), ("u3", "app")]


def test_a_unit_exposed_twice_has_its_events_once(open_unit_of_work, now, exposure, event):
    _append(open_unit_of_work, now, exposures=[exposure("1"), exposure("2")], events=[event("1")])
    exposures, events = _read(open_unit_of_work, now)
    assert (len(exposures), len(events)) == (2, 1)


def test_a_watermark_is_a_fixed_set_of_rows(open_unit_of_work, now, exposure, event):
    _append(open_unit_of_work, now, exposures=[exposure("1")], events=[event("1"), event("2", "u2")])
    with open_unit_of_work(read_only=True) as unit:
        mark = unit.log.watermark(now=now)
    before = _read(open_unit_of_work, now, watermark=mark)
    _append(open_unit_of_work, now, exposures=[exposure("2", "u2")], events=[event("3")])
    assert _read(open_unit_of_work, now, watermark=mark) == before
    assert [row[0] for row in before[1]] == ["u1"]
    assert len(_read(open_unit_of_work, now)[1]) == 3


def test_the_watermark_is_the_highest_id(open_unit_of_work, now, exposure, event):
    _append(open_unit_of_work, now, exposures=[exposure("1")], events=[event("1"), event("2")])
    with open_unit_of_work(read_only=True) as unit:
        assert unit.log.watermark(now=now) == Watermark(exposure_id=1, event_id=2, at=now)


def test_a_read_only_unit_sees_what_its_watermark_covers(open_unit_of_work, database_url, now, exposure):
    """Also rows that came in after the unit's first read: on PostgreSQL its state is renewed, elsewhere it holds."""
    with open_unit_of_work(read_only=True) as unit:
        unit.catalog_version()
        _append(open_unit_of_work, now, exposures=[exposure("1")])
        mark = unit.log.watermark(now=now)
        assert len(_rows(unit.log.exposures("checkout", mark))) == mark.exposure_id
        assert mark.exposure_id == (0 if database_url.startswith("sqlite") else 1)


def test_no_watermark_beside_rows_of_ones_own(open_unit_of_work, now, event):
    with open_unit_of_work() as unit:
        unit.log.append_events([event("1")], received_at=now)
        with pytest.raises(RuntimeError, match="appended nothing"):
            unit.log.watermark(now=now)
        unit.commit()
        assert unit.log.watermark(now=now).event_id == 1


def test_reading_can_stop_half_way(open_unit_of_work, now, exposure):
    _append(open_unit_of_work, now, exposures=[exposure(f"x{number}") for number in range(10_001)])
    with open_unit_of_work(read_only=True) as unit:
        mark = unit.log.watermark(now=now)
        rows = unit.log.exposures("checkout", mark)
        assert len(next(rows)) == 10_000
        assert unit.catalog_version() == 1
        assert len(next(rows)) == 1
    with open_unit_of_work(read_only=True) as unit:
        next(unit.log.exposures("checkout", mark))


@pytest.mark.parametrize("experiment", ["absent", "", "a\x00b"])
def test_an_unknown_experiment_has_no_rows(open_unit_of_work, now, exposure, event, experiment):
    _append(open_unit_of_work, now, exposures=[exposure("1")], events=[event("1")])
    assert _read(open_unit_of_work, now, experiment=experiment) == ([], [])


def test_everybodys_events_and_first_exposures_since_an_instant(open_unit_of_work, now, exposure, event):
    before, later = now - timedelta(microseconds=1), now + timedelta(days=1)
    _append(
        open_unit_of_work,
        now,
        exposures=[
            exposure("1", "u1", occurred_at=later),
            exposure("2", "u1", experiment="other"),
            exposure("3", "u2", occurred_at=before),
            exposure("4", "u2", occurred_at=later),
            exposure("5", "tester", forced=True),
            exposure("6", "gone", occurred_at=before),
        ],
        events=[
            event("1", "nobody knows"),
            event("2", "u1", value=None),
            event("3", "u1", occurred_at=before),
            event("4", "u1", name="visit"),
            event("5", "u1", name="order", value=2.0),
        ],
    )
    with open_unit_of_work(read_only=True) as unit:
        mark = unit.log.watermark(now=now)
    _append(open_unit_of_work, now, exposures=[exposure("7", "late")], events=[event("6", "late")])
    with open_unit_of_work(read_only=True) as unit:
        events = _rows(unit.log.events_since(now, {"purchase", "order"}, mark))
        exposed = _rows(unit.log.exposed_since(now, mark))
    assert events == [("nobody knows", 12.5), ("u1", None), ("u1", 2.0)]
    assert sorted(exposed) == [("u1", now), ("u2", later)]
    assert all(at.utcoffset() == timedelta(0) for _, at in exposed)
