"""The ASGI application."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from unicart.api import (
    connections,
    docs,
    events,
    inbound,
    integrations,
    links,
    operations,
    postman,
    records,
    sandbox,
    schedules,
    sync_jobs,
    tags,
    webhooks,
    writes,
)
from unicart.api.authentication import Authenticator, KeyUses
from unicart.api.gateway import Gateway
from unicart.api.page_tokens import PageTokens
from unicart.api.rate_limit import RateLimiter
from unicart.api.records import Services
from unicart.api.uses import Uses
from unicart.contract.errors import NotFound
from unicart.settings import Settings
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.sync.writes import Writer


def create_app(
    database: Database,
    vault: Vault,
    settings: Settings,
    *,
    extra: Sequence[BaseRoute] = (),
    key_uses: KeyUses | None = None,
) -> ASGIApp:
    """The application on ``database``, which the caller opens before its lifespan begins and closes after its end.

    ``extra`` are routes of other rooms. When keys are used is told to ``key_uses``.
    """
    services = Services(
        database=database,
        authenticator=Authenticator(database, key_uses),
        rate_limiter=RateLimiter(settings.read_rate, settings.write_rate),
        page_tokens=PageTokens(vault.verifying_keys),
        uses=Uses(database),
    )
    writer = Writer(database, vault)
    routes: list[BaseRoute] = [
        *writes.routes(services, writer),
        *sandbox.routes(services, vault, writer),
        *records.routes(services),
        *tags.routes(services),
        *schedules.routes(services),
        *sync_jobs.routes(services),
        *connections.routes(services, vault),
        *integrations.routes(services, vault),
        *links.routes(services, vault, settings.public_url),
        *events.routes(services),
        *webhooks.routes(services, vault, private_network=settings.webhook_private_network),
        *inbound.routes(database, vault),
        *operations.routes(database),
        *docs.routes(),
        *postman.routes(),
        *extra,
    ]
    router = Router(routes, redirect_slashes=False, default=_no_page, lifespan=lambda _: services.uses.kept())

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = application
        await router(scope, receive, send)

    return Gateway(application, log_requests=settings.log_requests)


async def _no_page(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        raise NotFound(f"There is no page at {scope['path']}", id=scope["path"])
    await send({"type": "websocket.close"})
