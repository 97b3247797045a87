"""docs/settings.md has a row for every variable that is read, and for no other."""

from __future__ import annotations

import re
from pathlib import Path

from experiments.settings import IMPORT_URL_VARIABLE, Settings, variables

PAGE = Path(__file__).parents[3].joinpath("docs", "settings.md").read_text(encoding="utf-8")


class Noticing(dict[str, str]):
    """An environment that notices what is looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[str] = []

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.wanted.append(key)
        return default


def test_every_variable_has_a_row_and_no_other() -> None:
    environment = Noticing()
    Settings.from_environment(environment)
    rows = re.findall(r"^\| `(WINNOW_[A-Z_]+)` \|", PAGE, flags=re.MULTILINE)
    assert sorted(rows) == sorted({*environment.wanted, IMPORT_URL_VARIABLE}) == sorted(variables())
    assert set(re.findall(r"\bWINNOW_[A-Z_]+\b", PAGE)) == set(rows)


def test_defaults_are_those_of_the_code() -> None:
    given = dict(re.findall(r"^\| `(WINNOW_[A-Z_]+)` \| `([^`…/]+)` \|", PAGE, flags=re.MULTILINE))
    assert len(given) >= 15
    assert Settings.from_environment(given) == Settings.from_environment({})
