"""Somebody's web application that connects shops: a React page with the vendor's own package, and the backend behind it."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from live.node import installed

FOLDER = Path(__file__).parent / "page"
SCRIPTS = {
    "/react.js": "react/umd/react.development.js",
    "/react-dom.js": "react-dom/umd/react-dom.development.js",
    "/link.js": "@trackstar/react-trackstar-link/dist/index.umd.js",
}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>An application</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body { font: 16px sans-serif; padding: 40px; background: #fff; color: #222 }</style></head>
<body><h1>An application</h1><div id="app"></div>%s
<script src="/react.js"></script><script src="/react-dom.js"></script><script src="/link.js"></script>
<script src="/app.js"></script></body></html>"""
APP = """
const config = JSON.parse(new URLSearchParams(location.search).get("config") || "{}");
window.seen = { success: [], closed: 0, loaded: 0, stored: null };
const send = (path, body) => fetch(path, { method: "POST", body: JSON.stringify(body) }).then((reply) => reply.json());

function App() {
  const [shop, setShop] = React.useState("none");
  return React.createElement("div", null,
    React.createElement(TrackstarLink.TrackstarConnectButton, {
      integrationType: "cart",
      ...config,
      getLinkToken: async () => (await send("/link-token", config.token || {})).link_token,
      onSuccess: async (authCode, integrationName) => {
        seen.success.push([authCode, integrationName]);
        seen.stored = await send("/store-token", { auth_code: authCode });
        setShop(integrationName);
      },
      onClose: () => { seen.closed += 1; },
      onLoad: () => { seen.loaded += 1; },
    }),
    React.createElement("p", { id: "shop" }, `Connected: ${shop}`));
}
ReactDOM.createRoot(document.getElementById("app")).render(React.createElement(React.StrictMode, null, React.createElement(App)));
"""


class Backend:
    """The backend; ``unicart`` is the base URL of the Unicart that it uses, with this API key."""

    def __init__(self, unicart: str, api_key: str) -> None:
        self.unicart = unicart
        self.api_key = api_key
        self.exchanged: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.url = ""

    def ask(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        """What Unicart's API answers."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"x-trackstar-api-key": self.api_key, "content-type": "application/json", **headers}
        with urllib.request.urlopen(urllib.request.Request(f"{self.unicart}{path}", data, sent), timeout=60) as reply:
            return json.load(reply)


@contextmanager
def running(unicart: str, api_key: str) -> Iterator[Backend]:
    """The application on any free port of localhost. ``/inert`` is the page that brings Unicart's script itself."""
    scripts = installed(FOLDER) / "node_modules"
    backend = Backend(unicart, api_key)
    inert = (
        '<script type="text/plain" src="https://link.trackstarhq.com/main.js"></script>'
        f'<script src="{unicart}/main.js"></script>'
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path in SCRIPTS:
                self._send((scripts / SCRIPTS[path]).read_bytes(), "text/javascript")
            elif path == "/app.js":
                self._send(APP.encode(), "text/javascript")
            elif path in ("/", "/inert"):
                self._send((PAGE % (inert if path == "/inert" else "")).encode(), "text/html")
            else:
                # As a Medusa, it knows no key.
                self.send_error(401 if path.startswith("/admin") else 404)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path == "/link-token":
                answer = backend.ask("/link/token", body)
            else:
                answer = backend.ask("/link/exchange", body)
                backend.exchanged.append(answer)
            self._send(
                json.dumps({name: answer[name] for name in answer if name != "access_token"}).encode(), "text/json"
            )

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    backend.url = f"http://localhost:{server.server_port}"
    try:
        yield backend
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
