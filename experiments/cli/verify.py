"""`winnow verify`: compute again what was concluded, and compare."""

from __future__ import annotations

import click

from experiments.cli.console import progress_bar
from experiments.cli.wired import wired
from experiments.services.analysing.analyse import Analyst
from experiments.services.promoting.verify import StepVerification, verify_promotion

ERASED_EXIT_CODE = 3


@click.command()
@click.argument("key", required=False)
@click.option("--promotion", "promotion_id", help="A promotion's decisions, instead of an experiment's latest results.")
def verify(key: str | None, promotion_id: str | None) -> None:
    """Compute the latest snapshot of an experiment again from the rows it saw; or decide a promotion's steps again.

    The exit code is 1 where anything differs, and 3 where that cannot be told: people were erased since, or rows are
    gone by retention.
    """
    if (key is None) == (promotion_id is None):
        raise click.UsageError("Name an experiment, or a promotion with --promotion.")
    same = _snapshot(key) if key is not None else _promotion(promotion_id or "")
    if not same:
        raise SystemExit(1)


def _snapshot(key: str) -> bool:
    winnow = wired()
    with progress_bar(f"Reading {key}") as tell:
        found = Analyst(winnow.open_unit_of_work, winnow.clock).verify(key, progress=tell)
    if found.identical:
        click.echo(f"Snapshot {found.snapshot_id} is identical: {found.stored_sha256}")
    elif found.intact and (found.erased_since or found.expired_since):
        why = [f"{found.erased_since:,} people were erased"] if found.erased_since else []
        why += [f"{found.expired_since:,} runs of retention deleted old rows"] if found.expired_since else []
        click.echo(
            f"Snapshot {found.snapshot_id} is what was hashed when it was made ({found.stored_sha256}). It cannot be "
            f"computed again: since then {' and '.join(why)}."
        )
        raise SystemExit(ERASED_EXIT_CODE)
    else:
        click.echo(
            f"Snapshot {found.snapshot_id} differs: stored {found.stored_sha256} by engine {found.stored_engine}, "
            f"computed now {found.recomputed_sha256} by engine {found.present_engine}."
        )
    return found.identical


def _promotion(promotion_id: str) -> bool:
    found = verify_promotion(wired().open_unit_of_work, promotion_id)
    for step in found.steps:
        click.echo(f"Step {step.number}, {step.state}: {_said(step)} (evidence {step.evidence_sha256})")
    click.echo(f"Promotion {promotion_id} {'holds' if found.holds else 'does not hold'}.")
    return found.holds


def _said(step: StepVerification) -> str:
    if not step.same_hash:
        return "the stored evidence is not what was hashed"
    if not step.same_answer:
        return "deciding again gives another answer"
    if step.same_evidence is None:
        return "same answer, same hash; its snapshot is not kept any more"
    return "same answer, same hash" if step.same_evidence else "its snapshot gives other evidence now"
