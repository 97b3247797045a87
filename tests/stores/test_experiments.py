from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from experiments.domain.errors import AlreadyExists, InvalidInput, NotFound, RevisionMismatch
from experiments.domain.experiment import Status


@pytest.fixture
def stored(open_unit_of_work, experiment):
    with open_unit_of_work() as unit:
        unit.experiments.add(experiment())
        unit.commit()
    return experiment()


def _saved(open_unit_of_work, experiment, expected_revision):
    with open_unit_of_work() as unit:
        unit.experiments.save(experiment, expected_revision=expected_revision)
        unit.commit()
    with open_unit_of_work(read_only=True) as unit:
        return unit.experiments.get(experiment.key)


def test_what_is_added_comes_back_equal(open_unit_of_work, stored):
    with open_unit_of_work(read_only=True) as unit:
        assert unit.experiments.get("checkout") == stored
        assert unit.experiments.versions("checkout") == (stored.current,)
        assert unit.experiments.version("checkout", 1) == stored.current


def test_the_order_of_weights_is_kept(open_unit_of_work, stored):
    with open_unit_of_work(read_only=True) as unit:
        found = unit.experiments.get("checkout").definition.segments[0]
    assert list(found.weights) == ["b", "a"]
    assert found.allocation.ranges[0].variant == "b"


def test_content_with_what_json_columns_are_picky_about(open_unit_of_work, experiment, definition):
    variants = definition().variants
    content = {"nul": "\x00", "lone": "\ud800", "ü": [1e-320, 10**30, True]}
    wanted = experiment(variants=(replace(variants[0], content=content), variants[1]))
    with open_unit_of_work() as unit:
        unit.experiments.add(wanted)
        unit.commit()
    with open_unit_of_work(read_only=True) as unit:
        assert unit.experiments.get("checkout").definition.variants[0].content == content


def test_a_taken_key_is_refused_and_the_transaction_goes_on(open_unit_of_work, stored, experiment):
    with open_unit_of_work() as unit:
        with pytest.raises(AlreadyExists) as refusal:
            unit.experiments.add(experiment(name="Other"))
        unit.experiments.add(experiment("second"))
        unit.commit()
    assert refusal.value.code == "experiment_exists"
    with open_unit_of_work(read_only=True) as unit:
        assert unit.experiments.get("checkout").definition.name == "Checkout"
        assert unit.experiments.get("second").key == "second"


@pytest.mark.parametrize("key", ["absent", "", "a\x00b", "\ud800", "Checkout"])
def test_an_absent_key_is_not_found(open_unit_of_work, stored, key):
    with open_unit_of_work(read_only=True) as unit:
        for look in (unit.experiments.get, unit.experiments.versions, lambda key: unit.experiments.version(key, 1)):
            with pytest.raises(NotFound):
                look(key)


@pytest.mark.parametrize("number", [0, 2, -1, 2**31, 2**63, 10**40])
def test_an_absent_version_is_not_found(open_unit_of_work, stored, number):
    with open_unit_of_work(read_only=True) as unit, pytest.raises(NotFound):
        unit.experiments.version("checkout", number)


def test_a_draft_is_rewritten(open_unit_of_work, stored, definition, now):
    later = now + timedelta(hours=1)
    edited = stored.edit(definition(name="Edited"), by="bob", now=later)
    assert _saved(open_unit_of_work, edited, 1) == edited
    with open_unit_of_work(read_only=True) as unit:
        assert unit.experiments.versions("checkout") == (edited.current,)
        assert unit.experiments.version("checkout", 1).created_by == "bob"


def test_a_draft_edited_and_started_in_one_step_is_rewritten(open_unit_of_work, stored, definition, now):
    started = stored.edit(definition(name="Edited"), by="bob", now=now).start(now)
    assert _saved(open_unit_of_work, started, 1) == started
    assert started.revision == 3


