"""The least that a Python server can do: ``python -m bench.bare FILE PORT`` returns the bytes of FILE."""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

BODY = Path(sys.argv[1]).read_bytes()


async def answer(request: Request) -> Response:
    """The same bytes each time."""
    return Response(BODY, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        Starlette(routes=[Route("/", answer)]),
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
    )
