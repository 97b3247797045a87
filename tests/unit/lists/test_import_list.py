"""Lists of customers become segments: replaced by the next file, taken up where they were ended, never half of two."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from experiments.bootstrap import Winnow as Services
from experiments.bootstrap import build
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.condition import compile_condition
from experiments.domain.errors import AlreadyExists, DomainError, StateConflict
from experiments.domain.segment import Segment
from experiments.services.lists import import_list
from experiments.services.lists.import_list import ListImported, ListImporter, ListWish
from experiments.settings import Settings
from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock
from tests.unit.commands.test_cli import Winnow


@pytest.fixture
def services(clock: FakeClock) -> Services:
    opened = open_database("memory://").unit_of_work
    return build(Settings(database_url="memory://"), open_unit_of_work=opened, clock=clock)


def silent(done: int, total: int | None, label: str | None = None) -> None:
    """Progress for nobody."""


def run(services: Services, path: Path, progress: Any = silent, **wish: Any) -> ListImported:
    importer = ListImporter(services.open_unit_of_work, services.profiles, services.author, services.clock)
    return importer.run(ListWish(**{"path": path, "key": "vip", **wish}), progress, actor="t")


def csv(tmp_path: Path, *ids: str, name: str = "list.csv", header: str = "unit_id,name\n") -> Path:
    path = tmp_path / name
    path.write_text(header + "".join(f"{one},n\n" for one in ids), encoding="utf-8")
    return path


def members(services: Services, key: str = "vip") -> list[str]:
    """Who is in the segment, as assignment reads profiles."""
    test = compile_condition(services.author.segments.get(key).value.condition)
    with services.open_unit_of_work(read_only=True) as work:
        units = [one.profile.unit_id for one in work.profiles.page(after=None, limit=1_000)]
    return [one for one in units if test(services.profiles.get(one).laid.attributes)]


def revision(services: Services) -> int:
    with services.open_unit_of_work(read_only=True) as work:
        return work.profiles.revision()


def test_by_the_command_and_again_with_another_file(sqlite_url: str, tmp_path: Path) -> None:
    winnow, services = Winnow(sqlite_url, tmp_path), build(Settings(database_url=sqlite_url))
    path = csv(tmp_path, "u1", "u2", "", "u3", "u4\x01", header="customer,name\n")
    told = winnow("segments", "import", str(path), "--as", "vip", "--name", "VIPs", "--id-column", "customer")
    assert told.exit_code == 3
    assert told.stdout == "list.csv: 5 rows: 3 on the list, 0 taken off, 0 left out as erased, 2 rejected.\n"
    assert told.stderr.splitlines() == [
        "line 4: id_invalid: customer: The id is missing.",
        "line 6: id_invalid: customer: An id holds no control characters, line breaks or unpaired surrogates.",
        "Segment vip is stored; `winnow segments card vip` tells whether it can be tested in.",
    ]
    assert members(services) == ["u1", "u2", "u3"]
    segment = services.author.segments.get("vip").value
    assert (segment.name, segment.kind, segment.condition) == ("VIPs", "list", {"list_vip": True})
    assert services.author.attributes.get("list_vip").value.personal
    later = tmp_path / "later.parquet"
    pq.write_table(pa.table({"unit_id": ["u3", "u9", "u3"]}), later)
    again = winnow("segments", "import", str(later), "--as", "vip", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == {
        "rows": 3, "on_list": 3, "taken_off": 2, "kept_because": None, "erased": 0, "rejected": 0, "bad_rows": [],
        "is_new": False,
    }  # fmt: skip
    assert members(services) == ["u3", "u9"]
    assert services.author.segments.get("vip").value == segment
    trail = [one.action for one in services.results.audit(subject="vip", after=None, limit=9).items]
    assert trail == ["list.import", "segment.create", "list.import"]


def test_the_same_file_again_stores_nothing_and_an_older_one_replaces(services: Services, tmp_path: Path) -> None:
    """The file that was imported last counts, whenever it was written."""
    first, second = csv(tmp_path, "u1", "u2"), csv(tmp_path, "u2", "u3", name="b.csv")
    os.utime(second, (1, 1))
    run(services, first)
    before = revision(services)
    assert run(services, first).on_list == 2
    assert revision(services) == before
    assert run(services, second).taken_off == 1
    assert members(services) == ["u2", "u3"]
    assert run(services, first).taken_off == 1
    assert members(services) == ["u1", "u2"]


def test_a_run_that_was_ended_goes_on(
    services: Services, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_list, "BATCH", 2)
    run(services, csv(tmp_path, "old", "u1"), key="vip")
    path = csv(tmp_path, *(f"u{n}" for n in range(7)), name="b.csv")

    def end(done: int, total: int | None, label: str | None = None) -> None:
        assert total == 7
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(services, path, end)
    assert members(services) == ["old", "u0", "u1", "u2", "u3"], "nobody is taken off before all are on"
    before = revision(services)
    clock.advance(hours=1)
    done = run(services, path)
    assert (done.on_list, done.taken_off) == (7, 1)
    with services.open_unit_of_work(read_only=True) as work:
        again = {one for one, stored in work.profiles.some(members(services)).items() if stored.revision > before}
    assert again == {"u4", "u5", "u6"}, "what was stored is not stored again"
    assert members(services) == [f"u{n}" for n in range(7)]


@pytest.mark.parametrize("moment", [(2, "Importing"), (2, "Taking off")], ids=["rows", "taking-off"])
def test_of_two_files_at_once_the_one_that_began_later_counts(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: tuple[int, str]
) -> None:
    monkeypatch.setattr(import_list, "BATCH", 2)
    run(services, csv(tmp_path, "before"))
    slow, quick = csv(tmp_path, "a", "b", "c", "d", "e", name="s.csv"), csv(tmp_path, "b", "z", name="q.csv")

    def interfere(done: int, total: int | None, label: str | None = None) -> None:
        if (done, label) == moment:
            run(services, quick)

    with pytest.raises(StateConflict) as refusal:
        run(services, slow, interfere)
    assert refusal.value.code == "list_superseded"
    assert members(services) == ["b", "z"]


def test_who_was_erased_since_the_file_was_written_stays_away(
    services: Services, tmp_path: Path, clock: FakeClock
) -> None:
    path = csv(tmp_path, "u1", "u2")
    written = clock.now - timedelta(days=1)
    os.utime(path, (written.timestamp(), written.timestamp()))
    services.eraser.erase("u1", actor="t")
    clock.advance(hours=1)
    assert (run(services, path).erased, members(services)) == (1, ["u2"])
    new = csv(tmp_path, "u1", "u2", name="new.csv")
    assert (run(services, new, written_at=clock.now).erased, members(services)) == (0, ["u1", "u2"])


@pytest.mark.parametrize(
    ("ids", "wish", "code"),
    [
        ((), {}, "list_empty"),
        (("", "\x01"), {}, "list_empty"),
        (("u1",), {"id_column": "customer"}, "column_missing"),
        (("u1",), {"key": "a.b"}, "attribute_key_dotted"),
        (("u1",), {"key": "x" * 99}, "key_invalid"),
        (("u1",), {"key": "mens"}, "segment_exists"),
        (("u1",), {"key": "taken"}, "list_attribute_taken"),
        (("u1",), {"key": "everyone"}, "key_reserved"),
    ],
)
def test_refusals(services: Services, tmp_path: Path, ids: tuple[str, ...], wish: dict[str, Any], code: str) -> None:
    services.author.segments.create(Segment(key="mens", name="Men", condition={"mens": 1}), actor="t")
    services.author.attributes.create(Attribute(key="list_taken", name="x", type=AttributeType.BOOLEAN), actor="t")
    with pytest.raises(DomainError) as refusal:
        run(services, csv(tmp_path, *ids), **wish)
    assert refusal.value.code == code
    assert revision(services) == 0


def test_a_list_that_nobody_can_be_read_from_leaves_the_old_one(services: Services, tmp_path: Path) -> None:
    run(services, csv(tmp_path, "u1"))
    with pytest.raises(DomainError, match="stays as it was"):
        run(services, csv(tmp_path, "", name="b.csv"))
    assert members(services) == ["u1"]
    with pytest.raises(AlreadyExists):
        services.author.segments.create(Segment(key="vip", name="x", condition={"x": 1}), actor="t")


@pytest.mark.parametrize(
    ("rows", "told", "rejected"),
    [
        (["u1,n", 'u2,"n', "u3,n", "u4,n"], "A quote makes one row of lines 3 to 5.", 3),
        (["u1,n", 'u2,"n', "u3,n", 'u4,n"x', "u5,n"], "A quote makes one row of lines 3 to 5.", 3),
        (["u1,n", 'u2,"n', "u3,n", 'u4,n",x', "u5,n"], "A quote makes one row of lines 3 to 5.", 3),
        (["u1,n", '"u2,n', "u3,n", 'u4",n', "u5,n"], "A quote makes one row of lines 3 to 5.", 3),
        (["u1,n", "u2,n,n"], "The row has 3 fields, the header 2.", 1),
        (["u1,n", "u\x01,n"], "An id holds no control characters, line breaks or unpaired surrogates.", 1),
    ],
    ids=["not-closed", "closed-amiss", "of-another-width", "in-the-id", "one-line", "no-id"],
)
def test_nobody_comes_off_where_a_row_cannot_be_read(
    services: Services, tmp_path: Path, rows: list[str], told: str, rejected: int
) -> None:
    """Whoever stands in a broken row, or in one that a quote takes in, may be on the list."""
    run(services, csv(tmp_path, "u0", *(f"u{n}" for n in range(1, 6))))
    broken = tmp_path / "broken.csv"
    broken.write_text("unit_id,name\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    done = run(services, broken)
    (bad,) = done.bad_rows
    assert (bad.line, bad.lines, done.rejected, done.rows) == (3, rejected, rejected, len(rows))
    assert bad.message.endswith(told)
    assert (done.taken_off, done.kept_because) == (0, "rows_unreadable")
    assert members(services) == [f"u{n}" for n in range(6)]
    mended = run(services, csv(tmp_path, "u1", "u2", name="mended.csv"))
    assert (mended.taken_off, mended.kept_because) == (4, None)
    assert members(services) == ["u1", "u2"]


def test_a_quote_takes_in_many_lines(services: Services, tmp_path: Path) -> None:
    """Lines of seven characters up to the limit of a field; what follows is read, and every line is accounted for."""
    lines = 40_000
    path = tmp_path / "list.csv"
    path.write_text(
        'unit_id,name\n1,"n\n' + "".join(f"{n},n\n" for n in range(10_000, 10_000 + lines)), encoding="utf-8"
    )
    done = run(services, path)
    (bad,) = done.bad_rows
    taken_in = 1 + (131_072 - 2) // 8 + 1
    assert (bad.line, bad.lines) == (2, taken_in)
    assert bad.message == (
        f"No CSV: field larger than field limit (131072). A quote makes one row of lines 2 to {taken_in + 1:,}."
    )
    assert (done.rows, done.rejected, done.on_list) == (lines + 1, taken_in, lines + 1 - taken_in)


def test_the_command_says_that_nobody_came_off_and_why(sqlite_url: str, tmp_path: Path) -> None:
    winnow = Winnow(sqlite_url, tmp_path)
    first, broken = csv(tmp_path, "u1", "u2", "u3"), tmp_path / "broken.csv"
    broken.write_text('unit_id,name\nu1,n\nu2,"n\nu3,n\n', encoding="utf-8")
    assert winnow("segments", "import", str(first), "--as", "vip").exit_code == 0
    told = winnow("segments", "import", str(broken), "--as", "vip")
    assert told.exit_code == 3
    assert told.stdout == "broken.csv: 3 rows: 1 on the list, 0 taken off, 0 left out as erased, 2 rejected.\n"
    line, why, _ = told.stderr.splitlines()
    assert line == "line 3: row_unreadable: No CSV: unexpected end of data. A quote makes one row of lines 3 to 4."
    assert why.startswith("rows_unreadable: Nobody was taken off")


def test_a_list_is_of_the_persons_whose_ids_it_names(services: Services, tmp_path: Path) -> None:
    """Of a device that was joined the profile is not read any more; one that is joined later is heard the next time."""
    services.catalog.refresh()
    services.identifier.identify("device", "ann", trusted=True)
    path = csv(tmp_path, "device", "tablet", "bob")
    done = run(services, path)
    assert (done.rows, done.on_list) == (3, 3)
    assert members(services) == ["ann", "bob", "tablet"]
    services.identifier.identify("tablet", "cyd", trusted=True)
    run(services, path)
    assert set(members(services)) >= {"ann", "bob", "cyd"}
    shorter = run(services, csv(tmp_path, "bob", name="b.csv"))
    assert members(services) == ["bob"]
    assert shorter.taken_off == 2, "ann and cyd, and not the tablet, which was nobody's any more"
