"""Commands: what they print where, and their exit codes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from experiments.cli import COMMANDS, main
from experiments.services.recording.ports import Watermark
from experiments.storage import migrate
from experiments.storage.unit_of_work import open_database
from tests.unit.replaying.replays import HEADER

PLAN = """
[experiment]
key = "sale"
name = "Sale"

[file]
variant = "arm"

[attributes]
mens = "integer"

[[variants]]
key = "old"
name = "Old offer"
control = true

[[variants]]
key = "new"
name = "New offer"

[[segments]]
key = "mens"
name = "Men"
condition = { mens = 1 }

[[metrics]]
key = "visit"
name = "Visits"
role = "primary"

[analysis]
minimum_duration_seconds = 0
"""


class Winnow:
    """The command line over one database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._environment = {"WINNOW_DATABASE_URL": url}
        self.plan = folder / "plan.toml"
        self.plan.write_text(PLAN)
        self.file = folder / "results.csv"

    def __call__(self, *arguments: str) -> Result:
        return CliRunner(env=self._environment).invoke(main, arguments)

    def replay(self, visits_old: int, visits_new: int, *more: str) -> Result:
        """500 men in each arm, and nobody else."""
        visits = {"old": visits_old, "new": visits_new}
        rows = [f"1,0,web,{arm},{int(unit < visits[arm])},0" for arm in visits for unit in range(500)]
        self.file.write_text("\n".join([HEADER, *rows, ""]))
        return self("replay", str(self.file), "--plan", str(self.plan), *more)


@pytest.fixture
def winnow(sqlite_url: str, tmp_path: Path) -> Winnow:
    return Winnow(sqlite_url, tmp_path)


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys; from experiments.cli import main; main(['--help'], standalone_mode=False);"
        "print([m for m in ('sqlalchemy', 'rich', 'numpy', 'ibis', 'statsmodels', 'granian') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name, entry in COMMANDS.items():
        assert f"  {name}" in told
        assert entry.help.split()[0] in told
    assert told.endswith("[]\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(winnow: Winnow, command: str) -> None:
    told = winnow(command, "--help")
    assert told.exit_code == 0
    assert told.stdout.startswith(f"Usage: winnow {command}")


def test_an_unknown_command_is_a_usage_error(winnow: Winnow) -> None:
    assert winnow("analyze").exit_code == 2


def test_a_refusal_is_one_line_with_its_code(winnow: Winnow) -> None:
    refused = winnow("promote", "nothing")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == "winnow: experiment_not_found: There is no experiment 'nothing'.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("analyse", "sales"), "experiment_not_found: There is no experiment 'sales'. Did you mean 'sale'?"),
        (("segments", "card", "men"), "segment_not_found: There is no segment 'men'. Did you mean 'mens'?"),
        (
            ("segments", "templates", "spend_band"),
            "segment_template_not_found: There is no segment template 'spend_band'. Did you mean 'spend_bands'?",
        ),
        (
            ("promote", "sale", "--segment", "men"),
            "segment_unknown: The latest snapshot knows no segment 'men'. Did you mean 'mens'? (/segment)",
        ),
    ],
)
def test_a_key_that_there_is_not_is_answered_with_the_nearest(
    winnow: Winnow, arguments: tuple[str, ...], told: str
) -> None:
    assert winnow.replay(50, 75).exit_code == winnow("analyse", "sale").exit_code == 0
    refused = winnow(*arguments)
    assert (refused.exit_code, refused.stderr) == (1, f"winnow: {told}\n")


def test_keys_are_shown_once_listed_and_revoked(winnow: Winnow) -> None:
    assert winnow("keys", "create", "a [/b] c", "--scope", "read").exit_code == 0
    made = winnow("keys", "create", "shop", "--scope", "assign", "--scope", "ingest")
    prefix, key_id, secret = made.stdout.strip().split("_", 2)
    assert (prefix, len(secret) >= 40) == ("wk", True)
    listed = winnow("keys", "list").stdout
    assert key_id in listed
    assert "a [/b] c" in listed
    assert "assign ingest" in listed
    assert secret not in listed
    assert winnow("keys", "revoke", key_id).stdout == f"Key {key_id} (shop) is revoked.\n"
    assert winnow("keys", "revoke", "nobody").exit_code == 1
    assert winnow("keys", "create", "shop", "--scope", "everything").exit_code == 2


def test_a_key_can_be_limited_to_tags(winnow: Winnow) -> None:
    made = winnow("keys", "create", "web", "--scope", "client", "--tag", "shop", "--tag", "mail")
    assert made.exit_code == 0
    assert "mail shop" in winnow("keys", "list").stdout
    refused = winnow("keys", "create", "web", "--scope", "read", "--tag", "shop")
    assert (refused.exit_code, refused.stderr.split(":")[1].strip()) == (1, "tags_without_effect")


