"""The key that signs sessions: given, or made once and kept where only we can read it."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from experiments.domain.errors import InvalidInput
from experiments.settings import LEAST_SECRET, ROOT, Settings

SECRET_FILE = ROOT / "var" / "secret_key"


def secret_key(settings: Settings, kept_in: Path | None = None) -> str:
    """Return the key. Of processes that start together, one makes it and all use it."""
    if settings.secret_key is not None:
        return settings.secret_key
    kept_in = kept_in or SECRET_FILE
    try:
        if not kept_in.exists():
            _make(kept_in)
        key = kept_in.read_text().strip()
    except OSError as error:
        raise _unfit(f"it cannot be kept: {error.strerror}") from error
    except UnicodeDecodeError:
        raise _unfit(f"the one that was kept in {kept_in} is no text") from None
    if len(key) < LEAST_SECRET:
        raise _unfit(
            f"the one that was kept in {kept_in} is too short; without that file another is made, and who is signed in "
            "signs in again"
        )
    return key


def _make(kept_in: Path) -> None:
    """Write aside, then link into place: whoever is second finds the first one's key, whole."""
    kept_in.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=kept_in.parent, prefix=".secret_key")  # mkstemp: readable by us alone
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
        os.link(aside, kept_in)
    except FileExistsError:
        pass
    finally:
        Path(aside).unlink()


def _unfit(reason: str) -> InvalidInput:
    return InvalidInput("setting_invalid", f"Set WINNOW_SECRET_KEY: {reason}.", path="/WINNOW_SECRET_KEY")
