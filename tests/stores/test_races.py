"""Real threads against real locks."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import replace
from threading import Event as Signal

import pytest
from sqlalchemy import text

from experiments.domain.errors import AlreadyExists, RevisionMismatch
from experiments.domain.layer import Layer
from experiments.domain.promotion import Promotion, PromotionState
from experiments.storage.unit_of_work import open_database
from tests.stores.promotions import promotion, step


def test_of_two_savers_one_wins(open_unit_of_work, experiment, definition, now, at_once):
    with open_unit_of_work() as unit:
        unit.experiments.add(experiment())
        unit.commit()

    def save(author):
        edited = experiment().edit(definition(name=author), by=author, now=now)
        with open_unit_of_work() as unit:
            unit.experiments.save(edited, expected_revision=1)
            unit.commit()
        return author

    outcomes = at_once(save, ["ada", "bob", "cyd", "dan"])
    winners = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert len(winners) == 1
    assert [type(outcome) for outcome in outcomes if not isinstance(outcome, str)] == [RevisionMismatch] * 3
    with open_unit_of_work(read_only=True) as unit:
        found = unit.experiments.get("checkout")
        assert unit.catalog_version() == 3
    assert (found.definition.name, found.current.created_by, found.revision) == (winners[0], winners[0], 2)


def test_nobody_loses_an_update_who_reads_in_a_writing_unit(open_unit_of_work, now, at_once):
    layer = Layer(key="page", name="0", salt="s")
    with open_unit_of_work() as unit:
        unit.layers.add(layer, now=now)
        unit.commit()

    def count_up(_):
        while True:
            with open_unit_of_work() as unit:
                stored = unit.layers.get("page")
                changed = replace(stored.value, name=str(int(stored.value.name) + 1))
                try:
                    unit.layers.save(changed, expected_revision=stored.revision, now=now)
                except RevisionMismatch:
                    continue
                unit.commit()
                return

    assert at_once(count_up, range(6)) == [None] * 6
    with open_unit_of_work(read_only=True) as unit:
        assert (unit.layers.get("page").value.name, unit.layers.get("page").revision) == ("6", 7)


def test_experiments_and_layers_in_either_order_do_not_deadlock(open_unit_of_work, experiment, now, at_once):
    with open_unit_of_work() as unit:
        unit.experiments.add(experiment())
        unit.layers.add(Layer(key="page", name="Page", salt="s"), now=now)
        unit.commit()

    def both(layer_first):
        for _ in range(10):
            with open_unit_of_work() as unit:
                steps = [_touch_experiment, _touch_layer]
                for step in reversed(steps) if layer_first else steps:
                    step(unit, now)
                unit.commit()

    results = at_once(both, [True, False])
    assert not [result for result in results if result is not None and not isinstance(result, RevisionMismatch)]


def _touch_experiment(unit, now):
    found = unit.experiments.get("checkout")
    unit.experiments.save(replace(found, revision=found.revision + 1), expected_revision=found.revision)


def _touch_layer(unit, now):
    found = unit.layers.get("page")
    unit.layers.save(found.value, expected_revision=found.revision, now=now)


def test_of_two_experiments_with_one_key_one_is_added(open_unit_of_work, experiment, at_once):
    def add(name):
        with open_unit_of_work() as unit:
            unit.experiments.add(experiment(name=name))
            unit.commit()

    outcomes = at_once(add, ["one", "two", "three"])
    assert Counter(map(type, outcomes)) == {type(None): 1, AlreadyExists: 2}


@pytest.mark.parametrize("threads", [2, 4])
def test_each_event_id_is_new_to_exactly_one(open_unit_of_work, event, now, at_once, threads):
    ids = [f"e{number}" for number in range(300)]

    def send(turn):
        mine = ids[turn * 37 :] + ids[: turn * 37]
        if turn % 2:
            mine.reverse()
        with open_unit_of_work() as unit:
            known = unit.log.append_events([event(one) for one in mine], received_at=now)
            unit.commit()
        return frozenset(ids) - known

    new_to = at_once(send, range(threads))
    assert Counter(one for new in new_to for one in new) == dict.fromkeys(ids, 1)


_SLOW_ROWS = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END';
CREATE TRIGGER dawdle BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION dawdle();
"""


@pytest.mark.slow
def test_the_same_ids_in_opposite_orders_do_not_deadlock_on_postgresql(postgres_url, event, now, at_once):
    database = open_database(postgres_url)
    with database.engine.begin() as connection:
        connection.execute(text(_SLOW_ROWS))
    ids = [f"e{number}" for number in range(100)]

    def send(mine):
        with database.unit_of_work() as unit:
            known = unit.log.append_events([event(one) for one in mine], received_at=now)
            unit.commit()
        return len(known)

    assert sorted(at_once(send, [ids, ids[::-1]])) == [0, 100]
    database.close()


