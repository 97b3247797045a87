"""The services, as a command gets them."""

from __future__ import annotations

import getpass

from experiments.bootstrap import Winnow, build
from experiments.settings import Settings


def _who() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


ACTOR = _who()
"""Who the audit trail says it was: whoever may run commands next to the database."""


def wired() -> Winnow:
    """Return the services over the database that the environment names. Raises Unavailable where it is not migrated."""
    winnow = build(Settings.from_environment())
    with winnow.open_unit_of_work(read_only=True) as work:
        work.ping()
    winnow.catalog.refresh()
    winnow.caches.consents.follow()
    return winnow
