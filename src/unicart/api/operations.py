"""What an operator's tools ask: health, readiness and metrics."""

from starlette.requests import Request
from starlette.routing import Route

from unicart.api import metrics
from unicart.api.reply import Endpoint, Reply
from unicart.store.database import Database

HEALTHY = b'{"status":"ok"}'


def routes(database: Database) -> list[Route]:
    """``/healthz``, ``/readyz`` and ``/metrics``."""

    async def healthz(request: Request) -> Reply:
        """The process answers."""
        request.scope["unicart.route"] = "/healthz"
        return Reply(HEALTHY)

    async def readyz(request: Request) -> Reply:
        """The store answers too; 503 if it does not."""
        request.scope["unicart.route"] = "/readyz"
        await database.ping()
        return Reply(HEALTHY)

    async def prometheus(request: Request) -> Reply:
        """Metrics in Prometheus' text format."""
        request.scope["unicart.route"] = "/metrics"
        return Reply(metrics.exposition(), (b"content-type", metrics.CONTENT_TYPE.encode()))

    return [
        Route("/healthz", Endpoint(healthz), methods=["GET"]),
        Route("/readyz", Endpoint(readyz), methods=["GET"]),
        Route("/metrics", Endpoint(prometheus), methods=["GET"]),
    ]
