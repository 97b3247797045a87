"""Logs: structured lines through the standard library, silent where nobody set logging up."""

from __future__ import annotations

import logging

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter

_STAMPED: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def logger(name: str) -> BoundLogger:
    """Return a logger of that name under the standard library's."""
    made: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=BoundLogger,
        processors=[structlog.stdlib.filter_by_level, *_STAMPED, ProcessorFormatter.wrap_for_formatter],
    )
    return made


def configure(*, level: str, as_json: bool) -> None:
    """Send everything to standard error. For processes that serve."""
    rendered: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    )
    steps: list[structlog.typing.Processor] = [
        ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        rendered,
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(ProcessorFormatter(foreign_pre_chain=_STAMPED, processors=steps))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