def test_a_started_experiment_gets_a_new_version(open_unit_of_work, stored, definition, now):
    started = stored.start(now)
    _saved(open_unit_of_work, started, 1)
    edited = started.edit(definition(name="Edited"), by="bob", now=now + timedelta(days=1))
    assert _saved(open_unit_of_work, edited, 2) == edited
    with open_unit_of_work(read_only=True) as unit:
        assert unit.experiments.versions("checkout") == (started.current, edited.current)
        assert unit.experiments.version("checkout", 1).definition.name == "Checkout"
        assert unit.experiments.version("checkout", 2).definition.name == "Edited"


def test_a_stored_version_of_a_started_experiment_never_changes(open_unit_of_work, stored, definition, now):
    started = stored.start(now)
    _saved(open_unit_of_work, started, 1)
    forged = replace(started, revision=3, current=replace(started.current, definition=definition(name="Forged")))
    assert _saved(open_unit_of_work, forged, 2).definition.name == "Checkout"


def test_dates_and_status_are_kept(open_unit_of_work, stored, now):
    stopped = stored.start(now).stop(now + timedelta(microseconds=1))
    found = _saved(open_unit_of_work, stopped, 1)
    assert (found.status, found.started_at, found.stopped_at) == (Status.STOPPED, now, now + timedelta(microseconds=1))
    assert found.stopped_at is not None
    assert found.stopped_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("expected", [0, 2, -5, 2**31, 2**64])
def test_another_revision_is_refused(open_unit_of_work, stored, now, expected):
    with open_unit_of_work() as unit, pytest.raises(RevisionMismatch):
        unit.experiments.save(stored.start(now), expected_revision=expected)


def test_an_absent_experiment_cannot_be_saved(open_unit_of_work, experiment, now):
    with open_unit_of_work() as unit, pytest.raises(NotFound):
        unit.experiments.save(experiment().start(now), expected_revision=1)


KEYS = ["B", "Z.1", "_not", "a", "a-b", "a.b", "a1", "aB", "b"]


@pytest.fixture
def many(open_unit_of_work, experiment, now):
    with open_unit_of_work() as unit:
        for key in reversed(KEYS):
            if key != "_not":
                unit.experiments.add(experiment(key))
        running = experiment("running").start(now)
        unit.experiments.add(running)
        unit.commit()
    return sorted([key for key in KEYS if key != "_not"] + ["running"])


def test_pages_go_by_code_point_of_the_key(open_unit_of_work, many):
    found, after = [], None
    with open_unit_of_work(read_only=True) as unit:
        for _ in range(5):
            page = unit.experiments.page(after=after, limit=2)
            assert len(page.items) <= 2
            found += [one.key for one in page.items]
            after = page.next_after
            if after is None:
                break
    assert found == many
    assert after is None


def test_a_page_that_ends_the_list_says_so(open_unit_of_work, many):
    with open_unit_of_work(read_only=True) as unit:
        assert unit.experiments.page(after=None, limit=len(many)).next_after is None
        assert unit.experiments.page(after=None, limit=len(many) - 1).next_after == many[-2]
        assert unit.experiments.page(after="zzz", limit=5).items == ()


def test_pages_of_one_status(open_unit_of_work, many):
    with open_unit_of_work(read_only=True) as unit:
        running = unit.experiments.page(after=None, limit=5, status=Status.RUNNING)
        assert [one.key for one in running.items] == ["running"]
        assert [one.key for one in unit.experiments.page(after="b", limit=5, status=Status.DRAFT).items] == []


@pytest.mark.parametrize("after", ["", "a b", "a\x00", "ü", "x" * 101])
def test_what_was_never_a_key_is_no_cursor(open_unit_of_work, many, after):
    with open_unit_of_work(read_only=True) as unit, pytest.raises(InvalidInput) as refusal:
        unit.experiments.page(after=after, limit=5)
    assert (refusal.value.code, refusal.value.path) == ("cursor_invalid", "/cursor")


@pytest.mark.parametrize(
    ("statuses", "wanted"),
    [((), 0), ((Status.RUNNING,), 1), ((Status.DRAFT, Status.RUNNING), 9), ((Status.STOPPED,), 0)],
)
def test_with_status(open_unit_of_work, many, statuses, wanted):
    with open_unit_of_work(read_only=True) as unit:
        found = unit.experiments.with_status(statuses)
    assert len(found) == wanted
    assert [one.key for one in found] == sorted(one.key for one in found)
