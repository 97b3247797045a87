"""The services, as a command gets them."""

from __future__ import annotations

from experiments.bootstrap import Winnow, build
from experiments.settings import Settings

ACTOR = "cli"
"""Who the audit trail says it was: whoever may run commands next to the database."""


def wired() -> Winnow:
    """Return the services over the database that the environment names. Raises Unavailable where it is not migrated."""
    winnow = build(Settings.from_environment())
    with winnow.open_unit_of_work(read_only=True) as work:
        work.ping()
    winnow.catalog.refresh()
    return winnow
