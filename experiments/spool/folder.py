"""The folder of one database's spool files: rows of one must never be drained into another."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_NAME = "database.txt"


def spool_folder(root: Path, database: str) -> Path:
    """Return the folder of a database below the common one, made where it is missing.

    It is called by a hash, as names of databases are no names of folders; a file in it says which database it is.
    """
    folder = spool_path(root, database)
    make_folder(folder, database)
    return folder


def make_folder(folder: Path, database: str | None) -> None:
    """Make the folder of a database where it is missing; None: of which database is not known."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)  # it says who did what
    name = folder / _NAME
    if database is not None and not name.exists():
        part = folder / f"{_NAME}.{os.getpid()}"
        part.write_text(f"{database}\n", encoding="utf-8")
        part.replace(name)


def database_of(folder: Path) -> str | None:
    """Return whose folder it is, where it says so."""
    try:
        return (folder / _NAME).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def spool_path(root: Path, database: str) -> Path:
    """Return where that folder is, or would be."""
    return root / hashlib.sha256(database.encode()).hexdigest()[:16]


def spool_folders(root: Path) -> dict[Path, str]:
    """Return all of them with the names of their databases."""
    return {name.parent: name.read_text(encoding="utf-8").strip() for name in sorted(root.glob(f"*/{_NAME}"))}
