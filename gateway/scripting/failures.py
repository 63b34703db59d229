"""Telling of what went wrong in a script."""

from gateway.errors import GatewayError
from gateway.logs import logger
from gateway.metrics import Metrics

log = logger("scripting")


def report_failure(metrics: Metrics, happened: str, error: GatewayError, **about: object) -> None:
    """Count an error, and log it once. about: which script, which callback, and what follows."""
    metrics.errors.labels(kind=error.kind).inc()
    log.error(
        happened,
        **about,
        kind=error.kind,
        reason=str(error),
        traceback=getattr(error, "traceback", ""),
    )
