"""The dialog: its page inside other pages, its page of its own for magic links, and what its script asks for.

The script proves itself by the session's secret, which it alone holds: no cookie is involved, so no other page can make it act.
"""

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from unicart.api.body import read_body
from unicart.api.links import base_url
from unicart.api.parameters import no_parameters
from unicart.api.reply import Endpoint, Reply, header
from unicart.connectors.kit import ConnectorError, Credential, Facts
from unicart.connectors.registry import connector
from unicart.contract.common import encode
from unicart.contract.errors import Forbidden, InvalidRequest, NotFound, Unauthorized
from unicart.link.choice import chosen, initials, offered
from unicart.link.connecting import Connecting, NotConnected
from unicart.link.oauth import Authorizations
from unicart.link.pages import Pages
from unicart.settings import ORIGIN, Settings
from unicart.store import links
from unicart.store.database import Database
from unicart.store.links import Options, Purpose, Session
from unicart.sync.connect import InvalidCredentials

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
MOST_VALUE = 8192
BEARER = b"bearer "
OVER = "This dialog has expired, or the shop is connected already. Close it and begin again."
SPENT = "This link has been used already, or is older than four hours. Close the dialog and begin again."
MAGIC_OVER = "This link has expired or was withdrawn. Ask whoever sent it to you for a new one."
TOO_OFTEN = "That were too many attempts. Close the dialog and begin again."

_json = msgspec.json.Decoder


class OpenBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a session is begun: with a link token from a page of ``origin``, or with the secret of a magic link."""

    link_token: str = ""
    magic: str = ""
    origin: str = ""
    options: Options = Options()


class ChoiceBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The integration that the merchant chose, and what was entered for it."""

    integration: str
    values: dict[str, str] = {}


_open_body = _json(OpenBody)
_choice_body = _json(ChoiceBody)


def routes(
    database: Database, settings: Settings, connecting: Connecting, authorizations: Authorizations, pages: Pages
) -> list[Route]:
    """``/link/dialog``, ``/link/magic/…`` and ``/link/session…``."""
    family = DialogRoutes(database, settings, connecting, authorizations, pages)
    return [
        Route("/link/dialog", Endpoint(family.dialog), methods=["GET"]),
        Route("/link/magic/{secret}", Endpoint(family.magic), methods=["GET"]),
        Route("/link/session", Endpoint(family.open), methods=["POST"]),
        Route("/link/session/list", Endpoint(family.list), methods=["POST"]),
        Route("/link/session/pick", Endpoint(family.pick), methods=["POST"]),
        Route("/link/session/connect", Endpoint(family.connect), methods=["POST"]),
        Route("/link/session/authorize", Endpoint(family.authorize), methods=["POST"]),
        Route("/link/session/status", Endpoint(family.status), methods=["POST"]),
    ]


