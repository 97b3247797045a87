"""What is in `deploy/` names settings, commands and options that there are."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from experiments.cli import main
from experiments.settings import Settings

DEPLOY = Path(__file__).parents[3] / "deploy"
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file())
NO_SETTING_OF_OURS = {"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"}


class Noticing(dict[str, str]):
    """An environment that notices what is looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.wanted.add(key)
        return default


@pytest.fixture(scope="module")
def known() -> set[str]:
    environment = Noticing()
    Settings.from_environment(environment)
    return environment.wanted


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_is_one_that_is_read(path: Path, known: set[str]) -> None:
    named = set(re.findall(r"\bWINNOW_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    assert named <= known


def test_the_example_can_be_read_as_settings() -> None:
    lines = (DEPLOY / "winnow.env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings = Settings.from_environment({k: v for k, v in given.items() if k not in NO_SETTING_OF_OURS})
    assert (settings.database_url, settings.secure_cookies) == ("postgresql://winnow:change-me@database/winnow", True)
    assert given["POSTGRES_PASSWORD"] in settings.database_url


def test_the_image_has_every_package() -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = re.findall(r"^COPY (\S+) (\S+)$", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {(package, package) for package in packages} <= set(copied)


def _text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def test_the_service_listens_where_it_is_published_and_probed_whatever_the_environment_says() -> None:
    (served,) = re.findall(r'^CMD (\["winnow", "serve".*\])$', _text("Dockerfile"), re.MULTILINE)
    options = json.loads(served)
    port = options[options.index("--port") + 1]
    assert re.findall(r"http://127\.0\.0\.1:(\d+)/readyz", _text("Dockerfile")) == [port]
    assert re.findall(r'ports: \["127\.0\.0\.1:\d+:(\d+)"\]', _text("compose.yaml")) == [port]


def test_the_database_is_probed_as_it_is_asked() -> None:
    """The server that sets the official image up answers at its Unix socket, and refuses TCP."""
    (probe,) = re.findall(r'"CMD-SHELL", "(pg_isready [^"]*)"', _text("compose.yaml"))
    command = shlex.split(probe)
    assert command[command.index("--host") + 1] == "127.0.0.1"


def test_a_migration_that_fails_is_tried_again() -> None:
    (policy,) = re.findall(r'"winnow", "db", "upgrade"\]\n +restart: (.*)', _text("compose.yaml"))
    assert policy == "on-failure"


def _commands(text: str) -> list[list[str]]:
    shell = [shlex.split(found) for found in re.findall(r"(?:bin/| api )(winnow [a-z][^\n#']*)", text)]
    listed = [re.findall(r'"([^"]+)"', found) for found in re.findall(r'\[("winnow"[^\]]*)\]', text)]
    return [*shell, *listed]


COMMANDS = [command for path in FILES for command in _commands(path.read_text(encoding="utf-8"))]


def test_there_are_commands_to_look_at() -> None:
    assert {command[1] for command in COMMANDS} == {"serve", "worker", "db", "keys"}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_can_be_parsed(command: list[str]) -> None:
    context, group, rest = click.Context(main), main, command[1:]
    while isinstance(group, click.Group):
        _, found, rest = group.resolve_command(context, rest)
        assert found is not None
        context, group = click.Context(found, parent=context), found
    group.make_context(command[-1], list(rest))
