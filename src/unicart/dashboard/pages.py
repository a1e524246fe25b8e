"""What every page goes through: login, tokens of forms, templates, headers, and errors as pages."""

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from unicart.api.authentication import KeyUses
from unicart.api.body import read_body
from unicart.api.page_tokens import PageTokens
from unicart.api.webhooks import WebhookRoutes
from unicart.contract.common import format_date
from unicart.contract.errors import InvalidRequest, NotFound, UnicartError
from unicart.dashboard import sessions
from unicart.dashboard.sessions import LoginLimiter
from unicart.dashboard.wording import NOTES, ago, duration, number, until
from unicart.settings import Settings
from unicart.store import operators, tenants
from unicart.store.database import Database
from unicart.store.secrets import Vault
from unicart.store.tenants import Connection, Organization

FOLDER = Path(__file__).parent
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
LOGIN = "/dashboard/login"
HOME = "/dashboard"


class Desk(msgspec.Struct, frozen=True):
    """What the pages need."""

    database: Database
    vault: Vault
    settings: Settings
    page_tokens: PageTokens
    limiter: LoginLimiter
    hooks: WebhookRoutes
    uses: KeyUses

    async def connection(self, id: str) -> Connection:
        """A connection.

        Raises:
            NotFound: there is none of that id.
        """
        found = None if "\x00" in id else await tenants.find_connection(self.database, id)
        if found is None:
            raise NotFound("There is no such connection. It may have been removed.", id=id)
        return found

    async def organization(self, id: str) -> Organization:
        """An organization.

        Raises:
            NotFound: there is none of that id.
        """
        for each in await tenants.list_organizations(self.database):
            if each.id == id:
                return each
        raise NotFound("There is no such organization.", id=id)


class Visit:
    """One request of a visitor, and how it is answered."""

    def __init__(self, request: Request, cookie: str) -> None:
        self.request = request
        self.cookie = cookie
        self.known = False
        self.pairs: list[tuple[str, str]] = []
        self.now = int(time.time())

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the path."""
        return self.request.path_params

    @property
    def form(self) -> dict[str, str]:
        """The fields of the form."""
        return dict(self.pairs)

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded query parameters, in order."""
        return parse_qsl(self.request.scope["query_string"].decode("latin-1"), keep_blank_values=True)

    def asked(self, name: str) -> str:
        """The value of a query parameter; empty if it is not given."""
        return dict(self.query).get(name, "")

    def values(self, name: str) -> list[str]:
        """All values of a field of the form."""
        return [value for each, value in self.pairs if each == name]

    def page(self, template: str, status: int = 200, **content: Any) -> Response:
        """A rendered page."""
        known = {
            "token": sessions.form_token(self.cookie),
            "here": self.request.url.path,
            "note": NOTES.get(self.asked("note")),
            "now": self.now,
            "signed_in": self.known,
        }
        text = _environment.get_template(template).render({**known, **content})
        return HTMLResponse(text, status)

    def go(self, path: str, note: str = "") -> Response:
        """Send the visitor to another page, which tells what was done."""
        return RedirectResponse(f"{path}?{urlencode({'note': note})}" if note else path, 303)


Show = Callable[[Visit], Awaitable[Response]]


class Page:
    """The ASGI application of a route: the page that ``show`` makes, for the operator only unless it is ``open_to_all``."""

    def __init__(self, desk: Desk, route: str, show: Show, *, open_to_all: bool = False) -> None:
        self._desk = desk
        self._route = route
        self._show = show
        self._open = open_to_all

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["unicart.route"] = self._route
        request = Request(scope, receive)
        response = await self._respond(request)
        response.headers.update(HEADERS)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        cookie = sessions.cookie_of(request)
        if not cookie and sessions.comes_from_elsewhere(request):
            return Visit(request, cookie).page("again.html")
        fresh = "" if cookie else sessions.new_cookie()
        visit = Visit(request, cookie or fresh)
        try:
            response = await self._answer(request, cookie, visit)
        except UnicartError as error:
            response = _failed(visit, error)
        if fresh and not response.headers.get("set-cookie"):
            sessions.set_cookie(response, request, fresh)
        return response

    async def _answer(self, request: Request, cookie: str, visit: Visit) -> Response:
        visit.known = bool(cookie) and await operators.has_session(self._desk.database, cookie, visit.now)
        if not (visit.known or self._open):
            return visit.go(LOGIN)
        if request.method == "POST":
            visit.pairs = await _read_form(request)
            sessions.require_own_form(request, cookie, visit.form.get("token", ""))
        return await self._show(visit)


def _failed(visit: Visit, error: UnicartError) -> Response:
    response = visit.page("error.html", error.status, error=error, problems=problems(error))
    response.headers.update(error.headers())
    return response


def problems(error: UnicartError) -> list[str]:
    """What is wrong with each field of a request."""
    if not isinstance(error, InvalidRequest):
        return []
    return [f"{field} {message}" for field, messages in error.problems.items() for message in messages]


async def _read_form(request: Request) -> list[tuple[str, str]]:
    body = await read_body(request)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True)
    except (UnicodeDecodeError, ValueError):
        raise InvalidRequest("json", {"body": ["must be a form"]}) from None


def path_to(*parts: str) -> str:
    """A path below the dashboard's; ids may hold any character."""
    return "/".join([HOME, *(quote(part, safe="") for part in parts)])


def url(path: str, pairs: list[tuple[str, str]]) -> str:
    """A path with a query, if there is one."""
    return f"{path}?{urlencode(pairs, safe='[]:,')}" if pairs else path


_environment = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
_environment.filters |= {"ago": ago, "number": number, "date": format_date, "duration": duration, "until": until}
_environment.globals |= {"path_to": path_to}
