"""Composition root: settings in, services out. The only module that knows all the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from experiments.services.advance import Advancer
from experiments.services.alerts import Alerter
from experiments.services.assign import Assigner
from experiments.services.author import Author
from experiments.services.catalog import Catalog, CatalogHolder
from experiments.services.deliver import Deliverer
from experiments.services.growthbook_eval import RemoteEvaluator
from experiments.services.keys import Keys
from experiments.services.ports import ChangeFeed, Clock, OpenUnitOfWork
from experiments.services.promote import Promoter
from experiments.services.published import Publisher
from experiments.services.record import Recorder
from experiments.services.results import Results
from experiments.services.sight import Sight
from experiments.services.sign_in import SignInLinks
from experiments.services.webhooks import Webhooks
from experiments.settings import Settings
from experiments.storage.unit_of_work import open_database


@dataclass(frozen=True, slots=True, kw_only=True)
class Winnow:
    """The services that requests use. What needs the numbers (`services.analyse`) is put on top by worker and CLI."""

    settings: Settings
    clock: Clock
    open_unit_of_work: OpenUnitOfWork
    catalog: CatalogHolder
    sight: Sight[Catalog]
    author: Author
    assigner: Assigner
    publisher: Publisher
    remote_evaluator: RemoteEvaluator
    recorder: Recorder
    results: Results
    promoter: Promoter
    advancer: Advancer
    alerter: Alerter
    keys: Keys
    sign_in_links: SignInLinks
    webhooks: Webhooks


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


def build(settings: Settings, *, open_unit_of_work: OpenUnitOfWork | None = None, clock: Clock = utc_now) -> Winnow:
    """Wire everything; the database is opened, not migrated. Tests pass stores in memory and a clock of their own."""
    opened = open_unit_of_work or open_database(settings.database_url).unit_of_work
    catalog, keys = CatalogHolder(opened), Keys(opened, clock)
    sight = Sight(catalog, lambda seen: seen)
    assigner = Assigner(sight, opened, clock)
    return Winnow(
        settings=settings,
        clock=clock,
        open_unit_of_work=opened,
        catalog=catalog,
        sight=sight,
        author=Author(catalog, opened, clock),
        assigner=assigner,
        publisher=Publisher(catalog),
        remote_evaluator=RemoteEvaluator(sight, assigner),
        recorder=Recorder(catalog, opened, clock),
        results=Results(opened),
        promoter=Promoter(catalog, opened, clock),
        advancer=Advancer(catalog, opened, clock),
        alerter=Alerter(opened, clock),
        keys=keys,
        sign_in_links=SignInLinks(keys, opened, clock),
        webhooks=Webhooks(opened, clock),
    )


def change_feed(settings: Settings) -> ChangeFeed:
    """Return what tells this process of changes that others made, on a connection of its own."""
    return open_database(settings.database_url).changes()


def deliverer(winnow: Winnow) -> Deliverer:
    """Return what sends the notices in the outbox, for the process that does so."""
    # Imported here: the processes that answer requests need no HTTP client.
    from experiments.senders.mail import Mail  # noqa: PLC0415
    from experiments.senders.post import Post  # noqa: PLC0415
    from experiments.senders.senders import Senders  # noqa: PLC0415

    wanted = winnow.settings
    mail = None
    if wanted.mail_server is not None and wanted.notify_emails:
        mail = Mail(
            wanted.mail_server,
            sender=wanted.notify_from,
            recipients=wanted.notify_emails,
            public_url=wanted.public_url,
        )
    return Deliverer(winnow.open_unit_of_work, winnow.clock, Senders(Post(wanted.public_url), mail))
