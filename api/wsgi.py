"""What the web server loads: `granian --interface wsgi api.wsgi:app`."""

from __future__ import annotations

from api import logs
from api.app import create_app
from api.catalog_poller import CatalogPoller
from experiments.settings import Settings

_settings = Settings.from_environment()
logs.configure(level=_settings.log_level, as_json=_settings.log_json)
app = create_app(_settings)
_poller = CatalogPoller(app.extensions["winnow"].catalog, _settings.catalog_poll_seconds)
_poller.start()
app.extensions["metrics"].watch(_poller.numbers)
