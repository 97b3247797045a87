"""What a process counts, and how Prometheus reads the sum over all processes of a server."""

from __future__ import annotations

from api.metrics.hook import register

__all__ = ["register"]
