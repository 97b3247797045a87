"""Every request that Flask answers is counted."""

from __future__ import annotations

import time
from pathlib import Path

from flask import Flask, Response, g, request

from api.metrics.metrics import Metrics
from api.metrics.shared import Shared
from experiments.settings import Settings


def register(app: Flask, settings: Settings) -> None:
    """Count in `app.extensions["metrics"]`, and share it where the settings name a folder."""
    metrics = Metrics()
    app.extensions["metrics"] = metrics
    app.extensions["shared_metrics"] = None
    if settings.metrics_folder:
        shared = Shared(metrics, Path(settings.metrics_folder))
        app.extensions["shared_metrics"] = shared
        shared.start()

    def begin() -> None:
        g.counted_from = time.perf_counter()

    def end(response: Response) -> Response:
        rule = request.url_rule.rule if request.url_rule is not None else None
        began = g.get("counted_from")
        seconds = 0.0 if began is None else time.perf_counter() - began
        metrics.requests.route(request.method, rule).observe(response.status_code, seconds)
        return response

    app.before_request(begin)
    app.after_request(end)
