"""A reader beside whose reads others are answered: that is no answer to those that hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from experiments.domain.errors import Unavailable
from experiments.services import patient_reader
from experiments.services.patient_reader import PatientReader

PATIENCE = 1.0


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    monkeypatch.setattr(patient_reader, "PATIENCE_SECONDS", PATIENCE)
    made = threading.Event()
    yield made
    made.set()


def test_what_answers_others_lets_nobody_wait_beside_a_read_that_hangs(released: threading.Event) -> None:
    """Rows may be locked while the number of their last change is not."""
    asked: list[str] = []

    def read(unit: str) -> str:
        asked.append(unit)
        released.wait(20)
        return unit.upper()

    reader = PatientReader(read, name="test")
    with pytest.raises(Unavailable):
        reader.read("first", join=True)
    began = time.monotonic()
    for number in range(20):
        reader.answered()
        with pytest.raises(Unavailable):
            reader.read(f"u{number}", join=True)
    assert time.monotonic() - began < PATIENCE
    assert asked == ["first"]
    released.set()
    deadline = time.monotonic() + 10
    while (found := _tried(reader)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert found == "LAST"


def _tried(reader: PatientReader[str, str]) -> str | None:
    try:
        return reader.read("last", join=True)
    except Unavailable:
        return None
