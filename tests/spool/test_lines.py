"""Rows as lines: what goes in comes out, in every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.domain.event import Channel
from experiments.services.ports import OpenUnitOfWork
from experiments.services.recording.lines import (
    Lines,
    event_values,
    exposure_values,
    halves,
    instant_of,
    instant_text,
    joined,
    of_today,
    rows_in,
    to_lines,
)
from experiments.spool.drain import Drain
from experiments.spool.file import SpoolFile
from experiments.spool.hold import hold_new
from tests.spool.conftest import EVERYTHING, NOW, event, exposure

# Any text that is an id: what a tab, a line feed or a NUL would break is none.
IDS = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]), min_size=1, max_size=20
)


def test_the_form_is_that_of_copy() -> None:
    """Written out by the rules of PostgreSQL's text format: backslashes doubled, \\N for NULL, t and f."""
    events = [event("a\\b", value=None), event("ü", value=-0.1, channel=Channel.APP)]
    lines = to_lines(events, [exposure("x\\N", forced=True)], received_at=NOW)
    at = "2026-01-05 09:00:00.000000"
    assert lines == Lines(
        events=f"a\\\\b\tu1\tvisit\t\\N\t\\N\t{at}\t{at}\nü\tu1\tvisit\t-0.1\tapp\t{at}\t{at}\n".encode(),
        event_rows=2,
        exposures=f"x\\\\N\tu1\tbanner\t1\t1\teveryone\ta\tt\t\\N\t{at}\t{at}\n".encode(),
        exposure_rows=1,
    )


@given(IDS, IDS, st.none() | st.floats(-1e15, 1e15))
def test_any_row_comes_back(event_id: str, unit_id: str, value: float | None) -> None:
    lines = to_lines(
        [event(event_id, unit_id=unit_id, value=value)], [exposure(event_id, unit_id=unit_id)], received_at=NOW
    )
    at = "2026-01-05 09:00:00.000000"
    assert list(event_values(rows_in(lines.events))) == [(event_id, unit_id, "visit", value, None, at, at)]
    assert list(exposure_values(rows_in(lines.exposures))) == [
        (event_id, unit_id, "banner", 1, 1, "everyone", "a", False, None, at, at)
    ]


def test_instants_are_in_utc_to_the_microsecond() -> None:
    there = datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert instant_text(there) == "2026-03-28 21:00:00.000001"
    assert instant_of(instant_text(there)) == there
    assert instant_of(instant_text(there)).tzinfo is UTC


@pytest.mark.parametrize(("events", "exposures"), [(2, 0), (5, 0), (0, 3), (1, 1), (4, 1)])
def test_two_parts_hold_all_rows_once(events: int, exposures: int) -> None:
    lines = to_lines(
        [event(f"e{n}") for n in range(events)], [exposure(f"x{n}") for n in range(exposures)], received_at=NOW
    )
    parts = halves(lines)
    assert all(part.rows for part in parts)
    assert joined(parts) == lines


def test_every_database_stores_loaded_rows_once(open_unit_of_work: OpenUnitOfWork) -> None:
    """Against `append`, the other way in: an id that is there already keeps its row."""
    odd = "back\\slash \\N \\\\ tab-less é 😀"
    first = [event("e1", value=2.0), event("e2", unit_id=odd, value=None)]
    with open_unit_of_work() as work:
        work.log.append_events(first[:1], received_at=NOW)
        work.commit()
    exposures = [
        exposure("x1"),
        exposure("x2", unit_id=odd, forced=False, channel=Channel.CALL_CENTRE),
        exposure("x3", forced=True),
    ]
    lines = to_lines([event("e1", value=9.0), first[1], first[1]], exposures, received_at=NOW)
    for _ in range(2):
        with open_unit_of_work() as work:
            work.log.load(lines)
            work.commit()
    with open_unit_of_work(read_only=True) as work:
        shown = [row for batch in work.log.exposures("banner", EVERYTHING) for row in batch]
        happened = [row for batch in work.log.events("banner", ["visit"], EVERYTHING) for row in batch]
    assert sorted(shown) == sorted(
        [("u1", "a", "everyone", 1, NOW, None), (odd, "a", "everyone", 1, NOW, "call_centre")]
    )
    assert sorted(happened) == sorted([("u1", "visit", 2.0, NOW), (odd, "visit", None, NOW)])


