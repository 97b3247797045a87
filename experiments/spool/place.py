"""Where a spool file lies: what was opened under names stays open when they are removed, and no next start finds it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from time import monotonic

from experiments.spool.folder import database_of, make_folder
from experiments.spool.hold import Hold, hold_new, lock_path, try_hold

PARTS = ("", "-wal", "-shm")
"""What SQLite keeps of a file, as ends of its name."""

QUIET_SECONDS = 1.0
"""For so long after a change another may have the same time, where a disk's clock is coarse."""

_Seen = tuple[int, int] | None


class Place:
    """The names of an open file and of its lock, and what they led to when it was opened."""

    def __init__(self, hold: Hold) -> None:
        """Look, now that the file is open. Raises OSError where something is gone already."""
        self._hold = hold
        self._database = database_of(hold.path.parent)
        self._folder = 0, 0, 0
        self._quiet_at, self._is_quiet = 0.0, False
        names = [hold.path.with_name(hold.path.name + part) for part in PARTS]
        self._wanted = [(lock_path(hold.path), hold.identity()), *[(name, _at(name)) for name in names]]
        if any(seen is None for _, seen in self._wanted):
            raise FileNotFoundError(f"{hold.path} is gone")

    def is_kept(self) -> bool:
        """Whether all of the names still lead there.

        Each look lets go of the interpreter, so it is one where nothing has come into the folder or gone from it.
        """
        try:
            found = self._hold.path.parent.stat()
            folder = found.st_dev, found.st_ino, found.st_ctime_ns
            if folder != self._folder:
                self._folder, self._quiet_at, self._is_quiet = folder, monotonic() + QUIET_SECONDS, False
            if self._is_quiet:
                return True
            is_quiet = monotonic() >= self._quiet_at
            for name, seen in self._wanted:
                now = name.stat()
                if (now.st_dev, now.st_ino) != seen:
                    return False
        except OSError:
            return False
        self._is_quiet = is_quiet
        return True

    def hold_another(self) -> Hold:
        """Hold a new file in the same folder, which, as the name in it, is made anew if it is gone."""
        folder = self._hold.path.parent
        make_folder(folder, self._database)
        return hold_new(folder)

    def leave(self) -> None:
        """Remove what is left under the names, of which nothing is needed any more, and let go of the lock.

        What somebody else holds by now, or has put there, is theirs.
        """
        (lock, locked), (name, seen), *_ = self._wanted
        held: Hold | None = self._hold
        if _at(lock) != locked or _at(name) not in (None, seen):
            self._hold.release()
            held = try_hold(self._hold.path) if _at(name) == seen else None
        if held is not None:
            discard(held)


def discard(held: Hold) -> None:
    """Remove a file that nobody has open, and its lock."""
    with contextlib.ExitStack() as failed:
        failed.callback(held.release)
        unlink(held.path)
        failed.pop_all()
        held.remove()


def unlink(path: Path) -> None:
    """Remove all parts of a file."""
    for part in PARTS:
        path.with_name(path.name + part).unlink(missing_ok=True)


def _at(name: Path) -> _Seen:
    try:
        found = name.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
