"""Who has a spool file: a lock that ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

_SUFFIX = ".sqlite"


class Hold:
    """An exclusive lock on a file beside the spool file, so that SQLite's own locks stay SQLite's."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def identity(self) -> tuple[int, int]:
        """Return which file the lock is on, whatever its name leads to."""
        found = os.fstat(self._descriptor)
        return found.st_dev, found.st_ino

    def release(self) -> None:
        """Let others have the file."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Give up the lock of a file that is gone."""
        try:
            lock_path(self.path).unlink(missing_ok=True)
        finally:
            self.release()


def hold_new(folder: Path) -> Hold:
    """Hold a file that is still to be made."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        held = try_hold(folder / f"{uuid.uuid4().hex[:12]}{_SUFFIX}")
        if held is not None:
            return held


def hold_orphans(folder: Path) -> Iterator[Hold]:
    """Hold, one after another, the files whose processes have ended. Whoever gets one releases it."""
    for path in spool_files(folder):
        held = try_hold(path)
        if held is None:
            continue
        if path.exists():
            yield held
        else:
            held.remove()


def try_hold(path: Path) -> Hold | None:
    """Hold a file; None where somebody else does."""
    lock = lock_path(path)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_ino == lock.stat().st_ino:
            return Hold(path, descriptor)
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    # Held by another process, or removed by the one that had it between our opening and our locking.
    os.close(descriptor)
    return None


def spool_files(folder: Path) -> list[Path]:
    """Name the files of a folder, also those of which only the lock is left, or that were copied without theirs."""
    if not folder.is_dir():
        return []
    locked = {path.with_suffix("") for path in folder.glob(f"*{_SUFFIX}.lock")}
    return sorted(locked | set(folder.glob(f"*{_SUFFIX}")))


def lock_path(path: Path) -> Path:
    """Return where the lock of a spool file is."""
    return path.with_name(path.name + ".lock")
