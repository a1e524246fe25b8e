"""The OpenAPI document and the interactive documentation, served without any other site."""

from pathlib import Path

from starlette.requests import Request
from starlette.routing import Route
from swagger_ui_bundle import swagger_ui_path

from unicart.api.openapi import document
from unicart.api.reply import Endpoint, Reply
from unicart.contract.common import encode
from unicart.contract.errors import NotFound

HTML = (b"content-type", b"text/html; charset=utf-8")
ASSETS = {
    "swagger-ui.css": (b"content-type", b"text/css; charset=utf-8"),
    "swagger-ui-bundle.js": (b"content-type", b"text/javascript; charset=utf-8"),
    "favicon-32x32.png": (b"content-type", b"image/png"),
}
START = rb"""const isCredential = (parameter) => parameter.in === "header" && parameter.name.startsWith("x-");

// "Try it out" would send the example of every parameter, and nothing matches all of them.
const describedByExample = ({ example, ...parameter }) => ({
  ...parameter, description: `${parameter.description} Example: \`${[].concat(example).join(",")}\`.`,
});

window.onload = async () => {
  const spec = await (await fetch("openapi.json")).json();
  // The Authorize button sends these headers, so no operation needs to ask for them again.
  for (const path of Object.values(spec.paths)) {
    for (const operation of Object.values(path)) {
      const asked = (operation.parameters || []).filter((parameter) => !isCredential(parameter));
      operation.parameters = asked.map(describedByExample);
    }
  }
  window.ui = SwaggerUIBundle({
    spec, dom_id: "#ui", deepLinking: true, persistAuthorization: true, validatorUrl: null, defaultModelsExpandDepth: 0,
  });
};
"""
PAGE = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Unicart API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""


def routes() -> list[Route]:
    """``/openapi.json`` and ``/docs`` with its assets."""
    openapi = encode(document())
    folder = Path(str(swagger_ui_path))

    async def openapi_json(request: Request) -> Reply:
        """The OpenAPI document."""
        request.scope["unicart.route"] = "/openapi.json"
        return Reply(openapi)

    async def page(request: Request) -> Reply:
        """The interactive documentation."""
        request.scope["unicart.route"] = "/docs"
        return Reply(PAGE, HTML)

    async def asset(request: Request) -> Reply:
        """A file of the documentation page."""
        request.scope["unicart.route"] = "/docs/{file}"
        name: str = request.path_params["file"]
        if name == "start.js":
            return Reply(START, ASSETS["swagger-ui-bundle.js"])
        if name not in ASSETS:
            raise NotFound(f"There is no page at {request.url.path}", id=request.url.path)
        return Reply((folder / name).read_bytes(), ASSETS[name])

    return [
        Route("/openapi.json", Endpoint(openapi_json), methods=["GET"]),
        Route("/docs", Endpoint(page), methods=["GET"]),
        Route("/docs/{file}", Endpoint(asset), methods=["GET"]),
    ]
