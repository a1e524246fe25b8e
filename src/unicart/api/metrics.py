"""Prometheus metrics of the API."""

from functools import lru_cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

REGISTRY = CollectorRegistry()
CONTENT_TYPE = CONTENT_TYPE_LATEST

_requests = Counter(
    "unicart_http_requests", "Requests by method, route and status.", ["method", "route", "status"], registry=REGISTRY
)
_seconds = Histogram(
    "unicart_http_request_seconds",
    "Time to answer, by route.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60),
    registry=REGISTRY,
)
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"})


@lru_cache(maxsize=1024)
def _series(method: str, route: str, status: int) -> tuple[Any, Any]:
    return _requests.labels(method, route, str(status)), _seconds.labels(route)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    count, duration = _series(method if method in _METHODS else "other", route, status)
    count.inc()
    duration.observe(seconds)


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