def test_a_database_is_checked_and_upgraded(empty_sqlite_url: str, tmp_path: Path) -> None:
    winnow = Winnow(empty_sqlite_url, tmp_path)
    unmigrated = winnow("db", "check")
    assert unmigrated.exit_code == 1
    assert unmigrated.stderr.startswith("winnow: database_not_migrated: The database is empty; ")
    assert winnow("keys", "list").stderr.startswith("winnow: database_not_migrated: ")
    assert winnow("db", "upgrade").stdout == f"The database is at revision {migrate.head()}.\n"
    assert winnow("db", "check").exit_code == 0


def test_results_are_pure_json_on_stdout(winnow: Winnow) -> None:
    assert winnow.replay(50, 150).stdout == "sale is loaded: 1,000 units, 200 events.\n"
    report = json.loads(winnow("analyse", "sale", "--json").stdout)
    assert report["units"] == 1_000
    assert report["segments"][0]["verdict"]["variant"] == "new"


def test_results_are_a_table_for_people(winnow: Winnow) -> None:
    winnow.replay(50, 150)
    told = winnow("analyse", "sale").stdout
    assert "visit: lift over Old offer, with 95% intervals" in told
    assert "+200.00%" in told
    assert "New offer wins for Men" in told
    assert "Everyone else" not in told


def test_promoting_shows_first_and_acts_once(winnow: Winnow) -> None:
    winnow.replay(50, 150)
    winnow("analyse", "sale")
    assert winnow("promote", "sale", "--dry-run").stdout.endswith("Dry run: nothing was changed.\n")
    promoted = winnow("promote", "sale")
    (line,) = [line for line in promoted.stdout.splitlines() if line.startswith("new ") and "promotion" in line]
    assert line.startswith("new is decided for mens (promotion ")
    assert promoted.stdout.endswith("Another system decides who sees what: it has to carry that out.\n")
    again = winnow("promote", "sale", "--segment", "mens")
    assert (again.exit_code, again.stderr) == (1, "winnow: already_promoted: mens: new is live in mens already.\n")
    promotion_id = line.partition("(promotion ")[2].rstrip(").")
    reverted = winnow("revert", promotion_id, "--reason", "a change of mind")
    assert reverted.stdout == "new is not live in mens any more.\n"
    assert winnow("revert", promotion_id, "--reason", "again").stderr.startswith("winnow: already_reverted: ")


def test_whoever_stops_reading_does_not_stop_a_promotion(winnow: Winnow, monkeypatch: pytest.MonkeyPatch) -> None:
    """`winnow promote sale | head -1`: the pipe breaks at the first print, when all that is to be done is done."""

    def gone() -> None:
        raise BrokenPipeError

    winnow.replay(100, 200)
    winnow("analyse", "sale")
    monkeypatch.setattr("experiments.cli.promote.out", gone)
    assert winnow("promote", "sale").exit_code == 1
    monkeypatch.undo()
    again = winnow("promote", "sale", "--segment", "mens")
    assert again.stderr == "winnow: already_promoted: mens: new is live in mens already.\n"


@pytest.mark.parametrize("state", ["proposed", "held", "reverted"])
def test_the_inbox_knows_states_by_the_names_that_pages_use(winnow: Winnow, state: str) -> None:
    assert winnow("inbox", "--state", state).output == f"Nothing is {state}.\n"


def test_the_inbox_shows_what_waits_for_a_person(winnow: Winnow) -> None:
    assert winnow("inbox").output == "Nothing is proposed.\n"


def test_nothing_is_promoted_without_a_winner(winnow: Winnow) -> None:
    winnow.replay(100, 101)
    winnow("analyse", "sale")
    assert winnow("promote", "sale").stdout.endswith("Nothing to promote.\n")
    refused = winnow("promote", "sale", "--segment", "mens")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("winnow: undecided: mens: ")


def test_a_snapshot_is_verified(winnow: Winnow) -> None:
    winnow.replay(50, 150)
    assert (
        winnow("verify", "sale").stderr
        == "winnow: snapshot_not_found: Experiment 'sale' has no results yet; the worker computes them.\n"
    )
    winnow("analyse", "sale")
    verified = winnow("verify", "sale")
    assert verified.exit_code == 0
    assert verified.stdout.startswith("Snapshot 1 is identical: ")


def test_a_snapshot_that_does_not_come_out_again_is_told(winnow: Winnow, monkeypatch: pytest.MonkeyPatch) -> None:
    winnow.replay(50, 150)
    winnow("analyse", "sale")
    monkeypatch.setattr("experiments.services.analysing.analyse.report_bytes", lambda report: b"{}")
    differs = winnow("verify", "sale")
    assert differs.exit_code == 1
    assert differs.stdout.startswith("Snapshot 1 differs: ")


