"""Settings: defaults, reading, and refusals that name the variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.domain.errors import InvalidInput
from experiments.settings import ROOT, Settings


def test_nothing_set_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_everything_set() -> None:
    environment = {
        "WINNOW_DATABASE_URL": "postgresql://db/winnow",
        "WINNOW_PORT": "9000",
        "WINNOW_CORS_ORIGINS": "https://a.example, https://b.example",
        "WINNOW_SECURE_COOKIES": "TRUE",
        "WINNOW_CATALOG_POLL_SECONDS": "0.5",
    }
    assert Settings.from_environment(environment) == Settings(
        database_url="postgresql://db/winnow",
        port=9_000,
        cors_origins=("https://a.example", "https://b.example"),
        secure_cookies=True,
        catalog_poll_seconds=0.5,
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [("PORT", "http"), ("PORT", "65536"), ("PORT", "nan"), ("SECURE_COOKIES", "maybe"), ("LOG_LEVEL", "loud")],
)
def test_what_cannot_be_understood_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Settings.from_environment({f"WINNOW_{name}": text})
    assert (refusal.value.code, refusal.value.path) == ("setting_invalid", f"/WINNOW_{name}")


def test_where_the_spool_is_and_how_large() -> None:
    environment = {"WINNOW_SPOOL": "false", "WINNOW_SPOOL_DIR": "/data/spool", "WINNOW_SPOOL_MAX_BYTES": "5000000"}
    read = Settings.from_environment(environment)
    assert (read.spool, read.spool_dir, read.spool_max_bytes) == (False, Path("/data/spool"), 5_000_000)


@pytest.mark.parametrize("given", ["q", "q" * 31])
def test_a_secret_that_can_be_guessed_is_refused_and_not_repeated(given: str) -> None:
    assert Settings.from_environment({"WINNOW_SECRET_KEY": "q" * 32}).secret_key == "q" * 32
    with pytest.raises(InvalidInput) as refusal:
        Settings.from_environment({"WINNOW_SECRET_KEY": given})
    assert (refusal.value.code, refusal.value.path) == ("setting_invalid", "/WINNOW_SECRET_KEY")
    assert "q" not in refusal.value.message


def test_an_empty_folder_is_none_that_was_said() -> None:
    """`Path("")` would be the current directory."""
    assert Settings.from_environment({"WINNOW_SPOOL_DIR": ""}).spool_dir == ROOT / "var" / "spool"


def test_limits_streams_and_metrics() -> None:
    environment = {
        "WINNOW_RATE_LIMIT_PER_SECOND": "2.5",
        "WINNOW_RATE_LIMIT_BURST": "10",
        "WINNOW_METRICS_PUBLIC": "true",
        "WINNOW_STREAM_URL": "https://streams.example/",
        "WINNOW_STREAM_PORT": "9001",
        "WINNOW_STREAM_LIMIT": "100",
    }
    assert Settings.from_environment(environment) == Settings(
        rate_limit_per_second=2.5,
        rate_limit_burst=10,
        metrics_public=True,
        stream_url="https://streams.example",
        stream_port=9_001,
        stream_limit=100,
    )


@pytest.mark.parametrize(
    ("name", "text"), [("RATE_LIMIT_PER_SECOND", "-1"), ("STREAM_URL", "streams"), ("STREAM_LIMIT", "0")]
)
def test_unfit_limits_and_streams_are_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Settings.from_environment({f"WINNOW_{name}": text})
    assert refusal.value.path == f"/WINNOW_{name}"


@pytest.mark.parametrize(
    "origin", ["https://shop.example/", "shop.example", "https://Shop.example/a", "https://*.shop"]
)
def test_what_no_browser_sends_is_no_origin(origin: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Settings.from_environment({"WINNOW_CORS_ORIGINS": f"https://fine.example:8443, {origin}"})
    assert refusal.value.path == "/WINNOW_CORS_ORIGINS"


def test_origins_are_read_as_they_stand() -> None:
    read = Settings.from_environment({"WINNOW_CORS_ORIGINS": "https://a.example, http://localhost:3000"})
    assert read.cors_origins == ("https://a.example", "http://localhost:3000")


ENDLESS = [
    "MAX_BODY_BYTES",
    "CATALOG_POLL_SECONDS",
    "WORKER_INTERVAL_SECONDS",
    "SPOOL_MAX_BYTES",
    "RATE_LIMIT_PER_SECOND",
    "RATE_LIMIT_BURST",
    "STREAM_LIMIT",
    "CUTS_HOURS",
    "RETENTION_DAYS",
    "SEGMENTS_HOURS",
]


@pytest.mark.parametrize("text", ["inf", "1e400", "1e18"])
@pytest.mark.parametrize("name", ENDLESS)
def test_nothing_is_without_end(name: str, text: str) -> None:
    """What is added to the time of day, or becomes a whole number, has to stay one."""
    with pytest.raises(InvalidInput) as refusal:
        Settings.from_environment({f"WINNOW_{name}": text})
    assert (refusal.value.code, refusal.value.path) == ("setting_invalid", f"/WINNOW_{name}")
