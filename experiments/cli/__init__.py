"""The command `winnow`. Each command calls one service; modules are imported when their command is."""

from __future__ import annotations

import click

from experiments.cli.group import CommandGroup, Entry
from experiments.settings import unknown_variables

COMMANDS = {
    "serve": Entry("experiments.cli.serve:serve", "Serve the HTTP API and the pages."),
    "worker": Entry("experiments.worker.command:worker", "Compute results and promote winners, again and again."),
    "spool": Entry("experiments.cli.spool:spool", "Show what was recorded and is not in the database yet."),
    "db": Entry("experiments.cli.database:database", "Migrate the database, or check that it is migrated."),
    "keys": Entry("experiments.cli.keys:keys", "Create, list and revoke API keys."),
    "webhooks": Entry("experiments.cli.webhooks:webhooks", "Tell other systems what happens, by signed webhooks."),
    "experiments": Entry("experiments.cli.experiments:experiments", "List, show, start, pause and stop experiments."),
    "metrics": Entry("experiments.cli.library:metrics", "List, show and add metrics."),
    "layers": Entry("experiments.cli.library:layers", "List, show and add layers."),
    "attributes": Entry("experiments.cli.library:attributes", "List, show and add what may be known of units."),
    "sources": Entry("experiments.cli.library:sources", "List, show and add who says what is known of units."),
    "segments": Entry("experiments.cli.segments:segments", "Make segments, and see what they are like."),
    "design": Entry("experiments.cli.design:design", "Say what an experiment needs, before it starts."),
    "prior": Entry("experiments.cli.prior:prior", "Learn from past experiments what lifts are like."),
    "analyse": Entry("experiments.cli.analyse:analyse", "Compute an experiment's results now."),
    "verify": Entry("experiments.cli.verify:verify", "Compute results, or a promotion's decisions, again and compare."),
    "inbox": Entry("experiments.cli.inbox:inbox", "List the promotions that wait for a person."),
    "approve": Entry("experiments.cli.inbox:approve", "Let a proposed promotion go live."),
    "reject": Entry("experiments.cli.inbox:reject", "Turn a proposed promotion down."),
    "promote": Entry("experiments.cli.promote:promote", "Put the winners of an experiment live."),
    "revert": Entry("experiments.cli.promote:revert", "Take a promotion back."),
    "timeline": Entry("experiments.cli.inbox:timeline", "Show every step of a promotion, and what it has come to."),
    "assign": Entry("experiments.cli.assign:assign", "Say for a whole list of customers what each of them sees."),
    "import": Entry("experiments.cli.import_customers:importing", "Take over what other systems know of customers."),
    "customers": Entry(
        "experiments.cli.customers:customers", "Say who is who and who consents; erase people, with a receipt."
    ),
    "replay": Entry("experiments.cli.replay:replay", "Load the results of an experiment that ran elsewhere."),
    "demo": Entry("experiments.cli.demo.command:demo", "See all of it happen on simulated or real customers."),
}


def warn_of_unknown_variables() -> None:
    """Name on stderr what is set as ours and read by nobody: a slip there would go unnoticed otherwise."""
    for sentence in unknown_variables():
        click.echo(f"winnow: warning: {sentence}", err=True)


main = CommandGroup(
    name="winnow",
    callback=warn_of_unknown_variables,
    entries=COMMANDS,
    help="Winnow finds, for every customer segment, the content variant that wins, and puts it live.",
    epilog="The environment variables WINNOW_DATABASE_URL, WINNOW_SECRET_KEY, … say where and how.",
)
