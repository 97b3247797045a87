"""`winnow prior`: what past experiments say about the lifts of the next one."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from experiments.cli.wired import wired
from experiments.services.analysing.prior import Learner


@click.command()
@click.argument("metric")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON; `prior` is what `lift_prior` takes.")
def prior(metric: str, as_json: bool) -> None:
    """Learn a prior of the lift from all finished experiments that METRIC decided, failures included.

    Write it into `analysis.lift_prior` of the next experiment: there it is frozen with the start, so that results never
    depend on what else is stored later. It shapes the chances to be best, never a verdict.
    """
    found = Learner(wired().open_unit_of_work).learn(metric)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
        return
    click.echo(f"Finished experiments with {metric}: {len(found.experiments)}")
    if found.prior is None:
        click.echo(f"Nothing to learn from them: {found.reason}")
        return
    click.echo(f"mean = {found.prior.mean:.4g}, std_dev = {found.prior.std_dev:.4g}")
    click.echo(
        f"Lifts of {100 * found.prior.mean:+.1f} %, give or take {100 * found.prior.std_dev:.1f}. Write it into "
        "analysis.lift_prior of the next experiment."
    )