def test_of_two_workers_one_gets_the_lease(open_unit_of_work, now, at_once):
    def acquire(holder):
        with open_unit_of_work() as unit:
            mine = unit.leases.acquire("analyse", holder=holder, now=now, ttl_seconds=60)
            unit.commit()
        return mine

    assert sorted(at_once(acquire, ["a", "b", "c"])) == [False, False, True]


def test_of_two_adders_in_a_segment_one_opens_a_promotion(open_unit_of_work, at_once):
    def propose(promotion_id):
        with open_unit_of_work() as unit:
            unit.promotions.add(promotion(promotion_id))
            unit.commit()
        return promotion_id

    outcomes = at_once(propose, ["p1", "p2", "p3"])
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert [type(outcome) for outcome in outcomes if outcome != winner] == [AlreadyExists] * 2
    with open_unit_of_work(read_only=True) as unit:
        found = unit.promotions.page(experiment=None, after=None, limit=9)
    assert [one.id for one in found.items] == [winner]


def test_of_two_steps_from_one_revision_one_is_taken(open_unit_of_work, now, at_once):
    proposed = promotion()
    with open_unit_of_work() as unit:
        unit.promotions.add(proposed)
        unit.commit()

    def take(state):
        after = proposed.step(step(state, at=now))
        with open_unit_of_work() as unit:
            unit.promotions.save(after, expected_revision=proposed.revision)
            unit.commit()
        return after

    outcomes = at_once(take, [PromotionState.APPROVED, PromotionState.REJECTED, PromotionState.EXPIRED])
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Promotion)]
    assert [type(outcome) for outcome in outcomes if outcome is not winner] == [RevisionMismatch] * 2
    with open_unit_of_work(read_only=True) as unit:
        assert unit.promotions.get("p1") == winner


def test_readers_go_on_while_somebody_writes(open_unit_of_work, experiment):
    with open_unit_of_work() as writer:
        writer.experiments.add(experiment())
        with open_unit_of_work(read_only=True) as reader:
            assert reader.experiments.page(after=None, limit=5).items == ()
            writer.commit()
            assert reader.experiments.page(after=None, limit=5).items == ()
        with open_unit_of_work(read_only=True) as reader:
            assert len(reader.experiments.page(after=None, limit=5).items) == 1


def test_no_row_ever_appears_below_a_watermark(open_unit_of_work, event, exposure, now, at_once):
    """Four writers append all the time; whatever a reader once saw up to a watermark is all there ever is below it."""
    done = Signal()

    def write(turn):
        for number in range(25):
            with open_unit_of_work() as unit:
                unit.log.append_exposures([exposure(f"x{turn}-{number}")], received_at=now)
                unit.log.append_events([event(f"e{turn}-{number}-{one}") for one in range(5)], received_at=now)
                if number % 5:
                    unit.commit()

    def read(_):
        seen = []
        while not done.is_set():
            with open_unit_of_work(read_only=True) as unit:
                mark = unit.log.watermark(now=now)
                seen.append((mark, unit.log.counts("checkout", ["purchase"], mark)))
        return seen

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read, None)
        assert at_once(write, range(4)) == [None] * 4
        done.set()
        seen = reader.result()
    with open_unit_of_work(read_only=True) as unit:
        for mark, counts in seen:
            assert unit.log.counts("checkout", ["purchase"], mark) == counts
        assert unit.log.counts("checkout", ["purchase"], unit.log.watermark(now=now)) == (80, 400)


@pytest.mark.slow
@pytest.mark.parametrize("is_asked", [False, True])
def test_the_watermark_waits_for_a_slow_writer_on_postgresql(postgres_url, event, now, is_asked):
    """The slow writer draws its id first and commits last: a mark that did not wait would lie above its row.

    So does a replay of a file that names nobody, where nobody is asked for consent.
    """
    database = open_database(postgres_url)
    with ThreadPoolExecutor(1) as pool, database.unit_of_work() as slow:
        slow.log.append_events([event("slow")], received_at=now, is_asked=is_asked)
        with database.unit_of_work() as quick:
            quick.log.append_events([event("quick")], received_at=now)
            quick.commit()
        waiting = pool.submit(_mark, database, now)
        with pytest.raises(NotYet):
            waiting.result(timeout=0.3)
        slow.commit()
        assert waiting.result(timeout=5).event_id == 2
    database.close()


def _mark(database, now):
    with database.unit_of_work(read_only=True) as unit:
        return unit.log.watermark(now=now)
