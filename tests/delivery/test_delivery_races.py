"""Two deliverers beside each other, and one that is killed in the middle: real threads, processes and databases."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from experiments.domain.delivery import LEASE_SECONDS, DeliveryState
from experiments.storage.migrate import ROOT
from experiments.storage.unit_of_work import open_database
from tests.conftest import FakeClock
from tests.delivery.conftest import House, house_on
from tests.delivery.receivers import WebReceiver, silence, status

NOTICES = 25

DELIVER_ONCE = """
import sys
from datetime import datetime
from experiments.senders.post import Post
from experiments.senders.senders import Senders
from experiments.services.notices.deliver import Deliverer
from experiments.storage.unit_of_work import open_database

now = datetime.fromisoformat(sys.argv[2])
Deliverer(open_database(sys.argv[1]).unit_of_work, lambda: now, Senders(Post(timeout_seconds=60), None)).deliver_due()
"""


@pytest.fixture
def stored(sql_url: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    database = open_database(sql_url)
    yield house_on(database.unit_of_work, clock)
    database.close()


def test_two_deliverers_send_each_notice_once(stored: House, receiver: WebReceiver) -> None:
    made = stored.subscribe(receiver)
    told = [stored.tell().id for _ in range(NOTICES)]
    start = Barrier(2)

    def work(house: House) -> int:
        start.wait(timeout=10)
        return house.deliverer.deliver_due()

    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(work, [stored, house_on(stored.open, stored.clock)]))
    assert sum(counts) == NOTICES
    assert Counter(receiver.ids) == dict.fromkeys(told, 1)
    after = stored.letters(target=made.stored.value.id)
    assert Counter(letter.delivery.state for letter in after) == {DeliveryState.DELIVERED: NOTICES}
    assert {letter.delivery.attempts for letter in after} == {1}


def test_of_many_that_hear_gone_at_once_none_is_left_hanging(stored: House, receiver: WebReceiver) -> None:
    made = stored.subscribe(receiver)
    receiver.script = [status(410)] * NOTICES
    for _ in range(NOTICES):
        stored.tell()
    start = Barrier(4)

    def work(house: House) -> int:
        start.wait(timeout=10)
        return house.deliverer.deliver_due()

    houses = [house_on(stored.open, stored.clock) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, houses))
    assert not stored.webhooks.get(made.stored.value.id).value.active
    after = stored.letters(target=made.stored.value.id)
    assert Counter(letter.delivery.state for letter in after) == {DeliveryState.DEAD: NOTICES}
    assert [actor for actor, action in stored.audit(made.stored.value.id) if action == "webhook.disable"] == [
        "deliverer"
    ]


@pytest.mark.slow
def test_what_was_being_sent_when_its_sender_was_killed_is_sent_again(
    stored: House, receiver: WebReceiver, sql_url: str
) -> None:
    made = stored.subscribe(receiver)
    told = stored.tell()
    receiver.script = [silence]
    command = [sys.executable, "-c", DELIVER_ONCE, sql_url, stored.clock().isoformat()]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        assert receiver.arrived.wait(timeout=60)
    finally:
        process.kill()
        process.wait(timeout=10)
    assert stored.deliverer.deliver_due() == 0
    stored.clock.now += timedelta(seconds=LEASE_SECONDS)
    assert stored.deliverer.deliver_due() == 1
    assert receiver.ids == [told.id, told.id]
    after = stored.letter(made.stored.value.id).delivery
    assert (after.state, after.attempts) == (DeliveryState.DELIVERED, 2)
