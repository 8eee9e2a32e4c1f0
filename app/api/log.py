"""JSON log lines, through a logger of the application's own: nothing global is configured."""

from __future__ import annotations

import sys
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger


def json_log(file: TextIO | None = None) -> FilteringBoundLogger:
    """Lines go to `file`, by default stdout."""
    logger = structlog.wrap_logger(
        structlog.PrintLogger(file or sys.stdout),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_serialise),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
    )
    return cast(FilteringBoundLogger, logger)


def _serialise(event: dict[str, Any], **_: Any) -> str:
    return orjson.dumps(event).decode()
