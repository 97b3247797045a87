"""`winnow webhooks`: who is told what happens."""

from __future__ import annotations

import click
from rich.table import Table

from experiments.cli.console import err, out
from experiments.cli.pages import whole
from experiments.cli.wired import ACTOR, wired
from experiments.domain.delivery import DeliveryState
from experiments.domain.notice import NoticeKind
from experiments.domain.webhook import SUBSCRIBABLE
from experiments.services.notices.webhooks import NewSecret, WebhookWish

_KINDS = [str(kind) for kind in NoticeKind if kind in SUBSCRIBABLE]
_ID = click.argument("webhook_id", metavar="ID")
PAGE = 100


@click.group()
def webhooks() -> None:
    """Tell other systems what happens, and send again what did not reach them."""


@webhooks.command()
@click.argument("url")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(_KINDS),
    help="Which notices; may be given several times. All of them, where it is left out.",
)
def add(url: str, kinds: tuple[str, ...]) -> None:
    """Add a webhook and print its secret: the only time that it can be seen."""
    wanted = frozenset(NoticeKind(kind) for kind in kinds or _KINDS)
    _show(wired().webhooks.create(WebhookWish(url=url, kinds=wanted), actor=ACTOR))


@webhooks.command(name="list")
def list_() -> None:
    """List all webhooks, without their secrets."""
    table = Table("id", "address", "kinds", "active", "created")
    for stored in whole(wired().webhooks.page):
        one = stored.value
        active = "yes" if one.active else "no"
        table.add_row(one.id, one.url, " ".join(sorted(one.kinds)), active, f"{one.created_at:%Y-%m-%d %H:%M}")
    out().print(table)


@webhooks.command()
@_ID
def remove(webhook_id: str) -> None:
    """Forget a webhook, and all that was to be sent to it."""
    wired().webhooks.remove(webhook_id, actor=ACTOR)
    click.echo(f"Webhook {webhook_id} is removed.")


@webhooks.command()
@_ID
def enable(webhook_id: str) -> None:
    """Switch a webhook on."""
    wired().webhooks.set_active(webhook_id, True, actor=ACTOR)
    click.echo(f"Webhook {webhook_id} is on.")


@webhooks.command()
@_ID
def disable(webhook_id: str) -> None:
    """Switch a webhook off; what waits for it becomes dead letters."""
    wired().webhooks.set_active(webhook_id, False, actor=ACTOR)
    click.echo(f"Webhook {webhook_id} is off.")


@webhooks.command()
@_ID
def rotate(webhook_id: str) -> None:
    """Make another secret and print it; for a day everything is signed with the old one too."""
    _show(wired().webhooks.rotate(webhook_id, actor=ACTOR))


@webhooks.command()
@_ID
def test(webhook_id: str) -> None:
    """Send a test notice to one webhook; the worker does so within seconds, or a minute after it failed to reach it."""
    letter = wired().webhooks.test(webhook_id, actor=ACTOR)
    click.echo(f"Delivery {letter.delivery.id} is in the outbox.")


@webhooks.command()
@click.option(
    "--state",
    type=click.Choice([state.value for state in DeliveryState]),  # click names members of an enum otherwise
    help="Only these: on their way (pending), delivered, or given up (dead).",
)
def deliveries(state: str | None) -> None:
    """List what is to be sent and what was, newest first: to webhooks and by e-mail, with what went wrong."""
    services = wired().webhooks
    page = services.deliveries(state=DeliveryState(state) if state else None, after=None, limit=PAGE)
    hosts = {stored.value.id: stored.value.host for stored in whole(services.page)}
    table = Table("delivery", "target", "notice", "state", "attempts", "next attempt (UTC)", "last error")
    for letter in page.items:
        one = letter.delivery
        target = f"{one.target}\n{hosts[one.target]}" if one.target in hosts else one.target
        due = f"{one.next_attempt_at:%Y-%m-%d %H:%M}" if one.state is DeliveryState.PENDING else None
        table.add_row(str(one.id), target, letter.notice.kind, one.state, str(one.attempts), due, one.last_error)
    out().print(table)
    if page.next_after:
        click.echo(f"Only the newest {PAGE} are shown; GET /v1/webhooks/deliveries has them all.")


@webhooks.command()
def dead() -> None:
    """List what was given up, newest first."""
    table = Table("delivery", "target", "notice", "title", "attempts", "error", "given up")
    for letter in whole(wired().webhooks.deliveries, state=DeliveryState.DEAD):
        one, told = letter.delivery, letter.notice
        when = f"{one.updated_at:%Y-%m-%d %H:%M}"
        table.add_row(str(one.id), one.target, told.kind, told.title, str(one.attempts), one.last_error, when)
    out().print(table)


@webhooks.command()
@click.argument("delivery_id", metavar="DELIVERY", type=click.IntRange(1))
def redeliver(delivery_id: int) -> None:
    """Send a dead letter again, with all attempts before it."""
    wired().webhooks.redeliver(delivery_id, actor=ACTOR)
    click.echo(f"Delivery {delivery_id} is in the outbox again.")


def _show(made: NewSecret) -> None:
    err().print(f"Webhook {made.stored.value.id}; its secret is not shown again:")
    click.echo(made.secret)
