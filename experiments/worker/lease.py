"""The lease: of several workers only its holder acts."""

from __future__ import annotations

import os
import secrets
import socket
from datetime import datetime, timedelta

from experiments.services.ports import Clock, OpenUnitOfWork

LEASE = "worker"
LEASE_SECONDS = 60


class LeaseLost(Exception):
    """Not an error: another worker has the lease."""


class Lease:
    """Renewed between steps, and in the middle of long ones."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork, clock: Clock, *, holder: str, seconds: int) -> None:
        self.holder = holder
        self._open = open_unit_of_work
        self._clock = clock
        self._seconds = seconds
        self._renewed_at: datetime | None = None

    @property
    def is_held(self) -> bool:
        """Whether it was ours when it was last looked at."""
        return self._renewed_at is not None

    def renew(self) -> None:
        """Take it, or keep it. Raise LeaseLost."""
        now = self._clock()
        with self._open() as work:
            ours = work.leases.acquire(LEASE, holder=self.holder, now=now, ttl_seconds=self._seconds)
            work.commit()
        if not ours:
            self._renewed_at = None
            raise LeaseLost
        self._renewed_at = now

    def keep(self) -> None:
        """Renew it where a third of its time is over, or the clock was set back. Raise LeaseLost."""
        third = timedelta(seconds=self._seconds / 3)
        if self._renewed_at is None or not timedelta() <= self._clock() - self._renewed_at <= third:
            self.renew()

    def release(self) -> None:
        """Give it back, where it is ours."""
        if self._renewed_at is None:
            return
        self._renewed_at = None
        with self._open() as work:
            work.leases.release(LEASE, holder=self.holder)
            work.commit()


def holder_name() -> str:
    """Return a name for this process that no other one has."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