@pytest.mark.parametrize("cells", [(6,), (8,), (7, 6), (6, 8), (8, 6), (6, 9, 6)])
def test_a_row_with_another_number_of_columns_is_none(cells: tuple[int, ...]) -> None:
    """Whatever lies beside it: six columns and eight are as many as twice seven."""
    rows = ["\t".join(["1"] * count) for count in cells]
    with pytest.raises(ValueError, match="7 columns"):
        event_values(rows)


@pytest.mark.parametrize("ids", [["e1"], ["e1", "back\\slash", "é 😀"]])
def test_lines_of_an_earlier_release_get_the_columns_of_today(ids: list[str]) -> None:
    """As they were before there were channels: a column less, before the two instants."""
    at = "2026-01-05 09:00:00.000000"
    escaped = [one.replace("\\", "\\\\") for one in ids]
    before = Lines(
        events="".join(f"{one}\tu1\tvisit\t\\N\t{at}\t{at}\n" for one in escaped).encode(),
        event_rows=len(ids),
        exposures="".join(f"{one}\tu1\tbanner\t1\t1\tall\ta\tf\t{at}\t{at}\n" for one in escaped).encode(),
        exposure_rows=len(ids),
    )
    now = of_today(before)
    assert (now.event_rows, now.exposure_rows) == (len(ids), len(ids))
    assert list(event_values(rows_in(now.events))) == [(one, "u1", "visit", None, None, at, at) for one in ids]
    shown = [(one, "u1", "banner", 1, 1, "all", "a", False, None, at, at) for one in ids]
    assert list(exposure_values(rows_in(now.exposures))) == shown
    assert of_today(now) is now
    assert of_today(Lines()) == Lines()


def test_a_file_that_an_earlier_release_left_is_drained(tmp_path: Path, open_unit_of_work: OpenUnitOfWork) -> None:
    at = "2026-01-05 09:00:00.000000"
    file = SpoolFile(hold_new(tmp_path))
    old = Lines(
        events=f"e1\tu1\tvisit\t2.5\t{at}\t{at}\n".encode(),
        event_rows=1,
        exposures=f"x1\tu1\tbanner\t1\t1\teveryone\ta\tf\t{at}\t{at}\n".encode(),
        exposure_rows=1,
    )
    new = to_lines([event("e2", channel=Channel.WEB)], [exposure("x2", channel=Channel.WEB)], received_at=NOW)
    file.write([old, new], forget=0)
    drain = Drain(file, open_unit_of_work)
    assert drain.step() is not None
    assert (drain.step(), drain.dead_rows) == (None, 0)
    file.close()
    with open_unit_of_work(read_only=True) as work:
        shown = [row for batch in work.log.exposures("banner", EVERYTHING) for row in batch]
        happened = [row for batch in work.log.events("banner", ["visit"], EVERYTHING) for row in batch]
    assert [row[5] for row in shown] == [None, "web"]
    assert [row[2] for row in happened] == [2.5, 1.5]


@given(
    st.lists(
        st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))
        | st.datetimes(
            NOW.replace(tzinfo=None), NOW.replace(tzinfo=None) + timedelta(seconds=2), timezones=st.just(UTC)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_an_instant_s_text_does_not_depend_on_the_one_before(instants: list[datetime]) -> None:
    """Python's own formatting is the other side; the last second's text is kept between calls."""
    for instant in instants:
        try:
            here = instant.astimezone(UTC)
        except OverflowError:
            continue
        assert instant_text(instant) == f"{here:%m-%d %H:%M:%S.%f}".join((f"{here.year:04}-", ""))
        assert instant_of(instant_text(instant)) == here
