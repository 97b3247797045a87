"""A wall clock that a test sets for whole processes, as an operator or a time service does for a machine."""

from __future__ import annotations

from pathlib import Path

import libfaketime


class WallClock:
    """What processes take for the time of day; the clock by which they wait is left alone, as it is on a machine."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.step_to(0)

    def step_to(self, seconds: int) -> None:
        """Let it be so far ahead of the true time from now on (negative: behind), in processes that run as well."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        """What a process has to be told to go by it."""
        _, told = libfaketime.get_reload_information()
        return {**told, "FAKETIME_TIMESTAMP_FILE": str(self._file), "NO_FAKE_STAT": "1"}
