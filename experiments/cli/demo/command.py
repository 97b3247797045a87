"""`winnow demo`."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from experiments.cli.console import out, progress_bar
from experiments.cli.demo import show, story
from experiments.cli.demo.customers import VISIT_RATES, Crowd, Recorded, Simulated
from experiments.cli.demo.http import Api
from experiments.cli.demo.place import HOST, Place, prepare
from experiments.cli.demo.processes import Child, running, wait_until_ready
from experiments.cli.demo.setup import Setup, from_plan, spring_email
from experiments.cli.replay import load_plan
from experiments.services.replaying.file import WideFile
from experiments.services.replaying.replay import check_rows
from experiments.settings import ROOT

_File = click.Path(exists=True, dir_okay=False, path_type=Path)
_PLAN = ROOT / "examples" / "hillstrom.toml"


@click.command()
@click.option("--once", is_flag=True, help="End when all is told, instead of serving on.")
@click.option("--csv", "csv_file", type=_File, help="Real customers from this file instead of simulated ones.")
@click.option("--plan", "plan_file", type=_File, default=_PLAN, help="What its columns mean; examples/hillstrom.toml.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port of the server; a free one by default.")
@click.option("--customers", type=click.IntRange(100, 1_000_000), default=64_000, show_default=True)
@click.option("--seed", type=int, default=2_008, show_default=True, help="Of the simulation.")
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), help="Where to put it; new in var/demo.")
def demo(
    *, once: bool, csv_file: Path | None, plan_file: Path, port: int, customers: int, seed: int, folder: Path | None
) -> None:
    """Run an experiment from its start to promoted winners, through the public HTTP API.

    Everything is new: a database, a server and a worker of its own. Afterwards the pages are served until Ctrl-C.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    console, began = out(), time.monotonic()
    play = _recorded(csv_file, plan_file) if csv_file else _simulated(customers, seed)
    place = prepare(folder, port)
    with ExitStack() as children:
        arguments = ["serve", "--host", HOST, "--port", str(place.port)]
        server = children.enter_context(running("server", arguments, place.log("server"), place.environment))
        wait_until_ready(server, place.address)
        console.print(f"A server of its own listens on {place.address}.")
        _Telling(console, play, place, children).tell()
        console.print(f"\nDone in {time.monotonic() - began:.0f} seconds.")
        if not once:
            _serve_on(console, server, place.link_to(f"/experiments/{play.setup.key}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Play:
    """What is played; `note` is what the audience should know."""

    setup: Setup
    crowd: Crowd
    note: str
    truth: show.Truth | None = None


def _simulated(customers: int, seed: int) -> _Play:
    return _Play(
        setup=spring_email(),
        crowd=Simulated(count=customers, seed=seed),
        note=f"{customers:,} simulated customers, two weeks in a minute (its plan asks for no minimum duration).",
        truth=VISIT_RATES,
    )


def _recorded(csv_file: Path, plan_file: Path) -> _Play:
    plan = load_plan(plan_file)
    file = WideFile(csv_file, plan)
    with progress_bar("Checking the file") as tell:
        count = check_rows(file, lambda step, done, total: tell(done, total), 1)
    return _Play(
        setup=from_plan(plan),
        crowd=Recorded(count=count, file=file),
        note=f"{count:,} real customers of {csv_file.name}, who saw what the file says.",
    )


class _Telling:
    def __init__(self, console: Console, play: _Play, place: Place, children: ExitStack) -> None:
        self._console = console
        self._play = play
        self._place = place
        self._children = children
        self._admin = Api(place.address, place.admin_key)
        self._browser = Api(place.address, place.browser_key)

    def tell(self) -> None:
        """Play it all, step by step."""
        setup, console = self._play.setup, self._console
        version = story.declare(self._admin, setup)
        story.wait_for_catalog(self._browser, setup.key)
        console.print(f"Experiment {setup.key!r} runs: {self._play.note}")
        seen = self._live(version)
        report = self._results()
        show.show_results(console, setup, report)
        proposals, made = story.promote(self._admin, setup.key)
        show.show_promotions(console, setup, proposals, made)
        for promotion in made:
            self._show_change(seen, promotion["segment"], promotion["variant"])
        if self._play.truth is not None:
            show.show_truth(console, setup, report, self._play.truth)

    def _live(self, version: int) -> dict[str, story.Seen]:
        began = time.monotonic()
        with progress_bar("Customers", "customers") as tell:
            seen = story.live(
                self._browser, story.Running(setup=self._play.setup, version=version), self._play.crowd, tell
            )
        seconds, count = time.monotonic() - began, self._play.crowd.count
        rate = f"{count / seconds:,.0f} a second"
        self._console.print(f"{count:,} customers in {seconds:.0f} seconds ({rate}), over HTTP.")
        return seen

    def _results(self) -> show.Doc:
        since, place = datetime.now(UTC), self._place
        story.wait_until_stored(place.spool_folder)
        arguments = ["worker", "--interval", "2"]
        worker = self._children.enter_context(running("worker", arguments, place.log("worker"), place.environment))
        results = story.wait_for_results(self._admin, self._play.setup.key, since, worker)
        snapshot, report = results["snapshot"], results["report"]
        if report["units"] != self._play.crowd.count:
            raise story.incomplete(report["units"], self._play.crowd.count)
        took = (datetime.now(UTC) - since).total_seconds()
        self._console.print(f"A worker computed snapshot {snapshot['id']} in {took:.0f} seconds.")
        return dict(report)

    def _show_change(self, seen: dict[str, story.Seen], segment: str, winner: str) -> None:
        """Take a customer who saw something else, and show that it sees the winner by now, unless it is held back."""
        names = self._play.setup.variant_names
        for entry in seen.values():
            if entry.segment == segment and entry.variant != winner:
                now = story.shown_now(self._browser, self._play.setup.key, entry)
                if now == winner:
                    told = (
                        f"  {entry.customer.unit_id} saw {names[entry.variant]!r} and sees {names[now]!r} from now on."
                    )
                    self._console.print(told, markup=False)
                    return
        raise story.not_promoted(segment, winner)


def _serve_on(console: Console, server: Child, link: str) -> None:
    try:
        console.print("Have a look (the link signs you in once, within ten minutes; Ctrl-C ends the demo):")
        console.print(link, soft_wrap=True, markup=False)
        server.wait()
    except KeyboardInterrupt:
        console.print("Good bye.")
        return
    server.check()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
