"""What the web server loads: `granian --interface wsgi api.wsgi:app`."""

from __future__ import annotations

import gc
from multiprocessing.util import Finalize

from api import logs
from api.app import create_app
from api.catalog_poller import CatalogPoller
from api.lane.direct import answer_directly
from api.metrics.spooled import spool_numbers
from experiments.bootstrap import build, change_feed
from experiments.settings import Settings

STOP_SECONDS = 4
"""How long the end of a process may wait for the database to take what is still in the spool."""

_settings = Settings.from_environment()
logs.configure(level=_settings.log_level, as_json=_settings.log_json)
_spooled = _settings.spool and _settings.database_url != "memory://"
_winnow = build(_settings, spooled=_spooled)
app = create_app(winnow=_winnow)
_metrics = app.extensions["metrics"]
if _winnow.spool is not None:
    # Not `atexit`: the server's processes are forked, and what is registered there does not run when one ends.
    Finalize(None, _winnow.spool.close, kwargs={"within_seconds": STOP_SECONDS}, exitpriority=1)
    _metrics.watch(spool_numbers(_winnow.spool))
    answer_directly(app, _winnow.spool.append_lines_later)
_poller = CatalogPoller(
    _winnow.catalog,
    change_feed(_settings),
    _settings.catalog_poll_seconds,
    caches=(*_winnow.caches.every, _winnow.file_scrubber),
)
_poller.start()
_metrics.watch(_poller.numbers)
for _cache in _winnow.caches.every:
    _metrics.watch(_cache.numbers)

# What stands now stands as long as the process: who collects garbage between requests need not look through it again.
gc.collect()
gc.freeze()
