"""``/main.js``, which pages load to open the dialog, and the files that the dialog's own pages load."""

from importlib.resources import files

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from unicart.api.links import base_url
from unicart.api.reply import Endpoint, Reply
from unicart.contract.errors import NotFound

JAVASCRIPT = (b"content-type", b"text/javascript; charset=utf-8")
ASSETS = {"dialog.js": JAVASCRIPT, "dialog.css": (b"content-type", b"text/css; charset=utf-8")}
NOSNIFF = (b"x-content-type-options", b"nosniff")
ANY_PAGE = (b"cross-origin-resource-policy", b"cross-origin")


def routes(public_url: str) -> list[Route]:
    """``/main.js`` and ``/link/assets/…``."""
    folder = files("unicart.link") / "assets"
    source = (folder / "main.js").read_text(encoding="utf-8")
    contents = {name: (folder / name).read_bytes() for name in ASSETS}

    async def main(request: Request) -> Reply:
        """The script that defines ``window.Trackstar``."""
        request.scope["unicart.route"] = "/main.js"
        request.scope["unicart.headers"] += [NOSNIFF, ANY_PAGE]
        base = msgspec.json.encode(base_url(request, public_url)).decode()
        return Reply(source.replace('"BASE_URL"', base).encode(), JAVASCRIPT)

    async def asset(request: Request) -> Reply:
        """A file of the dialog."""
        request.scope["unicart.route"] = "/link/assets/{file}"
        name: str = request.path_params["file"]
        if name not in ASSETS:
            raise NotFound(f"There is no page at {request.url.path}", id=request.url.path)
        request.scope["unicart.headers"].append(NOSNIFF)
        return Reply(contents[name], ASSETS[name])

    return [
        Route("/main.js", Endpoint(main), methods=["GET"]),
        Route("/link/assets/{file}", Endpoint(asset), methods=["GET"]),
    ]
