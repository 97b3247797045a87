"""Variables that begin as ours do and that nothing reads are told, with the name that may have been meant."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from experiments.cli import main
from experiments.settings import unknown_variables

TYPO = "winnow: warning: WINNOW_DATABSE_URL is no setting; did you mean WINNOW_DATABASE_URL?\n"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("WINNOW_DATABSE_URL", "WINNOW_DATABSE_URL is no setting; did you mean WINNOW_DATABASE_URL?"),
        ("WINNOW_CORS_ORIGIN", "WINNOW_CORS_ORIGIN is no setting; did you mean WINNOW_CORS_ORIGINS?"),
        ("WINNOW_secret_key", "WINNOW_secret_key is no setting; did you mean WINNOW_SECRET_KEY?"),
        ("WINNOW_IMPORT_URI", "WINNOW_IMPORT_URI is no setting; did you mean WINNOW_IMPORT_URL?"),
        ("WINNOW_COLOUR", "WINNOW_COLOUR is no setting."),
        ("WINNOW_", "WINNOW_ is no setting."),
    ],
)
def test_one_that_nothing_reads_is_named_but_not_its_value(name: str, sentence: str) -> None:
    assert unknown_variables({name: "postgresql://winnow:a-password@db/winnow", "HOME": "/"}) == [sentence]


def test_what_is_read_and_what_our_tests_and_benchmarks_read_is_not_told() -> None:
    names = (
        "WINNOW_DATABASE_URL",
        "WINNOW_SMTP_URL",
        "WINNOW_METRICS_FOLDER",
        "WINNOW_IMPORT_URL",
        "WINNOW_TEST_DATABASE_URL",
        "WINNOW_BENCHMARK_ANSWERS",
        "WINNOWING",
        "PATH",
    )
    assert unknown_variables(dict.fromkeys(names, "anything")) == []


@pytest.mark.parametrize(
    "arguments", [("serve", "--host", "256.0.0.1"), ("worker", "--once"), ("keys", "list"), ("segments", "templates")]
)
def test_every_command_warns_once_on_stderr_and_goes_on(arguments: tuple[str, ...], sqlite_url: str) -> None:
    environment = {"WINNOW_DATABASE_URL": sqlite_url, "WINNOW_DATABSE_URL": "elsewhere"}
    result = CliRunner().invoke(main, arguments, env=environment)
    assert result.stderr.count(TYPO) == 1
    assert result.stderr.startswith(TYPO)
    assert TYPO not in result.stdout
    assert (result.exit_code == 0) == (arguments[0] != "serve")
