"""`winnow promote` and `winnow revert`: put winners live, and take them back."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from experiments.cli.console import err, out
from experiments.cli.wired import ACTOR, wired
from experiments.domain.decision import Action
from experiments.domain.errors import PromotionRefused
from experiments.domain.promotion import Promotion, split_of
from experiments.services.promoting.promote import Promoter
from experiments.services.promoting.proposals import Proposal


@click.command()
@click.argument("key")
@click.option("--segment", help="Only this segment; where its policy says no, the exit code is 1.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
def promote(key: str, segment: str | None, dry_run: bool) -> None:
    """Put the winner live in each segment whose evidence the policy accepts."""
    promoter, author = wired().promoter, wired().author
    proposals = promoter.propose(key, segment)
    if dry_run:
        out().print(_table(proposals))
        click.echo("Dry run: nothing was changed.")
        return
    chosen = [p.segment for p in proposals if segment or (p.decision.action is Action.PROMOTE and not _declined(p))]
    for proposal in proposals if not segment else ():
        if proposal.decision.action is Action.PROMOTE and _declined(proposal):
            name = proposal.segment
            click.echo(
                f"{name}: {proposal.decision.variant} was rejected or taken back here; "
                f"name it with --segment {name} to put it live all the same."
            )
    # All of it first: who reads may go away (`| head`) after the first line.
    live, refused = _apply(promoter, key, chosen)
    out().print(_table(proposals))
    for name, refusal in refused:
        err().print(f"winnow: {refusal.code}: {name}: {refusal.message}", soft_wrap=True, markup=False)
    elsewhere = bool(live) and author.get(key).definition.is_split_elsewhere
    for promotion in live:
        what = "is decided for" if elsewhere else "is live in"
        click.echo(f"{promotion.variant} {what} {promotion.segment} (promotion {promotion.id}).")
    if elsewhere:
        click.echo("Another system decides who sees what: it has to carry that out.")
    if not chosen:
        click.echo("Nothing to promote.")
    if refused:
        raise SystemExit(1)


def _declined(proposal: Proposal) -> bool:
    return proposal.decision.variant in proposal.evidence.declined


def _apply(
    promoter: Promoter, key: str, segments: Sequence[str]
) -> tuple[list[Promotion], list[tuple[str, PromotionRefused]]]:
    live, refused = [], []
    for name in segments:
        try:
            live.append(promoter.apply(key, name, actor=ACTOR))
        except PromotionRefused as refusal:
            refused.append((name, refusal))
    return live, refused


@click.command()
@click.argument("promotion_id", metavar="PROMOTION_ID")
@click.option("--reason", required=True, help="Kept in the audit trail.")
def revert(promotion_id: str, reason: str) -> None:
    """Take a promotion back: the segment's split is again what it was, bucket for bucket."""
    promotion = wired().promoter.revert(promotion_id, reason=reason, actor=ACTOR)
    click.echo(f"{promotion.variant} is not live in {promotion.segment} any more.")


def _table(proposals: Sequence[Proposal]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for title in ("segment", "action", "new split", "why"):
        table.add_column(title, no_wrap=title in ("segment", "action"))
    for proposal in proposals:
        first, *others = proposal.decision.reasons
        table.add_row(
            proposal.segment,
            proposal.decision.action,
            split_of(proposal.allocation_after) if proposal.allocation_after else "–",
            first.message + (f" (and {len(others)} more)" if others else ""),
        )
    return table
