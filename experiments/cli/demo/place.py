"""Where one run of the demo lives: a database of its own, an address, and keys."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from experiments.bootstrap import build
from experiments.cli.demo.processes import free_port
from experiments.services.keys import Scope
from experiments.services.sign_in import make_token
from experiments.settings import ROOT, Settings
from experiments.storage.migrate import upgrade

HOST = "127.0.0.1"
ACTOR = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`browser_key` may only assign and report, as a key that everybody can read in a page."""

    folder: Path
    database_url: str
    secret_key: str
    port: int
    admin_key: str
    admin_key_id: str
    browser_key: str

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What server and worker are told."""
        return {
            "WINNOW_DATABASE_URL": self.database_url,
            "WINNOW_SECRET_KEY": self.secret_key,
            "WINNOW_CATALOG_POLL_SECONDS": "0.2",
            "WINNOW_LOG_LEVEL": "warning",
            "WINNOW_SECURE_COOKIES": "false",
            "WINNOW_SPOOL_DIR": str(self.spool_folder),
        }

    @property
    def spool_folder(self) -> Path:
        """Where the server keeps what it recorded until the database has it."""
        return self.folder / "spool"

    def log(self, name: str) -> Path:
        """Where a process of that name writes to."""
        return self.folder / f"{name}.log"

    def link_to(self, page: str) -> str:
        """Return an address that signs in, once, and shows a page."""
        token = make_token(self.secret_key, self.admin_key_id, secrets.token_urlsafe(16))
        return f"{self.address}/sign-in?{urlencode({'token': token, 'next': page})}"


def prepare(folder: Path | None, port: int) -> Place:
    """Make a migrated database and two keys, in a folder of this run alone."""
    home = folder or ROOT / "var" / "demo" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
    home.mkdir(parents=True, exist_ok=True)
    url, secret_key = f"sqlite:///{home / 'winnow.sqlite'}", secrets.token_urlsafe(48)
    upgrade(url)
    keys = build(Settings(database_url=url)).keys
    admin = keys.create("demo admin", frozenset({Scope.ADMIN}), actor=ACTOR)
    browser = keys.create("demo frontend", frozenset({Scope.ASSIGN, Scope.INGEST}), actor=ACTOR)
    return Place(
        folder=home,
        database_url=url,
        secret_key=secret_key,
        port=port or free_port(HOST),
        admin_key=admin.text,
        admin_key_id=admin.key.id,
        browser_key=browser.text,
    )
