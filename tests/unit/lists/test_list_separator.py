"""Lists whose columns are separated by something else, and files that are empty: what is told leads on."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from experiments.cli import main
from experiments.domain.attribute import Attribute, AttributeType
from experiments.domain.errors import InvalidInput
from experiments.domain.source import Source, SourceKind
from experiments.services.lists.chunk import check_id_column
from tests.unit.lists.shop import CSV, LIST, UNITS, Shop, listed, rows_of

NOWHERE = "winnow: column_missing: Column 'unit_id' stands nowhere in list.csv. "
WHICH = "--id-column says which one has the ids.\n"


def cut(typed: str) -> str:
    return f"Its header is a single column, with {typed} in it: --delimiter {typed} cuts it there.\n"


@pytest.mark.parametrize(
    ("text", "more", "told"),
    [
        pytest.param("unit_id;orders\na;0\n", (), cut("';'"), id="semicolon"),
        pytest.param("unit_id\torders\na\t0\n", (), cut(r"'\t'"), id="tab"),
        pytest.param("unit_id|orders\na|0\n", (), cut("'|'"), id="bar"),
        pytest.param(LIST, ("--delimiter", ";"), cut(","), id="comma"),
        pytest.param("unit_id;a|b;orders\n", (), cut("';'"), id="what is there more often"),
        pytest.param("unit_id;orders\na;0\n", ("--types", "orders=integer"), cut("';'"), id="with types"),
        pytest.param("unit_id;orders\na;0\n", ("--attributes", "mens"), cut("';'"), id="with attributes"),
        pytest.param("unit;id,mens\na,0\n", (), WHICH, id="two columns"),
        pytest.param("who\na\n", (), WHICH, id="one column"),
        pytest.param('"unit_id,mens"\na\n', (), WHICH, id="one column in quotes"),
    ],
)
def test_a_header_that_is_one_column_leads_to_the_delimiter(
    shop: Shop, text: str, more: tuple[str, ...], told: str
) -> None:
    shop.start()
    refused = shop(shop.csv(text), "out.csv", *more)
    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", NOWHERE + told)


@pytest.mark.parametrize(
    ("text", "told"),
    [(b"", "the file is empty"), (b"\nunit_id\n", "the first line is empty: it names the columns")],
)
def test_an_empty_file_is_called_empty(shop: Shop, text: bytes, told: str) -> None:
    shop.start()
    refused = shop(shop.csv(text), "out.csv")
    assert refused.stderr == f"winnow: header_missing: list.csv has no header: {told}.\n"


CARRIAGE_RETURN = (
    "a carriage return (CR) stands alone outside of quotes; lines end with a line feed (LF) or with CR and LF"
)


def test_lines_that_end_in_carriage_returns_alone_are_told_so(shop: Shop) -> None:
    shop.start()
    refused = shop(shop.csv(LIST.replace("\n", "\r")), "out.csv")
    assert refused.stderr == f"winnow: header_unreadable: list.csv has no header: {CARRIAGE_RETURN}.\n"
    assert shop(shop.csv(LIST + "u2,1,1\ru3,1,1\n"), "out.csv").exit_code == 3
    assert [(row["line"], row["message"]) for row in rows_of(shop.folder / "out.csv.rejected.csv")] == [
        ("3", f"No CSV: {CARRIAGE_RETURN}.")
    ]


def test_a_backslash_and_a_t_are_a_tab(shop: Shop) -> None:
    shop.start()
    body = listed([("unit_id", "mens", "recency"), *((i, a.get("mens"), a["recency"]) for i, a in UNITS)], "\t")
    assert shop(shop.csv(body), "out.csv", "--delimiter", r"\t").exit_code == 0
    assert rows_of(shop.folder / "out.csv", "\t") == shop.by_api(UNITS)


@pytest.mark.parametrize("typed", [";;", r"\n", '"', ""])
def test_a_delimiter_is_one_character(shop: Shop, typed: str) -> None:
    refused = shop(shop.csv(CSV), "out.csv", "--delimiter", typed)
    assert (refused.exit_code, "'--delimiter': One character is wanted." in refused.stderr) == (2, True)


@pytest.mark.parametrize("command", [("segments", "import"), ("import", "customers")], ids=" ".join)
def test_other_commands_with_lists_say_the_same(shop: Shop, command: tuple[str, str]) -> None:
    source = Source(key="crm", name="CRM", kind=SourceKind.FIRST_PARTY, precedence=0)
    shop.winnow.author.sources.create(source, actor="test")
    shop.winnow.author.attributes.create(Attribute(key="city", name="City", type=AttributeType.TEXT), actor="test")
    more = ("--as", "vips") if command[0] == "segments" else ("--source", "crm")

    def run(text: str, *delimiter: str) -> tuple[int, str]:
        arguments = [*command, str(shop.csv(text)), *more, *delimiter]
        done = CliRunner(env={"WINNOW_DATABASE_URL": shop.url}).invoke(main, arguments)
        return done.exit_code, done.stderr

    assert run("unit_id\tcity\nu1\tBonn\n") == (1, NOWHERE + cut(r"'\t'"))
    assert run("unit_id\tcity\nu1\tBonn\n", "--delimiter", r"\t")[0] == 0


def test_what_was_not_cut_has_no_delimiter(shop: Shop) -> None:
    shop.start()
    with pytest.raises(InvalidInput) as refusal:
        check_id_column(["a || b"], "unit_id", "the query")
    assert refusal.value.message.endswith(f"in the query. {WHICH.strip()}")
    path: Path = shop.folder / "list.parquet"
    pq.write_table(pa.table({"a;b": ["u1"]}), path)
    more = ["segments", "import", str(path), "--as", "vips"]
    told = CliRunner(env={"WINNOW_DATABASE_URL": shop.url}).invoke(main, more).stderr
    assert told == NOWHERE.replace("list.csv", "list.parquet") + WHICH
