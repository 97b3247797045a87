"""The client at the end of a process, and in children of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import catalog, experiment
from fake_server import KEY, FakeServer

AT_EXIT = """
import sys
from winnow_client import Assignment, Client
client = Client(sys.argv[1], sys.argv[2], interval_seconds=60)
client.track("u1", "last_words")
"""


def test_the_end_of_the_process_flushes(server: FakeServer) -> None:
    _run(server, AT_EXIT)
    assert [item["name"] for item in server.stored.values()] == ["last_words"]


FORKED = """
import os, sys
from winnow_client import Assignment, Client
client = Client(sys.argv[1], sys.argv[2], interval_seconds=60)
client.ready()
client.track("u1", "parent")
if os.fork() == 0:
    client.track("u1", "child_" + client.assign("ann", {}, "banner").variant)
    client.flush()
    os._exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_sends_its_own(server: FakeServer) -> None:
    server.catalog = catalog(experiment(forced={"ann": "b"}))
    _run(server, FORKED)
    posted = [[item["name"] for item in asked.body["items"]] for asked in server.requests("/v1/events")]
    assert posted == [["child_b"], ["parent"]]


REQUESTS = """
import sys
from winnow_client.transport import Transport
transport = Transport(sys.argv[1], sys.argv[2], timeout_seconds=5)
before = set(sys.modules)
for reply in (transport.get("/v1/catalog", {}), transport.post("/v1/events", b'{"items":[]}')):
    assert (reply.document(), reply.retry_after_seconds) != (None, None)
assert set(sys.modules) == before, set(sys.modules) - before
"""


def test_requests_import_nothing(server: FakeServer) -> None:
    """What a thread is importing while another one forks cannot be imported in the child."""
    _run(server, REQUESTS)


CHILDREN = """
import multiprocessing, sys
from winnow_client import Client
context = multiprocessing.get_context("fork")
old = Client(sys.argv[1], sys.argv[2], interval_seconds=60)

def grandchild():
    old.track("u1", "grandchild")

def child():
    fresh = Client(sys.argv[1], sys.argv[2], interval_seconds=60)
    old.track("u1", "old")
    fresh.track("u1", "fresh")
    below = context.Process(target=grandchild)
    below.start()
    below.join()

below = context.Process(target=child)
below.start()
below.join()
assert below.exitcode == 0
old.track("u1", "parent")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_the_end_of_a_child_of_multiprocessing_flushes(server: FakeServer) -> None:
    _run(server, CHILDREN)
    names = [item["name"] for asked in server.requests("/v1/events") for item in asked.body["items"]]
    assert sorted(names[:3]) == ["fresh", "grandchild", "old"]
    assert names[3:] == ["parent"]


COLLECTED = """
import gc, multiprocessing, sys, time, weakref
from winnow_client import Client

def ends():
    client = Client(sys.argv[1], sys.argv[2])
    client.close()
    gone = weakref.ref(client)
    del client
    deadline = time.monotonic() + 10
    while gone() is not None:
        assert time.monotonic() < deadline
        gc.collect()
        time.sleep(0.01)

ends()
below = multiprocessing.get_context("fork").Process(target=ends)
below.start()
below.join()
assert below.exitcode == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_closed_client_is_collected_in_children_too(server: FakeServer) -> None:
    _run(server, COLLECTED)


def _run(server: FakeServer, program: str) -> None:
    here = Path(__file__).resolve().parents[1]
    subprocess.run(
        [sys.executable, "-c", program, server.url, KEY],
        check=True, timeout=60, env={**os.environ, "PYTHONPATH": str(here)},
    )  # fmt: skip
