"""The session against a real local server that misbehaves in every way that platforms do."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest
import stamina
import stamina.instrumentation

from connectors.kit.server import FOREVER, ScriptedServer, answer, scripted_server
from unicart.connectors.kit import (
    BadAnswer,
    ConnectorError,
    CredentialsRejected,
    Outcome,
    OutcomeUnknown,
    PermissionMissing,
    PlatformUnavailable,
    RateLimitedByPlatform,
    RequestRefused,
    Session,
    Throttle,
    http,
)

pytestmark = pytest.mark.anyio
SECRET = "s3cr3t-token"
Sessions = Any


class Page(msgspec.Struct):
    total: Decimal


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=8, cap=True):
        yield


@pytest.fixture
async def open_session(server: ScriptedServer) -> AsyncIterator[Sessions]:
    opened: list[Session] = []

    def build(**options: Any) -> Session:
        options = {"private_network": True, "throttle": Throttle(rate=1e6), "secrets": (SECRET,), **options}
        opened.append(Session(options.pop("base_url", server.url), **options))
        return opened[-1]

    yield build
    for session in opened:
        await session.close()


async def refused(session: Session, error: type[ConnectorError], path: str = "/orders") -> ConnectorError:
    with pytest.raises(ConnectorError) as raised:
        await session.get(path, Page)
    assert type(raised.value) is error, f"{raised.value!r}"
    return raised.value


async def test_answer_is_decoded_with_money_digit_for_digit(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(200, b'{"total": 13.490}'))
    page = await open_session(headers={"x-shop": "one"}).get("/orders", Page, {"status": ["a", "b"], "limit": 5})
    assert str(page.total) == "13.490"
    (request,) = server.requests
    assert (request.method, request.target) == ("GET", "/orders?status=a&status=b&limit=5")
    assert request.headers["x-shop"] == "one"
    assert request.headers["accept"] == "application/json"


async def test_a_header_that_is_given_empty_is_not_sent(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(200))
    session = open_session(headers={"x-token": SECRET, "x-shop": "one"})
    await session.request("GET", "/file", headers={"x-token": "", "range": "bytes=0-9"})
    await session.request("GET", "/orders")
    file, orders = (request.headers for request in server.requests)
    assert "x-token" not in file
    assert (file["x-shop"], file["range"]) == ("one", "bytes=0-9")
    assert orders["x-token"] == SECRET


async def test_money_that_is_sent_keeps_its_digits(server: ScriptedServer, open_session: Sessions) -> None:
    await open_session().post("/refunds", dict[str, int], {"amount": Decimal("10.10")})
    assert server.requests[0].body == b'{"amount":10.10}'
    assert server.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 429])
async def test_passing_failures_are_retried(status: int, server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(status), answer(status), answer(200, b'{"total": 1}'))
    assert (await open_session().get("/orders", Page)).total == 1
    assert len(server.requests) == 3


async def test_cut_body_is_retried(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(200, b'{"total": 1', length=400), b"", answer(200, b'{"total": 1}'))
    server.answers[1] = b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"tot'
    assert (await open_session().get("/orders", Page)).total == 1
    assert len(server.requests) == 3


async def test_slow_answer_is_retried(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(FOREVER, answer(200, b'{"total": 1}'))
    assert (await open_session(timeout=0.2).get("/orders", Page)).total == 1


async def test_platform_that_never_answers_is_unavailable(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(FOREVER)
    error = await refused(open_session(timeout=0.05), PlatformUnavailable)
    assert "did not answer within 0.05 s" in error.message


async def test_platform_that_stays_down_is_unavailable(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(503, b"down for maintenance"))
    error = await refused(open_session(), PlatformUnavailable)
    assert error.message == f"{server.url}/orders answered 503."
    assert error.detail == "down for maintenance"
    assert len(server.requests) == 8


async def test_platform_that_is_not_there_is_unavailable(open_session: Sessions) -> None:
    async with scripted_server() as gone:
        pass
    error = await refused(open_session(base_url=gone.url), PlatformUnavailable)
    assert "cannot be reached" in error.message


async def test_answer_that_is_not_http_is_unavailable(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(b"SSH-2.0-OpenSSH_9.9\r\n")
    await refused(open_session(), PlatformUnavailable)


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_the_wait_before_the_next_try(
    status: int, server: ScriptedServer, open_session: Sessions
) -> None:
    server.script(answer(status, retry_after="0.01"), answer(200, b'{"total": 1}'))
    waits: list[float] = []
    stamina.instrumentation.set_on_retry_hooks([lambda details: waits.append(details.wait_for)])
    try:
        with stamina.set_testing(False):
            await open_session().get("/orders", Page)
    finally:
        stamina.instrumentation.set_on_retry_hooks(None)
    assert waits == [0.01]


async def test_too_long_retry_after_is_reported_and_not_waited_for(
    server: ScriptedServer, open_session: Sessions
) -> None:
    server.script(answer(429, retry_after="3600"))
    error = await refused(open_session(), RateLimitedByPlatform)
    assert isinstance(error, RateLimitedByPlatform)
    assert error.retry_after == 3600
    assert len(server.requests) == 1


async def test_retry_after_may_be_a_date(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(429, retry_after=format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)))
    error = await refused(open_session(), RateLimitedByPlatform)
    assert isinstance(error, RateLimitedByPlatform)
    assert error.retry_after is not None
    assert 7000 < error.retry_after <= 7200


@pytest.mark.parametrize("skew", [timedelta(hours=-5), timedelta(0), timedelta(days=2)], ids=str)
async def test_retry_after_as_a_date_is_one_of_the_platforms_own_clock(
    skew: timedelta, server: ScriptedServer, open_session: Sessions
) -> None:
    theirs = datetime.now(UTC) + skew
    until = format_datetime(theirs + timedelta(hours=2), usegmt=True)
    server.script(answer(429, retry_after=until, date=format_datetime(theirs, usegmt=True)))
    error = await refused(open_session(), RateLimitedByPlatform)
    assert isinstance(error, RateLimitedByPlatform)
    assert error.retry_after == 7200


async def test_maintenance_with_a_long_retry_after_is_not_waited_for(
    server: ScriptedServer, open_session: Sessions
) -> None:
    server.script(answer(503, retry_after="3600"))
    await refused(open_session(), PlatformUnavailable)
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", ["", "soon", "nan", "-5", "inf", "Wed, 99 Foo 2026"])
async def test_senseless_retry_after_is_no_failure_of_ours(
    text: str, server: ScriptedServer, open_session: Sessions
) -> None:
    server.script(answer(429, retry_after=text))
    await refused(open_session(), RateLimitedByPlatform)


async def test_rate_limit_that_does_not_end_is_reported(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(429))
    await refused(open_session(), RateLimitedByPlatform)
    assert len(server.requests) == 8


async def test_login_is_renewed_once_on_401(server: ScriptedServer, open_session: Sessions) -> None:
    session = open_session(headers={"authorization": "old"})
    renewals = []

    async def refresh() -> None:
        renewals.append(1)
        session.headers["authorization"] = f"new {len(renewals)}"

    session.refresh = refresh
    server.script(answer(401), answer(200, b'{"total": 1}'))
    await session.get("/orders", Page)
    assert [request.headers["authorization"] for request in server.requests] == ["old", "new 1"]
    server.script(answer(401))
    await refused(session, CredentialsRejected)
    assert len(renewals) == 2


async def test_rejected_login_ends_after_one_renewal(server: ScriptedServer, open_session: Sessions) -> None:
    """The login itself goes through the session and is answered 401, too: it must not be renewed again and again."""
    session = open_session()

    async def refresh() -> None:
        await session.post("/login", Page)

    session.refresh = refresh
    server.script(answer(401))
    await refused(session, CredentialsRejected)
    assert [request.target for request in server.requests] == ["/orders", "/login"]


async def test_requests_at_once_renew_the_login_once(server: ScriptedServer, open_session: Sessions) -> None:
    session = open_session(headers={"authorization": "old"}, throttle=Throttle(rate=1e6, concurrency=4))
    renewals = []

    async def refresh() -> None:
        renewals.append(1)
        await anyio.sleep(0.01)
        session.headers["authorization"] = "new"

    session.refresh = refresh
    server.script(*[answer(401)] * 4, answer(200, b'{"total": 1}'))
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(session.get, "/orders", Page)
    assert len(renewals) == 1


async def test_rejected_credentials_block_the_connection(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(401, b"who are you"))
    error = await refused(open_session(), CredentialsRejected)
    assert error.blocking
    assert len(server.requests) == 1
    assert "Renew them" in error.message


async def test_missing_permission_is_told_from_rejected_credentials(
    server: ScriptedServer, open_session: Sessions
) -> None:
    server.script(answer(403, b"scope read_orders required"))
    error = await refused(open_session(), PermissionMissing)
    assert not error.blocking
    assert error.detail == "scope read_orders required"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_refused_request_is_not_repeated(status: int, server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(status, b"no such field"))
    error = await refused(open_session(), RequestRefused)
    assert isinstance(error, RequestRefused)
    assert error.status == status
    assert "no such field" in error.message
    assert len(server.requests) == 1


async def test_connector_may_sort_a_status_otherwise(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(420), answer(200, b'{"total": 1}'))
    await open_session(outcomes={420: Outcome.WAIT}).get("/orders", Page)
    assert len(server.requests) == 2


async def test_redirect_is_named_and_not_followed(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(302, b"", location=f"http://169.254.169.254/latest?token={SECRET}"))
    error = await refused(open_session(headers={"authorization": SECRET}), RequestRefused)
    assert "redirects to http://169.254.169.254/latest." in error.message
    assert len(server.requests) == 1


async def test_malformed_redirect_is_refused(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(302, b"", location="http://[::1"))
    await refused(open_session(), RequestRefused)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Log in to continue</body></html>",
        b"",
        b'{"total": ',
        b'{"total": "much"}',
        b'{"other": 1}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"null",
    ],
    ids=["html", "empty", "cut", "type", "missing", "binary", "deep", "null"],
)
async def test_answer_of_another_shape_is_bad(body: bytes, server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(200, body))
    error = await refused(open_session(), BadAnswer)
    assert error.url == f"{server.url}/orders"
    assert len(error.detail) <= 300


async def test_each_attempt_is_signed_anew(server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(503), answer(503), answer(200, b'{"total": 1}'))
    session = open_session()
    session.sign = lambda method, url, parameters: {
        **parameters,
        "signature": f"{method} {url.removeprefix(server.url)} {session.requests_sent}",
    }
    assert (await session.get("/orders", Page, {"limit": 5})).total == 1
    assert [request.target for request in server.requests] == [
        f"/orders?limit=5&signature=GET+%2Forders+{attempt}" for attempt in range(3)
    ]


async def test_endless_body_is_cut_off(
    server: ScriptedServer, open_session: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 1 << 20)
    server.script(answer(200, b" " * (1 << 20) + b'{"total": 1}'))
    error = await refused(open_session(), BadAnswer)
    assert "more than 1 MB" in error.message
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 429, 500])
async def test_secrets_appear_in_no_error(status: int, server: ScriptedServer, open_session: Sessions) -> None:
    body = b"x" * 295 + SECRET.encode() + b" is wrong"
    server.script(answer(status, body, location=f"https://{SECRET}.example/"))
    url = server.url.replace("//", f"//user:{SECRET}@")
    with pytest.raises(ConnectorError) as raised:
        await open_session(base_url=url).get(f"/{SECRET}/orders?token={SECRET}", Page)
    for text in (raised.value.message, raised.value.detail, raised.value.url, str(raised.value)):
        assert SECRET not in text
        assert SECRET[:5] not in text
        assert "user:" not in text
    assert "***" in raised.value.message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/",
        "http://localhost/",
        "http://10.1.2.3",
        "http://192.168.0.1",
        "http://169.254.169.254",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0",
        "http://2130706433/",
    ],
)
async def test_private_network_is_refused(url: str, open_session: Sessions) -> None:
    error = await refused(open_session(base_url=url, private_network=False), RequestRefused)
    assert "private network" in error.message


async def test_private_network_is_refused_before_anything_is_sent(
    server: ScriptedServer, open_session: Sessions
) -> None:
    await refused(open_session(private_network=False), RequestRefused)
    assert server.requests == []


@pytest.mark.parametrize(
    "url", ["", "shop.example", "ftp://shop.example", "file:///etc/passwd", "http://", "http://[::1", "http://h:99999"]
)
@pytest.mark.parametrize("private_network", [True, False])
async def test_url_that_is_none_is_refused(url: str, private_network: bool, open_session: Sessions) -> None:
    await refused(open_session(base_url=url, private_network=private_network), RequestRefused)


async def test_host_name_that_cannot_be_is_refused(open_session: Sessions) -> None:
    await refused(open_session(base_url=f"http://{'a' * 70}.example", private_network=False), RequestRefused)


@pytest.mark.parametrize("value", ["line\nbreak", "naïve ☕"])
async def test_credential_that_cannot_be_a_header_is_rejected(value: str, open_session: Sessions) -> None:
    error = await refused(open_session(headers={"x-token": value}, secrets=(value,)), CredentialsRejected)
    assert value not in error.message + error.detail


async def test_graphql_sends_query_and_variables_and_decodes_data(
    server: ScriptedServer, open_session: Sessions
) -> None:
    server.script(answer(200, b'{"data": {"total": 2.50}, "extensions": {"cost": 1}}'))
    page = await open_session().graphql("/graphql", "query Q { total }", Page, {"first": 5})
    assert str(page.total) == "2.50"
    assert msgspec.json.decode(server.requests[0].body) == {"query": "query Q { total }", "variables": {"first": 5}}


async def test_graphql_errors_are_refusals_even_with_data(server: ScriptedServer, open_session: Sessions) -> None:
    errors = f'[{{"message": "no {SECRET}", "path": ["orders", 0], "extensions": {{"code": "FORBIDDEN"}}}}]'
    server.script(answer(200, f'{{"data": {{"total": 1}}, "errors": {errors}}}'.encode()))
    with pytest.raises(RequestRefused, match=r"refused the query: no \*\*\*") as raised:
        await open_session().graphql("/graphql", "{ total }", Page)
    assert "FORBIDDEN" in raised.value.detail
    assert SECRET not in raised.value.detail


@pytest.mark.parametrize("body", [b"{}", b'{"data": null}', b'{"errors": []}', b"[]"])
async def test_graphql_answer_without_data_is_bad(body: bytes, server: ScriptedServer, open_session: Sessions) -> None:
    server.script(answer(200, body))
    with pytest.raises(BadAnswer):
        await open_session().graphql("/graphql", "{ total }", Page)


async def test_throttle_lets_no_more_than_its_number_through_at_once() -> None:
    throttle = Throttle(rate=1e6, concurrency=2)
    inside: list[int] = []
    most = 0

    async def work() -> None:
        nonlocal most
        async with throttle:
            inside.append(1)
            most = max(most, len(inside))
            await anyio.lowlevel.checkpoint()
            inside.pop()

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(work)
    assert most == 2


async def test_cancelled_wait_gives_its_place_back() -> None:
    throttle = Throttle(rate=0.001, concurrency=1)
    async with throttle:
        pass
    with anyio.move_on_after(0.01):
        async with throttle:
            pytest.fail("the next place is free after 1000 s only")
    throttle._next = 0.0
    with anyio.fail_after(5):
        async with throttle:
            pass


@pytest.mark.parametrize("cut", [FOREVER, answer(200, b'{"tot', 400), answer(500), answer(503), b""], ids=str)
async def test_a_write_is_not_sent_again_if_it_may_have_been_done(
    cut: bytes, server: ScriptedServer, open_session: Sessions
) -> None:
    server.script(cut, answer(200, b'{"total": 1}'))
    with pytest.raises(OutcomeUnknown) as raised:
        await open_session(timeout=0.2).post("/orders", Page, {"secret": SECRET}, once=True)
    assert len(server.requests) == 1
    assert SECRET not in f"{raised.value.message}{raised.value.detail}"


@pytest.mark.parametrize("status", [401, 429])
async def test_a_write_is_sent_again_if_it_was_not_done(
    status: int, server: ScriptedServer, open_session: Sessions
) -> None:
    session = open_session()

    async def renew() -> None:
        session.headers["authorization"] = "new"

    session.refresh = renew
    server.script(answer(status), answer(200, b'{"total": 1}'))
    assert await session.post("/orders", Page, {"quantity": 1}, once=True) == Page(Decimal(1))
    assert [request.body for request in server.requests] == [b'{"quantity":1}'] * 2


async def test_a_write_to_a_platform_that_is_down_was_not_done(open_session: Sessions) -> None:
    session = open_session(base_url="http://127.0.0.1:9", patience=0.5)
    with pytest.raises(PlatformUnavailable):
        await session.post("/orders", Page, {}, once=True)
