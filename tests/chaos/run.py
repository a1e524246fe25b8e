"""The chaos run: Unicart lives with the hostile platform while its processes are killed, and must end up exact.

with Chaos(directory, url, workers=2, seed=1) as chaos:
    chaos.live(kills=200)
    chaos.settle()
    chaos.verify()
"""

import asyncio
import json
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from chaos.faults import CALM, Fault, Rates
from chaos.platform import Platform
from connectors.kit.server import Request, answer
from events.receiver import Receiver, receiving, verified
from product import Unicart
from unicart.contract.common import encode

CHANGES_A_SECOND = 20.0
LONGEST_LIFE = 1.0
API_SHARE = 0.15
PATIENCE = 240.0
STAMPS = ("trackstar_created_date", "trackstar_updated_date", "trackstar_tags")
RARE = {Fault.HANG, Fault.STORM, Fault.INVALID_JSON, Fault.HOOK_OUT_OF_ORDER}
"""Misbehaviours that need not befall a run of this length."""

Document = dict[str, Any]


class Chaos:
    """One run. What is random in it follows from ``seed``, as far as processes let it."""

    def __init__(self, directory: Path, database_url: str, *, workers: int, seed: int) -> None:
        self._directory = directory
        self._random = random.Random(seed)
        self._platform = Platform(seed, orders=0, products=30, rates=CALM)
        self._unicart = Unicart(directory / "data", database_url)
        self._port = free_port()
        self._unicart.environment |= {
            "UNICART_PUBLIC_URL": f"http://127.0.0.1:{self._port}",
            "UNICART_WEBHOOK_PRIVATE_NETWORK": "true",
        }
        self._workers: list[subprocess.Popen[str] | None] = [None] * workers
        self._api: subprocess.Popen[str] | None = None
        self._logs = 0
        self._base: dict[str, dict[str, Document]] = {}
        self.kills: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._platform.__enter__()
        self._receiver = ReceiverThread()
        self._reader = Reader(self._get)
        self._connect()
        return self

    def __exit__(self, *raised: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._reader.stop()
        for process in [self._api, *self._workers]:
            if process is not None:
                process.kill()
                process.communicate()
        self._platform.__exit__(*raised)
        self._receiver.stop()

    def live(self, kills: int) -> None:
        """Let the shop be busy and the platform hostile, and kill one process after another."""
        self._platform.rates = Rates()
        self._platform.busy(CHANGES_A_SECOND)
        self._reader.start()
        for _ in range(kills):
            time.sleep(self._random.uniform(0, LONGEST_LIFE))
            if self._random.random() < API_SHARE:
                self._kill("api", self._api)
                self._start_api()
            else:
                number = self._random.randrange(len(self._workers))
                self._kill("worker", self._workers[number])
                self._start_worker(number)

    def settle(self) -> None:
        """Calm everything down, and wait until all that happened has arrived."""
        self._platform.calm()
        calm = time.time()
        until(lambda: self._synced_since(calm))
        self._unicart.run("reconcile", self._connection)
        last = self._get("/events?after=latest")["next_cursor"]
        until(lambda: self._reader.cursor == last)
        until(self._all_sent)

    def verify(self) -> None:
        """Our copy is the platform's, the feed replayed builds the same copy, and every event was sent, signed."""
        assert self._unicart.show(self._connection)["quarantine"] == []
        served = {kind: self._served(kind) for kind in ("orders", "products", "warehouses")}
        expected = self._platform.expected()
        assert len(expected.orders) > 100
        orders = {id: content for id, content in served["orders"].items() if id not in expected.archived}
        assert bare(orders) == mapped(expected.orders)
        kept = {id: content for id, content in served["orders"].items() if id in expected.archived}
        assert bare(kept) == mapped({id: expected.archived[id] for id in kept})
        assert not expected.deleted & set(served["orders"])
        assert bare(served["products"]) == mapped(expected.products)
        assert bare(served["warehouses"]) == mapped(expected.warehouses)

        feed = self._feed()
        assert self._reader.events == feed, "a reader who keeps a cursor has seen exactly the feed"
        for kind, singular in (("orders", "order"), ("products", "product"), ("warehouses", "warehouse")):
            assert replayed(feed, f"cart-{singular}", self._base[kind]) == served[kind]
        sent = {event["id"]: event for event in self._receiver.events}
        assert sent == {event["id"]: event for event in feed if int(event["id"]) > self._endpoint_from}
        assert all(verified(request, self._secret) for request in self._receiver.sample())
        missing = {fault for fault in Fault if not self._platform.counts[fault]} - RARE
        assert not missing, f"the platform was not hostile enough: {missing}"

    def _connect(self) -> None:
        self._start_api()
        credentials = self._platform.credentials
        self._connection = self._unicart.connect(
            "hostile",
            *("--url", credentials["url"], "--client-id", credentials["client_id"], "--secret", credentials["secret"]),
        )
        assert self._platform.subscriptions, "the platform sends its webhooks from the beginning"
        self._unicart.sync()
        for function, every in (("get_orders", "1"), ("get_products", "3"), ("get_warehouses", "5")):
            self._unicart.run("schedule", self._connection, function, "--every", every)
        self._base = {kind: self._served(kind) for kind in ("orders", "products", "warehouses")}
        assert self._base["orders"] == {}
        made = self._post("/webhooks", {"url": self._receiver.url})["data"]
        self._secret, self._endpoint, self._endpoint_from = made["secret"], made["id"], int(made["cursor"])
        for number in range(len(self._workers)):
            self._start_worker(number)

    def _start_api(self) -> None:
        command = ("serve", "--no-worker", "--no-rate-limit", "--port", str(self._port))
        self._api = self._start(command, "Unicart answers")

    def _start_worker(self, number: int) -> None:
        self._workers[number] = self._start(("worker",), "The worker has begun")

    def _start(self, command: tuple[str, ...], ready: str) -> subprocess.Popen[str]:
        """A process that is at work."""
        self._logs += 1
        path = self._directory / f"{self._logs}-{command[0]}.log"
        with path.open("w") as log:
            process = self._unicart.start(*command, log=log.fileno())

        def begun() -> bool:
            assert process.poll() is None, path.read_text()
            return ready in path.read_text()

        until(begun)
        return process

    def _kill(self, what: str, process: subprocess.Popen[str] | None) -> None:
        assert process is not None
        assert process.poll() is None, f"the {what} has ended by itself"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.kills[what] += 1

    def _synced_since(self, moment: float) -> bool:
        """Whether every function has finished a run that began since ``moment``, and no webhook waits."""
        shown = self._unicart.show(self._connection)
        fresh = [each for each in shown["functions"] if epoch(each["started"]) > moment + 1]
        done = [each for each in fresh if each["finished"] and each["finished"] >= each["started"]]
        return len(done) == 3 and shown["waiting_webhooks"] == 0

    def _all_sent(self) -> bool:
        endpoint = self._get(f"/webhooks/{self._endpoint}")["data"]
        assert endpoint["failed"] == 0
        return bool(endpoint["waiting"] == 0 and endpoint["cursor"] == self._reader.cursor)

    def _served(self, kind: str) -> dict[str, Document]:
        lines = self._request(f"/cart/{kind}", accept="application/x-ndjson").splitlines()
        records = [decoded(line) for line in lines]
        assert len({record["id"] for record in records}) == len(records)
        return {record["id"]: record for record in records}

    def _feed(self) -> list[Document]:
        found: list[Document] = []
        cursor = "0"
        while True:
            page = self._get(f"/events?after={cursor}")
            if not page["data"]:
                return found
            found += page["data"]
            cursor = page["next_cursor"]

    def _get(self, path: str) -> Any:
        return decoded(self._request(path))

    def _post(self, path: str, body: Document) -> Any:
        return decoded(self._request(path, json.dumps(body).encode()))

    def _request(self, path: str, body: bytes | None = None, accept: str = "application/json") -> bytes:
        headers = {**self._unicart.headers, "accept": accept, "content-type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=30) as reply:
            return bytes(reply.read())


class Reader(threading.Thread):
    """Follows the feed by a cursor, and asks again where the server was killed."""

    def __init__(self, get: Callable[[str], Any]) -> None:
        super().__init__(daemon=True)
        self.events: list[Document] = []
        self.cursor = "0"
        self._read = get
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(0.1):
            try:
                page = self._read(f"/events?after={self.cursor}&limit=50")
            except (OSError, urllib.error.URLError, msgspec.DecodeError, EOFError):
                continue
            self.events += page["data"]
            self.cursor = page["next_cursor"]

    def stop(self) -> None:
        """End, if it ever began."""
        self._stopped.set()
        if self.is_alive():
            self.join()


class ReceiverThread:
    """A receiver of our webhooks in a thread; it refuses some messages, each at most once."""

    def __init__(self) -> None:
        self._random = random.Random(7)
        self._refused: set[str] = set()
        self._stop = threading.Event()
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        started.wait()

    async def _serve(self, started: threading.Event) -> None:
        async with receiving() as receiver:
            receiver.answers = self._answer
            self._receiver: Receiver = receiver
            self.url = receiver.url
            started.set()
            while not self._stop.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def _answer(self, request: Request) -> bytes:
        id = request.headers["webhook-id"]
        if id not in self._refused and self._random.random() < 0.05:
            self._refused.add(id)
            return answer(503)
        return answer(200)

    @property
    def events(self) -> list[Document]:
        return [decoded(request.body) for request in list(self._receiver.got)]

    def sample(self) -> list[Request]:
        """Some of the latest requests: signatures older than five minutes do not verify any more."""
        return self._receiver.got[-20:]

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def until(condition: Callable[[], bool]) -> None:
    """Wait for ``condition``."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def decoded(body: bytes) -> Any:
    """JSON with money as it was written."""
    return json.loads(body, parse_float=str)


def epoch(date: str | None) -> float:
    return 0.0 if date is None else time.mktime(time.strptime(date, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


def bare(documents: dict[str, Document]) -> dict[str, Document]:
    """Documents without what is ours."""
    return {
        id: {name: value for name, value in document.items() if name not in STAMPS}
        for id, document in documents.items()
    }


def mapped(records: "dict[str, Any]") -> dict[str, Document]:
    """Records of the connector as documents."""
    return {id: decoded(encode(record)) for id, record in records.items()}


def replayed(feed: list[Document], prefix: str, base: dict[str, Document]) -> dict[str, Document]:
    """What a reader holds who began with ``base`` and applied every event."""
    state = dict(base)
    for event in feed:
        kind, id = event["event_type"], event["data"].get("id")
        if kind == f"{prefix}.deleted":
            assert state.pop(id, None) is not None, "only what was there is deleted"
        elif kind == f"{prefix}.created":
            assert id not in state
            state[id] = event["data"]
        elif kind == f"{prefix}.updated":
            assert id in state
            state[id] = event["data"]
    return state