class DialogRoutes:
    """The routes."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        connecting: Connecting,
        authorizations: Authorizations,
        pages: Pages,
    ) -> None:
        self._database = database
        self._settings = settings
        self._connecting = connecting
        self._authorizations = authorizations
        self._pages = pages

    async def dialog(self, request: Request) -> Reply:
        """The page that ``main.js`` frames. Only pages of the origin that it names can frame it."""
        scope = request.scope
        scope["unicart.route"] = "/link/dialog"
        origin = request.query_params.get("origin", "")
        if not ORIGIN.fullmatch(origin):
            raise InvalidRequest("query", {"origin": ["must be the origin of the page that opens the dialog"]})
        allowed = self._may_embed(request, origin)
        problem = None if allowed else f"{origin} may not open this dialog. Add it to UNICART_LINK_ORIGINS."
        values = {"root": "", "origin": origin, "magic": "", "problem": problem}
        return self._pages.page(scope, "page", values, ancestor=origin, status=200 if allowed else 403)

    async def magic(self, request: Request) -> Reply:
        """The same dialog on a page of its own."""
        scope = request.scope
        scope["unicart.route"] = "/link/magic/{secret}"
        secret: str = request.path_params["secret"]
        link = await links.open_magic_link(self._database, secret)
        values = {"root": "../", "origin": "", "magic": secret, "problem": None if link else MAGIC_OVER}
        return self._pages.page(scope, "page", values, status=200 if link else 404)

    async def open(self, request: Request) -> Reply:
        """Begin a session, which spends the link token."""
        request.scope["unicart.route"] = "/link/session"
        self._refuse_foreign(request)
        body: OpenBody = await _read(request, _open_body)
        purpose, options, origin = await self._purpose(request, body)
        secret = await links.create_session(self._database, purpose, options, origin)
        session = await links.find_session(self._database, secret)
        if session is None:
            raise Unauthorized(OVER)
        return _reply(await self._first(session), session=secret)

    async def list(self, request: Request) -> Reply:
        """What can be chosen."""
        session = await self._session(request, "list")
        return _reply(await self._first(session, listed=True))

    async def pick(self, request: Request) -> Reply:
        """The form of what was chosen."""
        session = await self._session(request, "pick")
        body: ChoiceBody = await _read(request, _choice_body)
        return _reply(await self._form(session, await self._offer(session, body.integration)))

    async def connect(self, request: Request) -> Reply:
        """Check what was entered, and connect the shop."""
        session = await self._session(request, "connect")
        body: ChoiceBody = await _read(request, _choice_body)
        facts = await self._offer(session, body.integration)
        values = {} if facts.install_method == "none" else _values(body)
        try:
            await self._attempt(session)
            await self._connecting.connect(session, facts.name, values)
        except InvalidCredentials as error:
            return _reply(await self._form(session, facts, values=values, problem=str(error)))
        except ConnectorError as error:
            return _reply(await self._form(session, facts, values=values, problem=error.message))
        except NotConnected as error:
            return _reply(self._pages.part("problem", problem=str(error)))
        return await self._done(session, facts)

    async def authorize(self, request: Request) -> Reply:
        """Begin an authorization at the platform."""
        session = await self._session(request, "authorize")
        body: ChoiceBody = await _read(request, _choice_body)
        facts = await self._offer(session, body.integration)
        values = _values(body)
        try:
            await self._attempt(session)
            url = await self._authorizations.begin(request, session, facts.name, values)
        except InvalidCredentials as error:
            return _reply(await self._form(session, facts, values=values, authorization_problem=str(error)))
        return _reply(self._pages.part("waiting", facts=facts, url=url), url=url)

    async def status(self, request: Request) -> Reply:
        """How the authorization stands: what to show, once it has ended."""
        session = await self._session(request, "status")
        body: ChoiceBody = await _read(request, _choice_body)
        facts = await self._offer(session, body.integration)
        if session.connected_key is not None:
            return await self._done(session, facts)
        if session.problem is not None:
            return _reply(await self._form(session, facts, authorization_problem=session.problem))
        return Reply(b'{"waiting":true}')

    async def _done(self, session: Session, facts: Facts) -> Reply:
        code = await self._connecting.hand_out(session)
        html = self._pages.part(
            "success", facts=facts, embedded=bool(session.origin), again=bool(session.connection_id)
        )
        return _reply(html, auth_code=code, integration_name=facts.name)

    async def _purpose(self, request: Request, body: OpenBody) -> tuple[Purpose, Options, str]:
        if body.magic:
            link = await links.open_magic_link(self._database, body.magic)
            if link is None:
                raise Unauthorized(MAGIC_OVER)
            return Purpose(link.organization_id, link.connection_id, link.customer_id), link.options, ""
        if not self._may_embed(request, body.origin):
            raise Forbidden("This page may not open the dialog. Add its origin to UNICART_LINK_ORIGINS.")
        purpose = await links.spend_token(self._database, body.link_token)
        if purpose is None:
            raise Unauthorized(SPENT)
        return purpose, body.options, body.origin

    async def _session(self, request: Request, action: str) -> Session:
        request.scope["unicart.route"] = f"/link/session/{action}"
        no_parameters(request.scope)
        self._refuse_foreign(request)
        given = header(request.scope, b"authorization")
        found = None
        if given[: len(BEARER)].lower() == BEARER:
            found = await links.find_session(self._database, given[len(BEARER) :].decode("latin-1"))
        if found is None:
            raise Unauthorized(OVER)
        return found

    async def _attempt(self, session: Session) -> None:
        if not await links.count_attempt(self._database, session):
            raise InvalidCredentials(TOO_OFTEN)

    async def _first(self, session: Session, *, listed: bool = False) -> str:
        """What is shown at first: the form where there is nothing to choose, else the list."""
        if session.connection_id is not None:
            connection = await self._connecting.reinstalled(session)
            if connection is None:
                return self._pages.part(
                    "problem", problem="The shop that was to be reconnected is not connected any more."
                )
            return await self._form(session, connector(connection.integration_name).facts)
        only = chosen(session.options)
        if only is not None and not listed:
            return await self._form(session, only)
        found = [(initials(facts.display_name), facts) for facts in offered(session.options)]
        return self._pages.part("picker", integrations=found, embedded=bool(session.origin))

    async def _offer(self, session: Session, name: str) -> Facts:
        """The facts of an integration that this session may connect."""
        if session.connection_id is not None:
            connection = await self._connecting.reinstalled(session)
            found = [connector(connection.integration_name).facts] if connection else []
        else:
            found = offered(session.options)
        for facts in found:
            if facts.name == name:
                return facts
        raise NotFound("This integration is not offered here. Choose another.", id=name)

    async def _form(
        self,
        session: Session,
        facts: Facts,
        *,
        values: Mapping[str, str] | None = None,
        problem: str = "",
        authorization_problem: str = "",
    ) -> str:
        if values is None:
            connection = await self._connecting.reinstalled(session)
            values = await self._connecting.known_values(connection) if connection else {}
        asked = self._authorizations.fields(facts.name)
        fields = () if facts.install_method == "none" else facts.credentials
        field, message = _split(problem, facts)
        authorization_field, authorization_message = _split(authorization_problem, facts)
        return self._pages.part(
            "form",
            facts=facts,
            first=[each for each in fields if not _is_rare(each)],
            rare=[each for each in fields if _is_rare(each)],
            authorized=asked is not None,
            asked=[each for each in facts.credentials if asked and each.name in asked],
            values={each.name: values.get(each.name, "") for each in facts.credentials if each.kind != "secret"},
            field=field,
            problem=message,
            authorization_field=authorization_field,
            authorization_problem=authorization_message,
            again=session.connection_id is not None,
            back=session.connection_id is None and chosen(session.options) is None,
            embedded=bool(session.origin),
        )

    def _may_embed(self, request: Request, origin: str) -> bool:
        if origin == self._own_origin(request):
            return True
        allowed = self._settings.embedding_origins
        if not allowed:
            return bool(ORIGIN.fullmatch(origin)) and _host(origin) in LOOPBACK
        return origin in allowed

    def _refuse_foreign(self, request: Request) -> None:
        """Refuse what another site's page sends."""
        origin = header(request.scope, b"origin").decode("latin-1")
        here = f"{request.url.scheme}://{request.url.netloc}"
        if origin and not any(_same(origin, own) for own in (self._own_origin(request), here)):
            raise Forbidden("Only the dialog's own page may ask this.")

    def _own_origin(self, request: Request) -> str:
        parts = urlsplit(base_url(request, self._settings.public_url))
        return f"{parts.scheme}://{parts.netloc}"


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _host(origin: str) -> str:
    authority = origin.partition("://")[2]
    return authority.partition("]")[0] + "]" if authority.startswith("[") else authority.partition(":")[0]


def _is_rare(field: Credential) -> bool:
    """Whether hardly anybody has to fill in a field."""
    return not field.required and (field.default is not None or field.kind == "url")


def _split(problem: str, facts: Facts) -> tuple[str, str]:
    """The field that a message begins with, if it does, and the rest of the message."""
    name, colon, rest = problem.partition(": ")
    if colon and any(field.name == name for field in facts.credentials):
        return name, rest[:1].upper() + rest[1:]
    return "", problem


def _values(body: ChoiceBody) -> dict[str, str]:
    for name, value in body.values.items():
        if len(value) > MOST_VALUE or "\x00" in value:
            raise InvalidCredentials(f"{name}: must be at most {MOST_VALUE} characters.")
    return body.values


async def _read(request: Request, decoder: Any) -> Any:
    try:
        return decoder.decode(await read_body(request, 1 << 17))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest("json", {"body": [f"is not what the dialog sends: {error}"]}) from None


def _reply(html: str, **more: str | None) -> Reply:
    return Reply(encode({"html": html, **{name: value for name, value in more.items() if value is not None}}))
