"""Acme, a shop with a small JSON API: ``python server.py [PORT]``. The API key is ``acme-key``."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

API_KEY = "acme-key"
ORDERS = json.loads((Path(__file__).parent / "orders.json").read_text(encoding="utf-8"))


def orders(query: dict[str, str]) -> list[dict[str, object]]:
    """Those of ``ids``; or those behind ``after_id`` at ``from``, up to ``to``, by the date ``by`` and by id."""
    if "ids" in query:
        wanted = query["ids"].split(",")
        return [order for order in ORDERS if order["id"] in wanted]
    by, start = query["by"], (query.get("from", ""), query.get("after_id", ""))
    chosen = [order for order in ORDERS if (order[by], order["id"]) > start and order[by] <= query.get("to", "9")]
    return sorted(chosen, key=lambda order: (order[by], order["id"]))[: int(query["limit"])]


class Acme(BaseHTTPRequestHandler):
    """Answers GET /account and GET /orders."""

    def do_GET(self) -> None:
        """Answer one request."""
        url = urlsplit(self.path)
        if self.headers["authorization"] != f"Bearer {API_KEY}":
            self._answer(401, {"message": "unknown key"})
        elif url.path == "/account":
            self._answer(200, {"id": "acme-1", "name": "Acme Toys"})
        elif url.path == "/orders":
            self._answer(200, {"orders": orders(dict(parse_qsl(url.query)))})
        else:
            self._answer(404, {"message": "no such page"})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8100), Acme)
    print(f"Acme answers at http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
