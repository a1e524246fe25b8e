"""Signing in and out."""

from starlette.requests import Request
from starlette.responses import Response

from unicart.contract.errors import RateLimited
from unicart.dashboard import sessions
from unicart.dashboard.pages import HOME, LOGIN, Desk, Visit
from unicart.store import operators


class LoginPages:
    """The pages of the session."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def form(self, visit: Visit) -> Response:
        """The login form; the first page, for who is signed in."""
        if visit.known:
            return visit.go(HOME)
        return visit.page("login.html", problem=None)

    async def sign_in(self, visit: Visit) -> Response:
        """Try a password."""
        address = _address(visit.request)
        try:
            self._desk.limiter.admit(address)
        except RateLimited as error:
            response = visit.page("login.html", error.status, problem=error.message)
            response.headers.update(error.headers())
            return response
        database = self._desk.database
        if not await operators.check_password(database, visit.form.get("password", "")):
            return visit.page("login.html", 401, problem="This is not the password.")
        self._desk.limiter.succeeded(address)
        response = visit.go(HOME)
        sessions.set_cookie(response, visit.request, await operators.begin_session(database, visit.now))
        return response

    async def sign_out(self, visit: Visit) -> Response:
        """End the session."""
        await operators.end_session(self._desk.database, visit.cookie)
        response = visit.go(LOGIN, "signed-out")
        sessions.set_cookie(response, visit.request, sessions.new_cookie())
        return response


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
