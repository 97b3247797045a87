"""What lies in a spool file: entries, each of one request or of several whose commit was the same."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.services.recording.lines import Lines, joined

ENTRY_BYTES = 65_536
"""Requests share an entry up to this size: so small ones do by the hundred."""


def packed(batches: Sequence[Lines]) -> list[Lines]:
    """Return the batches in their order, small neighbours as one.

    To store an entry takes a statement, for which the writing thread lets go of the interpreter, and then queues for it
    behind the requests that are answered meanwhile.
    """
    entries: list[Lines] = []
    together: list[Lines] = []
    size = 0
    for lines in batches:
        if together and size + lines.size > ENTRY_BYTES:
            entries.append(joined(together))
            together, size = [], 0
        together.append(lines)
        size += lines.size
    return [*entries, joined(together)] if together else entries
