"""`winnow assign`: files and folders of others are never written over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.lists.shop import CSV, Shop, interrupt


@pytest.mark.parametrize("link", [None, Path.symlink_to, Path.hardlink_to], ids=["itself", "symbolic", "hard"])
def test_the_list_is_never_written_over(shop: Shop, link: Any) -> None:
    shop.start()
    file = shop.csv(CSV)
    out = file.with_name("other.csv") if link else file
    if link:
        link(out, file)
    before = file.read_bytes()
    refused = shop(file, out.name, "--restart")
    assert (refused.exit_code, refused.stderr[:25]) == (1, "winnow: output_is_input: ")
    assert file.read_bytes() == before


@pytest.mark.parametrize("link", [None, Path.symlink_to, Path.hardlink_to], ids=["itself", "symbolic", "hard"])
@pytest.mark.parametrize("more", [(), ("--restart",)])
def test_nor_is_it_with_what_was_rejected(shop: Shop, link: Any, more: tuple[str, ...]) -> None:
    shop.start()
    rejected = shop.folder / "out.csv.rejected.csv"
    file = shop.csv(CSV, "list.csv" if link else rejected.name)
    if link:
        link(rejected, file)
    refused = shop(file, "out.csv", *more)
    assert (refused.exit_code, refused.stderr[:47]) == (1, "winnow: output_is_input: out.csv.rejected.csv, ")
    assert rejected.read_bytes() == file.read_bytes() == CSV.encode()


@pytest.mark.parametrize("is_link", [False, True])
def test_nor_is_a_list_among_the_parts(shop: Shop, is_link: bool) -> None:
    shop.start()
    interrupt(shop, shop.csv(CSV), "out.csv", 100)
    file = shop.folder / "out.csv.parts" / "000001.csv"
    file.write_bytes(CSV.encode())
    named = shop.folder / "link.csv" if is_link else file
    if is_link:
        named.symlink_to(file)
    refused = shop(named, "out.csv", "--restart")
    assert (refused.exit_code, refused.stderr[:25]) == (1, "winnow: output_is_input: ")
    assert file.read_bytes() == CSV.encode()


@pytest.mark.parametrize(
    "names", [("notes.txt",), ("000000.csv",), ("lock", "notes.txt"), ("manifest.json", "icon.png"), ("deeper/a.csv",)]
)
@pytest.mark.parametrize("more", [(), ("--restart",)])
def test_a_folder_that_somebody_else_made_is_refused_and_left(
    shop: Shop, names: tuple[str, ...], more: tuple[str, ...]
) -> None:
    shop.start()
    folder = shop.folder / "out.csv.parts"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}", encoding="utf-8")
    refused = shop(shop.csv(CSV), "out.csv", *more)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("winnow: parts_not_ours: out.csv.parts is there and ")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == sorted(names)
    assert {(folder / name).read_text(encoding="utf-8") for name in names} == {"{}"}


@pytest.mark.parametrize("kind", ["file", "link"])
def test_neither_a_file_nor_a_link_is_a_folder_of_ours(shop: Shop, kind: str) -> None:
    shop.start()
    parts = shop.folder / "out.csv.parts"
    if kind == "file":
        parts.write_text("mine", encoding="utf-8")
    else:
        parts.symlink_to(shop.folder / "nowhere")
    assert shop(shop.csv(CSV), "out.csv").stderr.startswith("winnow: parts_not_ours: ")
    assert shop.left() == ["list.csv", "out.csv.parts"]


@pytest.mark.parametrize("left", [(), ("lock",)])
def test_what_a_run_leaves_that_ends_before_its_first_word_is_taken_over(shop: Shop, left: tuple[str, ...]) -> None:
    shop.start()
    folder = shop.folder / "out.csv.parts"
    folder.mkdir()
    for name in left:
        (folder / name).touch()
    assert shop(shop.csv(CSV), "out.csv").exit_code == 0
    assert shop.left() == ["list.csv", "out.csv"]


def test_what_a_run_leaves_that_ends_while_it_clears_up_is_taken_over(shop: Shop) -> None:
    shop.start()
    file = shop.csv(CSV)
    interrupt(shop, file, "out.csv", 100)
    (shop.folder / "out.csv.parts" / "manifest.json").unlink()
    assert shop(file, "out.csv").exit_code == 0
    assert shop.left() == ["list.csv", "out.csv"]


def test_what_others_put_among_the_parts_stays(shop: Shop) -> None:
    shop.start()
    file = shop.csv(CSV)
    interrupt(shop, file, "out.csv", 100)
    notes = shop.folder / "out.csv.parts" / "notes.txt"
    notes.write_text("mine", encoding="utf-8")
    assert shop(file, "out.csv", "--batch", "50").exit_code == 0
    assert [path.name for path in notes.parent.iterdir()] == ["notes.txt"]
    assert shop(file, "out.csv", "--restart").stderr.startswith("winnow: parts_not_ours: ")
    assert notes.read_text(encoding="utf-8") == "mine"
