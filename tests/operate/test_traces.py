"""OpenTelemetry traces: which spans there are, that they belong together, and that nothing is loaded without them."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from product import Unicart

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_nothing_of_it_is_imported_when_it_is_off() -> None:
    program = "import sys, unicart.cli; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path: Path) -> None:
    blocked = (
        "import sys; sys.modules['opentelemetry'] = None; sys.argv[0] = 'unicart'; from unicart.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked, "org", "list", "--data-dir", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "UNICART_TRACES": "true"},
    )
    assert done.returncode == 1
    assert "pip install 'unicart[otel]'" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """A server that takes traces by OTLP over HTTP; its URL, and the spans that it was sent."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_requests_and_syncs_are_traced(tmp_path: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra unicart[otel] is not installed")
    unicart = Unicart(tmp_path / "data")
    connection_id = unicart.connect("sandbox", "--orders", "5")
    with collector() as (url, spans):
        unicart.environment |= {
            "UNICART_TRACES": "true",
            "UNICART_LOG_FORMAT": "json",
            "UNICART_LOG_REQUESTS": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        unicart.run("sync", connection_id, "--function", "get_orders")
        process = unicart.start("api", "--port", "0", log=subprocess.PIPE)
        assert process.stderr is not None
        base = next(line for line in process.stderr if "http://" in line).split()[-1]
        headers = {**unicart.headers, "traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x-request-id": "ours-1"}
        urllib.request.urlopen(urllib.request.Request(f"{base}/cart/orders", headers=headers), timeout=60).read()
        process.terminate()
        _, log = process.communicate(timeout=60)
    (sync,) = [span for span in spans if span.name == "sync get_orders"]
    assert attributes(sync)["unicart.connection_id"] == connection_id
    pages = [span for span in spans if span.name == "store page"]
    assert pages
    assert {page.parent_span_id for page in pages} == {sync.span_id}
    (request,) = [span for span in spans if span.name == "GET /cart/orders"]
    assert request.trace_id.hex() == TRACE
    assert attributes(request)["unicart.request_id"] == "ours-1"
    assert attributes(request)["http.response.status_code"] == 200
    (line,) = [json.loads(line) for line in log.splitlines() if "ours-1" in line]
    assert line["trace_id"] == TRACE
    sent = b"".join(span.SerializeToString() for span in spans)
    for secret in unicart.headers.values():
        assert secret.encode() not in sent
