"""Composition root: settings in, services out. The only module that knows all the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from experiments.domain.consent import ConsentMode
from experiments.domain.errors import InvalidInput
from experiments.services.analysing.results import Results
from experiments.services.assigning.assign import Assigner
from experiments.services.assigning.catalog import Catalog, CatalogHolder
from experiments.services.assigning.implied import ImpliedExposures
from experiments.services.assigning.sight import Sight
from experiments.services.authoring.author import Author
from experiments.services.caches import Caches
from experiments.services.consent.cache import ConsentCache
from experiments.services.consent.consents import Consents
from experiments.services.forgetting.erase import Eraser, Spools
from experiments.services.forgetting.files import FileScrubber
from experiments.services.identity.cache import IdentityCache
from experiments.services.identity.identify import Identifier
from experiments.services.keys import Keys
from experiments.services.limit import Limiter
from experiments.services.notices.alerts import Alerter
from experiments.services.notices.deliver import Deliverer
from experiments.services.notices.webhooks import Webhooks
from experiments.services.ports import ChangeFeed, Clock, OpenUnitOfWork, UnitOfWork
from experiments.services.profiles.cache import ProfileCache
from experiments.services.profiles.profiles import Profiles
from experiments.services.promoting.advance import Advancer
from experiments.services.promoting.promote import Promoter
from experiments.services.publishing.growthbook_eval import RemoteEvaluator
from experiments.services.publishing.published import Publisher
from experiments.services.recording.journal import DirectJournal
from experiments.services.recording.ports import Journal
from experiments.services.recording.record import Recorder
from experiments.services.segments.reports import SegmentReports
from experiments.services.sign_in import SignInLinks
from experiments.services.studies.studies import Studies
from experiments.settings import Settings
from experiments.spool.folder import spool_folder, spool_path
from experiments.spool.listing import drain_orphans
from experiments.spool.search import FolderSpools
from experiments.spool.spool import Spool
from experiments.storage.engine import identity
from experiments.storage.unit_of_work import open_database


@dataclass(frozen=True, slots=True, kw_only=True)
class Winnow:
    """The services that requests use. What needs the numbers (`services.analysing`) is put on top by worker and CLI."""

    settings: Settings
    clock: Clock
    open_unit_of_work: OpenUnitOfWork
    catalog: CatalogHolder
    sight: Sight[Catalog]
    author: Author
    assigner: Assigner
    profiles: Profiles
    caches: Caches
    identifier: Identifier
    eraser: Eraser
    file_scrubber: FileScrubber
    consents: Consents
    studies: Studies
    publisher: Publisher
    remote_evaluator: RemoteEvaluator
    recorder: Recorder
    results: Results
    segment_reports: SegmentReports
    promoter: Promoter
    advancer: Advancer
    alerter: Alerter
    keys: Keys
    limiter: Limiter | None
    sign_in_links: SignInLinks
    webhooks: Webhooks
    spool: Spool | None = None


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


def build(
    settings: Settings,
    *,
    open_unit_of_work: OpenUnitOfWork | None = None,
    clock: Clock = utc_now,
    spooled: bool = False,
) -> Winnow:
    """Wire everything; the database is opened, not migrated. Tests pass stores in memory and a clock of their own.

    `spooled`: what is recorded goes through a spool of this process, which is drained from now on.
    """
    opened = _with_consent(open_unit_of_work or open_database(settings.database_url).unit_of_work, settings.consent)
    catalog, keys = CatalogHolder(opened), Keys(opened, clock)
    spool = _spool(settings, opened) if spooled else None
    journal: Journal = spool or DirectJournal(opened)
    sight = Sight(catalog, lambda seen: seen)
    caches = Caches(
        consents=ConsentCache(opened, settings.consent),
        identities=IdentityCache(opened),
        profiles=ProfileCache(catalog, opened, clock),
    )
    has_folder = spool is not None or (open_unit_of_work is None and settings.database_url != "memory://")
    spools = _spools(settings, opened, spool) if has_folder else None
    assigner = Assigner(sight, ImpliedExposures(journal), clock, caches)
    return Winnow(
        settings=settings,
        clock=clock,
        open_unit_of_work=opened,
        catalog=catalog,
        sight=sight,
        author=Author(catalog, opened, clock),
        assigner=assigner,
        profiles=Profiles(opened, clock, caches.profiles.forget),
        caches=caches,
        identifier=Identifier(
            opened, clock, catalog, caches.identities, anonymous_prefixes=settings.anonymous_prefixes
        ),
        eraser=Eraser(opened, clock, caches.profiles.forget, spools, caches.identities.forget),
        file_scrubber=FileScrubber(opened),
        consents=Consents(opened, clock, caches.consents.catch_up),
        studies=Studies(opened, clock),
        publisher=Publisher(catalog),
        remote_evaluator=RemoteEvaluator(sight, assigner),
        recorder=Recorder(catalog, opened, journal, clock, caches),
        results=Results(opened),
        segment_reports=SegmentReports(opened),
        promoter=Promoter(catalog, opened, clock),
        advancer=Advancer(catalog, opened, clock),
        alerter=Alerter(opened, clock),
        keys=keys,
        limiter=_limiter(settings),
        sign_in_links=SignInLinks(keys, opened, clock),
        webhooks=Webhooks(opened, clock),
        spool=spool,
    )


def _with_consent(opened: OpenUnitOfWork, mode: ConsentMode) -> OpenUnitOfWork:
    if mode is ConsentMode.ASSUMED:
        return opened

    def open_unit_of_work(*, read_only: bool = False) -> UnitOfWork:
        work = opened(read_only=read_only)
        work.consent_mode = mode
        return work

    return open_unit_of_work


def _limiter(settings: Settings) -> Limiter | None:
    rate = settings.rate_limit_per_second
    return Limiter(rate, settings.rate_limit_burst or max(1, math.ceil(rate))) if rate else None


def _spool(settings: Settings, opened: OpenUnitOfWork) -> Spool:
    folder = spool_folder(settings.spool_dir, identity(settings.database_url))
    spool = Spool(folder, opened, max_bytes=settings.spool_max_bytes)
    spool.start()
    return spool


def make_spool_folder(settings: Settings) -> None:
    """Make the folder before processes start that need it. Raises InvalidInput that names the setting."""
    if not settings.spool or settings.database_url == "memory://":
        return
    try:
        spool_folder(settings.spool_dir, identity(settings.database_url))
    except OSError as error:
        raise InvalidInput(
            "setting_invalid",
            f"WINNOW_SPOOL_DIR cannot be used: {settings.spool_dir}: {error.strerror}.",
            path="/WINNOW_SPOOL_DIR",
        ) from None


def _spools(settings: Settings, opened: OpenUnitOfWork, spool: Spool | None) -> Spools:
    """Where this process drains none, files that nobody holds are emptied by whoever erases."""
    folder = spool_path(settings.spool_dir, identity(settings.database_url))

    def clean_orphans() -> None:
        for _ in drain_orphans(folder, opened):
            pass

    return FolderSpools(folder, clean_orphans if spool is None else spool.clean)


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
