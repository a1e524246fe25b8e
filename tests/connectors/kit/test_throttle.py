"""The throttle by a clock of the tests' own: no test waits."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from connectors.kit.server import ScriptedServer, answer, scripted_server
from unicart.connectors.kit import PlatformUnavailable, RateLimitedByPlatform, Session, Throttle
from unicart.connectors.kit.throttle import GOOD_RUN, LONGEST_WAIT, SLOWEST

pytestmark = pytest.mark.anyio


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        awake = self.now + seconds
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        self.now = max(self.now, awake)


class Page(msgspec.Struct):
    total: int


GOOD = answer(200, b'{"total": 1}')


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        running.script(GOOD)
        yield running


@pytest.fixture
async def session(server: ScriptedServer, clock: Clock) -> AsyncIterator[Session]:
    throttle = Throttle(rate=8.0, clock=clock, sleep=clock.sleep)
    opened = Session(server.url, private_network=True, throttle=throttle)
    yield opened
    await opened.close()


async def times(clock: Clock, throttle: Throttle, count: int) -> list[float]:
    """How long each of so many places was waited for."""
    found = []
    for _ in range(count):
        before = clock.now
        async with throttle:
            found.append(clock.now - before)
    return found


async def test_places_come_at_the_rate(clock: Clock) -> None:
    throttle = Throttle(rate=8.0, clock=clock, sleep=clock.sleep)
    assert await times(clock, throttle, 4) == [0, 0.125, 0.125, 0.125]
    clock.now += 100
    assert await times(clock, throttle, 2) == [0, 0.125]


async def test_slowing_down_halves_the_rate_and_stops_at_the_slowest(clock: Clock) -> None:
    throttle = Throttle(rate=8.0, clock=clock, sleep=clock.sleep)
    rates = []
    for _ in range(8):
        async with throttle as begun:
            clock.now += 10
            throttle.slow_down(begun)
        rates.append(throttle.rate)
    assert rates == [4, 2, 1, 0.5, 0.25, SLOWEST, SLOWEST, SLOWEST]
    clock.now += 10
    assert await times(clock, throttle, 2) == [0, 1 / SLOWEST]


async def test_a_rate_below_the_slowest_stays(clock: Clock) -> None:
    throttle = Throttle(rate=0.01, clock=clock, sleep=clock.sleep)
    throttle.slow_down(clock())
    assert throttle.rate == 0.01


async def test_requests_under_way_together_slow_it_down_once(clock: Clock) -> None:
    throttle = Throttle(rate=8.0, clock=clock, sleep=clock.sleep)
    begun = [clock.now + number for number in range(4)]
    clock.now += 5
    for moment in begun:
        throttle.slow_down(moment)
    assert throttle.rate == 4


async def test_good_runs_bring_the_rate_back_step_by_step(clock: Clock) -> None:
    throttle = Throttle(rate=10.0, clock=clock, sleep=clock.sleep)
    throttle.slow_down(clock())
    rates = []
    for _ in range(7 * GOOD_RUN):
        throttle.went_well()
        rates.append(throttle.rate)
    assert rates[GOOD_RUN - 2 : GOOD_RUN] == [5, 6]
    assert rates[GOOD_RUN - 1 :: GOOD_RUN] == [6, 7, 8, 9, 10, 10, 10]


async def test_a_limited_request_ends_a_good_run(clock: Clock) -> None:
    throttle = Throttle(rate=10.0, clock=clock, sleep=clock.sleep)
    throttle.slow_down(clock())
    clock.now += 1
    for _ in range(GOOD_RUN - 1):
        throttle.went_well()
    throttle.slow_down(clock())
    throttle.went_well()
    assert throttle.rate == 2.5


async def test_a_pause_holds_everybody(clock: Clock) -> None:
    throttle = Throttle(rate=8.0, clock=clock, sleep=clock.sleep)
    throttle.pause(30)
    throttle.pause(5)
    assert await times(clock, throttle, 2) == [30, 0.125]


async def test_a_pause_reaches_those_who_wait_already(clock: Clock) -> None:
    throttle = Throttle(rate=0.5, clock=clock, sleep=clock.sleep)
    entered = []

    async def enter() -> None:
        async with throttle:
            entered.append(clock.now)

    async with throttle, anyio.create_task_group() as tasks:
        tasks.start_soon(enter)
        tasks.start_soon(enter)
        await anyio.lowlevel.checkpoint()
        throttle.pause(40)
    assert min(entered) >= 1040


async def test_nobody_waits_for_a_pause_that_is_too_long(clock: Clock) -> None:
    throttle = Throttle(concurrency=1, clock=clock, sleep=clock.sleep)
    throttle.pause(LONGEST_WAIT + 5)
    for _ in range(2):
        with pytest.raises(RateLimitedByPlatform, match="wait for 65 s") as raised:
            async with throttle:
                pytest.fail("nothing may be sent")
        assert raised.value.retry_after == 65
    clock.now += 10
    assert await times(clock, throttle, 1) == [55]


async def test_429_slows_the_session_down_and_good_answers_bring_it_back(
    server: ScriptedServer, session: Session, clock: Clock
) -> None:
    server.script(answer(429, retry_after="0"), GOOD)
    await session.get("/", Page)
    assert session.throttle.rate == 4
    for _ in range(GOOD_RUN * 20):
        await session.get("/", Page)
    assert session.throttle.rate == 8


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_holds_the_requests_of_the_session(
    status: int, server: ScriptedServer, session: Session, clock: Clock
) -> None:
    server.script(answer(status, retry_after="3600"), GOOD)
    with pytest.raises((RateLimitedByPlatform, PlatformUnavailable)):
        await session.get("/", Page)
    with pytest.raises(RateLimitedByPlatform):
        await session.get("/", Page)
    assert len(server.requests) == 1
    clock.now += 3590
    await session.get("/", Page)
    assert clock.slept[-1] == 10
    assert session.throttle.rate == 4


async def test_an_error_without_retry_after_slows_nothing_down(server: ScriptedServer, session: Session) -> None:
    server.script(answer(503), GOOD)
    await session.get("/", Page)
    assert session.throttle.rate == 8


RESETS = [
    ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "7"}, 7),
    ({"ratelimit_remaining": "0", "ratelimit_reset": "7.5"}, 7.5),
    ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1767225610"}, 10),
    ({"x_ratelimit_remaining": "0.2", "x_ratelimit_reset": "1767225610500"}, 10.5),
    ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "Thu, 01 Jan 2026 00:00:20 GMT"}, 20),
    ({"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1"}, 1),
]
NO_RESETS = [
    {"x_ratelimit_remaining": "1", "x_ratelimit_reset": "7"},
    {"x_ratelimit_remaining": "0"},
    {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"},
    {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1767225000"},
    {"x_ratelimit_remaining": "nan", "x_ratelimit_reset": "7"},
    {"x_ratelimit_remaining": "none", "x_ratelimit_reset": "7"},
    {"x_ratelimit_reset": "7"},
    {"retry_after": "7"},
]


@pytest.mark.parametrize(("headers", "wait"), RESETS)
async def test_used_up_limits_are_waited_for(
    headers: dict[str, Any], wait: float, server: ScriptedServer, session: Session, clock: Clock
) -> None:
    """By the platform's clock, not ours."""
    server.script(answer(200, b'{"total": 1}', date="Thu, 01 Jan 2026 00:00:00 GMT", **headers), GOOD)
    await session.get("/", Page)
    await session.get("/", Page)
    assert clock.slept == [pytest.approx(wait)]
    assert session.throttle.rate == 8


