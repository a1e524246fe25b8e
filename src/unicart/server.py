"""Run the API under uvicorn, in this process."""

import asyncio
import gc
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
import uvloop

from unicart.api.app import create_app
from unicart.api.authentication import KeyUses
from unicart.dashboard.app import routes as dashboard_routes
from unicart.link.routes import routes as link_routes
from unicart.settings import Settings
from unicart.store.database import open_database
from unicart.store.secrets import Vault

log = logging.getLogger(__name__)

WORKER_PAUSE = 1.0
"""Seconds before a worker that ended is started again."""


class PortTaken(Exception):
    """The address cannot be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises:
        PortTaken: another program has the port, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(f"{host}:{port} cannot be listened on: {error.strerror}. Choose another --port.") from error
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener


def base_url(listener: socket.socket) -> str:
    """The URL of a listening socket, as this machine reaches it."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def serve(
    settings: Settings, vault: Vault, listener: socket.socket, ready: Callable[[], None], *, worker: bool
) -> None:
    """Answer requests on ``listener`` until SIGTERM or Ctrl-C; ``ready`` is called once they are answered.

    With ``worker``, a process beside this one syncs the connections, so that no sync holds up an answer.
    """
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, vault, listener, ready, worker))


async def _serve(
    settings: Settings, vault: Vault, listener: socket.socket, ready: Callable[[], None], worker: bool
) -> None:
    database = await open_database(settings.store_url)
    uses = KeyUses(database)
    beside = [asyncio.create_task(uses.keep())]
    if worker:
        beside.append(asyncio.create_task(_keep_worker(settings)))
    try:
        extra = [*link_routes(database, vault, settings), *dashboard_routes(database, vault, settings, uses)]
        app = create_app(database, vault, settings, extra=extra, key_uses=uses)
        # What is loaded by now stays: collections need not look at it again.
        gc.collect()
        gc.freeze()
        server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                http="httptools",
                lifespan="on",
                timeout_graceful_shutdown=10,
            ),
            ready,
        )
        await server.serve(sockets=[listener])
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await database.close()


async def _keep_worker(settings: Settings) -> None:
    """Run ``unicart worker``, and start it again should it end."""
    command = [sys.executable, "-m", "unicart.cli", "worker", "--data-dir", settings.data_dir]
    while True:
        # In a session of its own, so that Ctrl-C reaches only this process, which then stops the worker.
        process = await asyncio.create_subprocess_exec(*command, "--beside", str(os.getpid()), start_new_session=True)
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
        log.error("The worker ended with status %s and is started again.", status)
        await asyncio.sleep(WORKER_PAUSE)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn does, but a signal that has stopped the server does not kill the process too: it ends with 0."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()
