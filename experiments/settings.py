"""Environment -> frozen Settings. The only reader of the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from experiments.domain.consent import ConsentMode
from experiments.domain.errors import InvalidInput
from experiments.domain.mail import MailServer, check_address, mail_server
from experiments.domain.names import check_key
from experiments.domain.nearest import nearest
from experiments.domain.webhook import check_url

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
ROOT = Path(__file__).resolve().parent.parent
PREFIX = "WINNOW_"
IMPORT_URL_VARIABLE = f"{PREFIX}IMPORT_URL"
"""An option of one command, so that a password stands neither in a history nor in a list of processes."""
OUR_OWN = (f"{PREFIX}TEST_", f"{PREFIX}BENCHMARK_")
"""How variables of our tests and benchmarks begin."""
DAY_SECONDS = 86_400
MOST_DAYS = 36_500
"""A hundred years: before the calendar ends, in which all that is old is looked for."""
LEAST_SECRET = 32
"""Characters."""
MOST_BYTES = 1 << 50
MOST_OFTEN = 1_000_000_000
DEFAULT_DATABASE_URL = f"sqlite:///{ROOT / 'var' / 'winnow.sqlite'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`secret_key` signs sessions; where it is not given, one is made and kept under `var/`.

    `catalog_poll_seconds`: how often a process looks whether another one changed an experiment or a profile.
    `public_url`: where people reach the pages, for links in what is sent. `mail_server`, `notify_from` and
    `notify_emails`: who is told by e-mail; only the process that delivers needs them.
    `spool`: whether `winnow serve` keeps what it records in `spool_dir`, on a local disk, until the database has it;
    `spool_max_bytes` is for each of its processes.
    `rate_limit_per_second` and `rate_limit_burst`: how often one key may assign and record, in one process; 0 is as
    often as it likes, a burst of 0 is what one second gives. `metrics_folder`: where the processes of one server put
    what they counted; `winnow serve` makes one. `stream_url`: where browsers reach the change streams on `stream_port`;
    without it there are none. `stream_limit`: how many may be open. `purchase_events`: the events that are purchases,
    of which the worker makes attributes of customers; none: it makes none. `engagement_events`: those of which it makes
    how much units do. `cuts_hours`: how old cuts of scores become, `segments_hours`: how old reports of segments.
    `consent`: what holds for who has not said whether they consent. `retention_days`: how long rows of the log are
    kept; 0: for ever. `anonymous_prefixes`: how ids of visitors begin, which keys for browsers may join to a
    customer's; none: any id that is not known to be a customer's.
    """

    database_url: str = DEFAULT_DATABASE_URL
    secret_key: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: int = 2_000_000
    catalog_poll_seconds: float = 0.5
    worker_interval_seconds: float = 60.0
    secure_cookies: bool = False
    log_level: str = "info"
    log_json: bool = False
    spool: bool = True
    spool_dir: Path = ROOT / "var" / "spool"
    spool_max_bytes: int = 1 << 30
    public_url: str = ""
    mail_server: MailServer | None = None
    notify_from: str = ""
    notify_emails: tuple[str, ...] = ()
    rate_limit_per_second: float = 0.0
    rate_limit_burst: int = 0
    metrics_public: bool = False
    metrics_folder: str = ""
    stream_url: str = ""
    stream_port: int = 8001
    stream_limit: int = 5_000
    purchase_events: tuple[str, ...] = ()
    engagement_events: tuple[str, ...] = ()
    anonymous_prefixes: tuple[str, ...] = ()
    cuts_hours: float = 24.0
    consent: ConsentMode = ConsentMode.ASSUMED
    retention_days: float = 0.0
    segments_hours: float = 24.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read `WINNOW_*`; raise InvalidInput naming the variable that cannot be understood."""
        return cls._read(_Reader(os.environ if environment is None else environment))

    @classmethod
    def _read(cls, read: _Reader) -> Settings:
        default = cls()
        return cls(
            database_url=read.text("DATABASE_URL", DEFAULT_DATABASE_URL),
            secret_key=read.secret("SECRET_KEY"),
            host=read.text("HOST", default.host),
            port=int(read.number("PORT", default.port, least=1, most=65_535)),
            cors_origins=read.origins("CORS_ORIGINS"),
            max_body_bytes=int(read.number("MAX_BODY_BYTES", default.max_body_bytes, least=1_000, most=MOST_BYTES)),
            catalog_poll_seconds=read.number(
                "CATALOG_POLL_SECONDS", default.catalog_poll_seconds, least=0.01, most=DAY_SECONDS
            ),
            worker_interval_seconds=read.number(
                "WORKER_INTERVAL_SECONDS", default.worker_interval_seconds, least=0.1, most=DAY_SECONDS
            ),
            secure_cookies=read.flag("SECURE_COOKIES", default.secure_cookies),
            log_level=read.one_of("LOG_LEVEL", default.log_level, ("debug", "info", "warning", "error")),
            log_json=read.flag("LOG_JSON", default.log_json),
            spool=read.flag("SPOOL", default.spool),
            spool_dir=Path(read.text("SPOOL_DIR", "") or default.spool_dir),
            spool_max_bytes=int(
                read.number("SPOOL_MAX_BYTES", default.spool_max_bytes, least=100_000, most=MOST_BYTES)
            ),
            public_url=read.checked("PUBLIC_URL", check_url).rstrip("/"),
            mail_server=read.mail_server("SMTP_URL"),
            notify_from=read.checked("NOTIFY_FROM", check_address),
            notify_emails=read.addresses("NOTIFY_EMAILS"),
            rate_limit_per_second=read.number(
                "RATE_LIMIT_PER_SECOND", default.rate_limit_per_second, least=0, most=MOST_OFTEN
            ),
            rate_limit_burst=int(read.number("RATE_LIMIT_BURST", default.rate_limit_burst, least=0, most=MOST_OFTEN)),
            metrics_public=read.flag("METRICS_PUBLIC", default.metrics_public),
            metrics_folder=read.text("METRICS_FOLDER", ""),
            stream_url=read.checked("STREAM_URL", check_url).rstrip("/"),
            stream_port=int(read.number("STREAM_PORT", default.stream_port, least=1, most=65_535)),
            stream_limit=int(read.number("STREAM_LIMIT", default.stream_limit, least=1, most=MOST_OFTEN)),
            purchase_events=read.keys("PURCHASE_EVENTS"),
            engagement_events=read.keys("ENGAGEMENT_EVENTS"),
            anonymous_prefixes=read.several("ANONYMOUS_PREFIXES"),
            cuts_hours=read.number("CUTS_HOURS", default.cuts_hours, least=0.1, most=24 * MOST_DAYS),
            retention_days=read.number("RETENTION_DAYS", default.retention_days, least=0, most=MOST_DAYS),
            consent=ConsentMode(read.one_of("CONSENT", default.consent, tuple(ConsentMode))),
            segments_hours=read.number("SEGMENTS_HOURS", default.segments_hours, least=0.1, most=24 * MOST_DAYS),
        )

    def __post_init__(self) -> None:
        if self.notify_emails and not (self.mail_server and self.notify_from):
            raise InvalidInput(
                "setting_missing",
                "WINNOW_NOTIFY_EMAILS needs WINNOW_SMTP_URL and WINNOW_NOTIFY_FROM.",
                path="/WINNOW_NOTIFY_EMAILS",
            )


def variables() -> frozenset[str]:
    """Return the names of all variables that anything of ours reads."""
    reader = _Reader({})
    Settings._read(reader)
    return frozenset({*reader.names, IMPORT_URL_VARIABLE})


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return a sentence for each variable that begins as ours do and that nothing reads; never what it is set to."""
    known = {name.removeprefix(PREFIX) for name in variables()}
    sentences = []
    for name in sorted(os.environ if environment is None else environment):
        rest = name.removeprefix(PREFIX)
        if rest == name or rest in known or name.startswith(OUR_OWN):
            continue
        meant = nearest(rest, known)
        sentences.append(f"{name} is no setting" + ("." if meant is None else f"; did you mean {PREFIX}{meant}?"))
    return sentences


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.names: set[str] = set()

    def text(self, name: str, default: str) -> str:
        self.names.add(f"{PREFIX}{name}")
        return self._environment.get(f"{PREFIX}{name}", default)

    def secret(self, name: str) -> str | None:
        """Return a text that nobody guesses, or none; a refusal does not repeat it."""
        text = self.text(name, "")
        if 0 < len(text) < LEAST_SECRET:
            message = f"WINNOW_{name} is too short; at least {LEAST_SECRET} characters are wanted."
            raise InvalidInput("setting_invalid", message, path=f"/WINNOW_{name}")
        return text or None

    def several(self, name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.text(name, "").split(",") if part.strip())

    def origins(self, name: str) -> tuple[str, ...]:
        """Return origins as browsers send them: an address with a path is never equal to one."""
        found = self.several(name)
        for origin in found:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise _unfit(name, origin, "an origin such as https://shop.example, without a path, or *")
        return found

    def checked(self, name: str, check: Callable[[str], None]) -> str:
        """Return a text that the domain finds fit, or none; a refusal does not repeat it."""
        text = self.text(name, "")
        if text:
            with _named(name):
                check(text)
        return text

    def addresses(self, name: str) -> tuple[str, ...]:
        found = self.several(name)
        with _named(name):
            for address in found:
                check_address(address)
        return found

    def keys(self, name: str) -> tuple[str, ...]:
        found = self.several(name)
        with _named(name):
            for key in found:
                check_key(key)
        return found

    def mail_server(self, name: str) -> MailServer | None:
        text = self.text(name, "")
        with _named(name):
            return mail_server(text) if text else None

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise _unfit(name, text, f"a number of at least {least:g}, at most {most:,}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        return self.one_of(name, "true" if default else "false", ("true", "false")) == "true"

    def one_of(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self.text(name, default).lower()
        if text not in allowed:
            raise _unfit(name, text, "one of " + ", ".join(allowed))
        return text


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say of which variable the domain speaks."""
    try:
        yield
    except InvalidInput as refusal:
        text = f"WINNOW_{name} cannot be used. {refusal.message}"
        raise InvalidInput("setting_invalid", text, path=f"/WINNOW_{name}") from None


def _unfit(name: str, text: str, wanted: str) -> InvalidInput:
    return InvalidInput("setting_invalid", f"WINNOW_{name} is {text!r}; {wanted} is wanted.", path=f"/WINNOW_{name}")
