"""`winnow inbox`, `approve`, `reject` and `timeline`: what waits for a person, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from experiments.cli.console import out
from experiments.cli.tables import NONE, chance
from experiments.cli.wired import ACTOR, wired
from experiments.domain.evidence import Evidence, Live
from experiments.domain.promotion import Promotion, PromotionState, PromotionStep
from experiments.domain.wording import percent

PAGE = 100
_TITLES = (
    "promotion",
    "experiment",
    "segment",
    "variant",
    "predicted",
    "surely above",
    "chance to be best",
    "since (UTC)",
)


@click.command()
@click.option("--experiment", help="Only of this experiment.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in PromotionState]),  # click names members of an enum otherwise
    default=PromotionState.PROPOSED.value,
    show_default=True,
    help="Promotions in another state.",
)
def inbox(experiment: str | None, state: str) -> None:
    """List the promotions that wait for a person, newest first."""
    page = wired().promoter.history(experiment=experiment, state=PromotionState(state), after=None, limit=PAGE)
    if not page.items:
        click.echo(f"Nothing is {state}.")
        return
    out().print(inbox_table(page.items))
    for promotion in page.items:
        click.echo(f"{promotion.id}: {promotion.evidence.verdict}")
    if page.next_after:
        click.echo(f"Only the newest {PAGE} are shown.")


@click.command()
@click.argument("promotion_id", metavar="PROMOTION_ID")
@click.option("--reason", default="", help="Kept in the audit trail.")
def approve(promotion_id: str, reason: str) -> None:
    """Let a proposal go live: now, or in quiet hours as soon as they are over."""
    promotion = wired().promoter.approve(promotion_id, note=reason, actor=ACTOR)
    last = promotion.steps[-1]
    if last.share_bp is None:
        click.echo(f"{promotion.variant} is approved for {promotion.segment}; it goes live after the quiet hours.")
        return
    elsewhere = wired().author.get(promotion.experiment).definition.is_split_elsewhere
    what = "decided" if elsewhere else "live"
    click.echo(
        f"{promotion.variant} is {what} for {last.share_bp / 100:g}% of {promotion.segment} ({promotion.state})."
    )


@click.command()
@click.argument("promotion_id", metavar="PROMOTION_ID")
@click.option("--reason", required=True, help="Kept in the audit trail.")
def reject(promotion_id: str, reason: str) -> None:
    """Turn a proposal down: its variant is not proposed there again."""
    promotion = wired().promoter.reject(promotion_id, reason=reason, actor=ACTOR)
    click.echo(f"{promotion.variant} is rejected for {promotion.segment}.")


@click.command()
@click.argument("promotion_id", metavar="PROMOTION_ID")
def timeline(promotion_id: str) -> None:
    """Show every step of a promotion, and what it has come to."""
    promoter = wired().promoter
    promotion = promoter.get(promotion_id)
    click.echo(f"{promotion.variant} in {promotion.segment} of {promotion.experiment}: {promotion.state}")
    out().print(_steps(promotion.steps))
    now = promoter.present_evidence(promotion_id) or promotion.steps[-1].evidence
    if now is not None and now.live is not None:
        click.echo(realised_so_far(now, now.live, promotion.steps))


def realised_so_far(now: Evidence, live: Live, steps: Sequence[PromotionStep]) -> str:
    """Say what has come of it; right after a new share, what was known when that was given as well.

    Decisions begin anew with each share; who reads would think that nothing was known of the last one either.
    """
    found = (step.evidence for step in reversed(steps) if step.evidence is not None)
    before = next(((one, one.live) for one in found if one.live is not None and one.live.units), None)
    if live.units or before is None:
        return realised_sentence(now, live)
    sentence = realised_sentence(*before)
    return (
        f"At {live.share_bp / 100:g}% nobody was counted yet; at {before[1].share_bp / 100:g}%: "
        f"{sentence[0].lower()}{sentence[1:]}"
    )


def realised_sentence(evidence: Evidence, live: Live) -> str:
    """Say what was predicted and what has come of it."""
    if live.gain is None or live.gain_low is None or live.gain_high is None:
        counted = ", ".join(f"{units:,} saw {variant}" for variant, units in live.units) or "nobody was counted yet"
        return f"Predicted {_percent(live.predicted_gain)}; too early to say what came of it: {counted}."
    return (
        f"Predicted {_percent(live.predicted_gain)}; realised so far {_percent(live.gain)}, "
        f"surely between {_percent(live.gain_low)} and {_percent(live.gain_high)} "
        f"(data until {evidence.watermark_at:%Y-%m-%d %H:%M} UTC)."
    )


def inbox_table(promotions: Iterable[Promotion]) -> Table:
    """`predicted` is corrected for having been picked; the verdict's sentence tells what was seen."""
    table = Table(box=SIMPLE_HEAD)
    for title in _TITLES:
        table.add_column(title, no_wrap=title in ("promotion", "since (UTC)"))
    for one in promotions:
        evidence = one.evidence
        belief = evidence.belief_in(one.variant)
        table.add_row(
            one.id,
            one.experiment,
            one.segment,
            one.variant,
            _percent(evidence.predicted_gain),
            _percent(evidence.gain_low),
            chance(belief.chance_to_be_best if belief else None),
            f"{one.steps[-1].at:%Y-%m-%d %H:%M}",
        )
    return table


def _steps(steps: Iterable[PromotionStep]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for title in ("when (UTC)", "step", "by", "share", "why", "evidence"):
        table.add_column(title, no_wrap=title in ("when (UTC)", "step", "evidence"))
    for step in steps:
        table.add_row(
            f"{step.at:%Y-%m-%d %H:%M}",
            step.state,
            step.by,
            f"{step.share_bp / 100:g}%" if step.share_bp is not None else "",
            step.note or "; ".join(reason.message for reason in step.reasons),
            (step.evidence_sha256 or "")[:12],
        )
    return table


def _percent(value: float | None) -> str:
    return NONE if value is None else percent(value, 1, sign=True)