def test_a_snapshot_whose_rows_were_erased_is_told_apart(winnow: Winnow) -> None:
    winnow.replay(50, 150)
    winnow("analyse", "sale")
    database = open_database(winnow.url)
    with database.unit_of_work(read_only=True) as work:
        shown = work.log.exposures("sale", Watermark(exposure_id=99, event_id=0, at=datetime.now(UTC)))
        unit_id = next(shown)[0][0]
    database.close()
    erased = winnow("customers", "erase", unit_id)
    assert "Deleted: 0 profiles, 1 exposures, " in erased.stdout
    verified = winnow("verify", "sale")
    assert verified.exit_code == 3
    assert verified.stdout.endswith("since then 1 people were erased.\n")


def test_bad_rows_are_told_by_line(winnow: Winnow) -> None:
    winnow.file.write_text(f"{HEADER}\n1,0,web,newest,1,0\n1,0,web,new,1,0\n1,0,web,new,yes,0\n")
    arguments = ("replay", str(winnow.file), "--plan", str(winnow.plan))
    refused = winnow(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[:2] == [
        "line 2: variant_unknown: arm: The plan knows no variant 'newest', only old, new.",
        "line 4: not_a_flag: visit: 'yes' is neither 0 or 1 nor true or false.",
    ]
    assert refused.stderr.splitlines()[2].startswith("winnow: rows_invalid: Bad rows: 2; the first on line 2: ")
    machine = winnow(*arguments, "--json", "--max-errors", "1")
    assert json.loads(machine.stdout)["count"] == 2
    assert [row["line"] for row in json.loads(machine.stdout)["bad_rows"]] == [2]
    assert winnow(*arguments, "--max-errors", "1").stderr.splitlines()[1] == "… and 1 more"


def test_a_plan_that_is_no_toml_is_refused(winnow: Winnow) -> None:
    winnow.plan.write_text("[experiment")
    refused = winnow.replay(1, 1)
    assert refused.stderr.startswith("winnow: plan_unreadable: plan.toml is no TOML: ")


def test_a_worker_does_one_round(winnow: Winnow) -> None:
    winnow.replay(50, 150)
    assert winnow("worker", "--once").exit_code == 0
    assert winnow("verify", "sale").exit_code == 0


def test_a_port_in_use_is_refused_and_not_shared(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_DATABASE_URL", sqlite_url)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(main, ["serve", "--port", str(taken.getsockname()[1])])
    assert result.exit_code == 1
    assert "address_unusable" in result.stderr
    assert "Choose another with --port." in result.stderr


def test_a_spool_that_cannot_be_made_is_told_before_processes_start(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WINNOW_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WINNOW_SPOOL_DIR", str(tmp_path / "file" / "spool"))
    monkeypatch.setattr("experiments.cli.serve.Granian", lambda *_, **__: pytest.fail("it was started"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    result = CliRunner().invoke(main, ["serve", "--port", str(port)])
    assert result.exit_code == 1
    told = f"WINNOW_SPOOL_DIR cannot be used: {tmp_path}/file/spool: Not a directory. (/WINNOW_SPOOL_DIR)\n"
    assert result.stderr == f"winnow: setting_invalid: {told}"


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (b"short", "is too short; without that file another is made, and who is signed in signs in again"),
        (b"\xff" * 64, "is no text"),
    ],
    ids=["too short", "no text"],
)
def test_a_kept_secret_that_is_unfit_is_told_before_processes_start(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes, reason: str
) -> None:
    (tmp_path / "secret_key").write_bytes(kept)
    monkeypatch.setenv("WINNOW_DATABASE_URL", sqlite_url)
    monkeypatch.delenv("WINNOW_SECRET_KEY", raising=False)
    monkeypatch.setattr("experiments.secret.SECRET_FILE", tmp_path / "secret_key")
    monkeypatch.setattr("experiments.cli.serve.Granian", lambda *_, **__: pytest.fail("it was started"))
    result = CliRunner().invoke(main, ["serve"])
    told = f"Set WINNOW_SECRET_KEY: the one that was kept in {tmp_path}/secret_key {reason}. (/WINNOW_SECRET_KEY)\n"
    assert (result.exit_code, result.stderr) == (1, f"winnow: setting_invalid: {told}")


@pytest.mark.parametrize("command", [("serve", "--port", "1"), ("worker", "--once"), ("db", "check"), ("keys", "list")])
def test_commands_say_why_the_database_cannot_be_reached(tmp_path: Path, command: tuple[str, ...]) -> None:
    refused = Winnow("postgresql://ada:s%40cret@127.0.0.1:1/shop", tmp_path)(*command)
    assert (refused.exit_code, refused.stderr.startswith("winnow: database_unavailable: ")) == (1, True)
    assert "WINNOW_DATABASE_URL" in refused.stderr
    assert "Connection refused" in refused.stderr
    assert "cret" not in refused.stderr


def test_a_prior_of_a_metric_that_there_is_not_is_refused(winnow: Winnow) -> None:
    migrate.upgrade(winnow.url)
    refused = winnow("prior", "nosuch")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("winnow: metric_not_found: ")
