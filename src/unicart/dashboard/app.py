"""The routes of the dashboard."""

from starlette.responses import FileResponse, Response
from starlette.routing import Route

from unicart.api.authentication import Authenticator, KeyUses
from unicart.api.page_tokens import PageTokens
from unicart.api.rate_limit import RateLimiter
from unicart.api.records import Services
from unicart.api.uses import Uses
from unicart.api.webhooks import WebhookRoutes
from unicart.contract.errors import NotFound
from unicart.dashboard.charts import ChartPages
from unicart.dashboard.connections import ConnectionPages
from unicart.dashboard.events import EventPages
from unicart.dashboard.explorer import ExplorerPages
from unicart.dashboard.keys import KeyPages
from unicart.dashboard.login import LoginPages
from unicart.dashboard.pages import FOLDER, HOME, LOGIN, Desk, Page, Show, Visit
from unicart.dashboard.sessions import LoginLimiter
from unicart.dashboard.webhooks import WebhookPages
from unicart.settings import Settings
from unicart.store.database import Database
from unicart.store.secrets import Vault

ASSETS = {"dashboard.css": "text/css", "dashboard.js": "text/javascript", "icon.svg": "image/svg+xml"}


def routes(database: Database, vault: Vault, settings: Settings, uses: KeyUses) -> list[Route]:
    """``/dashboard`` and everything below it."""
    tokens = PageTokens(vault.verifying_keys)
    services = Services(database, Authenticator(database), RateLimiter(0, 0), tokens, Uses(database))
    hooks = WebhookRoutes(services, vault, private_network=settings.webhook_private_network)
    desk = Desk(database, vault, settings, tokens, LoginLimiter(), hooks, uses)
    login = LoginPages(desk)
    return [
        Route(f"{HOME}/assets/{{name}}", Page(desk, f"{HOME}/assets/{{name}}", _asset, open_to_all=True)),
        *_both(desk, LOGIN, login.form, login.sign_in, open_to_all=True),
        *_both(desk, f"{HOME}/logout", None, login.sign_out),
        *_connections(desk),
        *_explorer(desk),
        *_organizations(desk),
        Route(f"{HOME}/{{path:path}}", Page(desk, HOME, _nothing)),
    ]


def _connections(desk: Desk) -> list[Route]:
    pages = ConnectionPages(desk)
    one = f"{HOME}/connections/{{id}}"
    return [
        *_both(desk, HOME, pages.overview, None),
        *_both(desk, one, pages.one, None),
        *_both(desk, f"{one}/functions", None, pages.change_functions),
        *_both(desk, f"{one}/quarantine", None, pages.retry_quarantined),
        *_both(desk, f"{one}/schedules/{{function}}", None, pages.change_schedule),
    ]


def _explorer(desk: Desk) -> list[Route]:
    pages = ExplorerPages(desk)
    lists = f"{HOME}/explore/{{id}}/{{resource}}"
    return [
        *_both(desk, f"{HOME}/explore", pages.choose, None),
        *_both(desk, lists, pages.page, None),
        *_both(desk, f"{lists}/{{record:path}}", pages.one, pages.compare),
    ]


def _organizations(desk: Desk) -> list[Route]:
    """The pages of what belongs to an organization."""
    events, webhooks, keys, charts = EventPages(desk), WebhookPages(desk), KeyPages(desk), ChartPages(desk)
    family = f"{HOME}/webhooks/{{organization}}"
    one = f"{family}/{{id}}"
    return [
        *_both(desk, f"{HOME}/events", events.choose, None),
        *_both(desk, f"{HOME}/events/{{organization}}", events.list, None),
        *_both(desk, f"{HOME}/webhooks", webhooks.choose, None),
        *_both(desk, family, webhooks.list, webhooks.create),
        *_both(desk, one, webhooks.one, webhooks.change),
        *_both(desk, f"{one}/replay", None, webhooks.replay),
        *_both(desk, f"{one}/test", None, webhooks.test),
        *_both(desk, f"{HOME}/keys", keys.choose, None),
        *_both(desk, f"{HOME}/keys/{{organization}}", keys.list, keys.create),
        *_both(desk, f"{HOME}/keys/{{organization}}/{{id}}", None, keys.revoke),
        *_both(desk, f"{HOME}/charts", charts.choose, None),
        *_both(desk, f"{HOME}/charts/{{organization}}", charts.show, None),
    ]


def _both(desk: Desk, path: str, get: Show | None, post: Show | None, *, open_to_all: bool = False) -> list[Route]:
    """The routes of a path that is shown by ``get``, and whose form goes to ``post``."""
    found = []
    for method, show in (("GET", get), ("POST", post)):
        if show is not None:
            found.append(Route(path, Page(desk, path, show, open_to_all=open_to_all), methods=[method]))
    return found


async def _asset(visit: Visit) -> Response:
    name = visit.path["name"]
    if name not in ASSETS:
        return await _nothing(visit)
    return FileResponse(FOLDER / "assets" / name, media_type=ASSETS[name])


async def _nothing(visit: Visit) -> Response:
    raise NotFound("There is no such page. Go on from the list of connections.", id=visit.request.url.path)