@pytest.mark.parametrize("headers", NO_RESETS)
async def test_limits_that_are_not_used_up_or_make_no_sense_are_not_waited_for(
    headers: dict[str, Any], server: ScriptedServer, session: Session, clock: Clock
) -> None:
    server.script(answer(200, b'{"total": 1}', date="Thu, 01 Jan 2026 00:00:00 GMT", **headers), GOOD)
    await session.get("/", Page)
    await session.get("/", Page)
    assert clock.slept == [0.125]


async def test_a_reset_that_is_too_far_away_is_reported_and_loses_no_answer(
    server: ScriptedServer, session: Session
) -> None:
    server.script(answer(200, b'{"total": 5}', ratelimit_remaining="0", ratelimit_reset="3600"), GOOD)
    assert (await session.get("/", Page)).total == 5
    with pytest.raises(RateLimitedByPlatform) as raised:
        await session.get("/", Page)
    assert raised.value.retry_after == 3600


async def test_429_without_retry_after_is_waited_for_until_the_reset(
    server: ScriptedServer, session: Session, clock: Clock
) -> None:
    server.script(answer(429, x_ratelimit_remaining="0", x_ratelimit_reset="3600"))
    with pytest.raises(RateLimitedByPlatform) as raised:
        await session.get("/", Page)
    assert raised.value.retry_after == 3600
    assert len(server.requests) == 1


async def test_a_platform_with_headers_of_its_own_is_waited_for_as_its_connector_reads_them(
    server: ScriptedServer, session: Session, clock: Clock
) -> None:
    def told_wait(status: int, headers: Mapping[str, str]) -> float | None:
        return 3600.0 if status == 429 else float(headers["X-Pause"]) if "x-pause" in headers else None

    session.told_wait = told_wait
    server.script(answer(200, b'{"total": 1}', x_pause="7"), GOOD, answer(429, retry_after="1"))
    await session.get("/", Page)
    await session.get("/", Page)
    assert clock.slept == [7]
    with pytest.raises(RateLimitedByPlatform) as raised:
        await session.get("/", Page)
    assert raised.value.retry_after == 3600
