"""Random bytes in every place of a request: the answer is never a 5xx, and it always comes."""

import re
import socket
from typing import Any
from urllib.parse import quote_from_bytes, urlsplit

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

PLAIN = b"GET /cart/orders HTTP/1.1"
ANY = st.binary(max_size=60)
ONE_LINE = ANY.map(lambda raw: re.sub(rb"[\r\n]", b"", raw))
PATHS = [
    "/cart/orders/%s",
    "/cart/products/%s",
    "/cart/warehouses/%s",
    "/cart/%s",
    "/%s",
    "/cart/orders/%s/trackstar-tags",
]

fuzzed = settings(
    max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def address(access: dict[str, Any]) -> tuple[str, int]:
    url = urlsplit(access["base_url"])
    return url.hostname or "", url.port or 0


def send(address: tuple[str, int], request: bytes, *, whole: bool = True) -> int | None:
    """The status of the answer to exactly these bytes, null if there is none.

    After bytes that are no ``whole`` request nothing more is sent. A server takes that for the client's end.
    """
    with socket.create_connection(address, timeout=20) as opened:
        opened.sendall(request)
        if not whole:
            opened.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: opened.recv(65536), b""))
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", received)
    assert status or not received, received[:100]
    return int(status[1]) if status else None


def head(line: bytes, credentials: dict[str, str], *more: tuple[bytes, bytes]) -> bytes:
    """A request's first lines, with valid credentials unless ``more`` replaces them."""
    headers = {name.encode(): value.encode() for name, value in credentials.items()} | {b"host": b"x", **dict(more)}
    lines = [line, *(name + b": " + value for name, value in headers.items()), b"connection: close"]
    return b"\r\n".join(lines) + b"\r\n\r\n"


@fuzzed
@given(raw=ONE_LINE, header=st.sampled_from([b"x-trackstar-api-key", b"x-trackstar-access-token"]))
@example(raw=b"", header=b"x-trackstar-api-key")
@example(raw=b"\xff\xfe", header=b"x-trackstar-access-token")
@example(raw=b"a" * 60_000, header=b"x-trackstar-api-key")
def test_any_key_or_token_is_refused(
    raw: bytes, header: bytes, address: tuple[str, int], credentials: dict[str, str]
) -> None:
    assert send(address, head(PLAIN, credentials, (header, raw))) in (400, 401, 431)


@fuzzed
@given(
    raw=ONE_LINE,
    header=st.sampled_from(
        [b"accept", b"accept-encoding", b"x-request-id", b"range", b"cookie", b"if-none-match", b"x"]
    ),
)
@example(raw=b"gzip;q=nan, zstd;q=1e999, *;q=-1", header=b"accept-encoding")
@example(raw=b"application/x-ndjson;q=\xb2", header=b"accept")
def test_any_other_header_changes_nothing_or_is_refused(
    raw: bytes, header: bytes, address: tuple[str, int], credentials: dict[str, str]
) -> None:
    assert send(address, head(b"GET /cart/orders?limit=1 HTTP/1.1", credentials, (header, raw))) in (200, 400)


@fuzzed
@given(
    raw=ANY, path=st.sampled_from(PATHS), method=st.sampled_from(["GET", "PUT", "HEAD", "POST", "DELETE", "OPTIONS"])
)
@example(raw=b"..", path="/%s", method="GET")
@example(raw=b"\x00", path="/cart/orders/%s", method="GET")
@example(raw=b"\xed\xa0\x80", path="/cart/orders/%s", method="GET")
def test_any_path_is_found_or_not(
    raw: bytes, path: str, method: str, address: tuple[str, int], credentials: dict[str, str]
) -> None:
    for written in (quote_from_bytes(raw, safe="").encode(), re.sub(rb"[\x00-\x20\x7f-\xff]", b"", raw)):
        line = b"%s %s HTTP/1.1" % (method.encode(), path.encode() % written)
        status = send(address, head(line, credentials, (b"content-length", b"0")))
        assert status is not None
        assert status < 500, line


@fuzzed
@given(
    raw=ANY,
    name=st.sampled_from(["page_token", "ids[in]", "order_number", "status[in]", "created_date[gt]", "limit", ""]),
)
@example(raw=b"\xff", name="ids[in]")
@example(raw=b"\xed\xa0\x80", name="order_number")
def test_any_value_of_a_parameter_is_taken_or_refused(
    raw: bytes, name: str, address: tuple[str, int], credentials: dict[str, str]
) -> None:
    for written in (quote_from_bytes(raw, safe="").encode(), re.sub(rb"[\x00-\x20\x7f-\xff]", b"", raw)):
        line = b"GET /cart/orders?%s=%s HTTP/1.1" % (name.encode(), written)
        assert send(address, head(line, credentials)) in (200, 400, 422), line


@fuzzed
@given(body=ANY)
@example(body=b"{" * 60)
@example(body=b'{"tags": [NaN]}')
@example(body=b'{"tags": ["\\ud800"]}')
@example(body=b"[" * 5000)
@example(body=b'{"tags": ' + b"[" * 5000)
def test_any_body_of_tags_is_refused(
    body: bytes, address: tuple[str, int], credentials: dict[str, str], http: httpx2.Client
) -> None:
    id = http.get("/cart/warehouses", params={"limit": 1}).json()["data"][0]["id"]
    line = f"PUT /cart/warehouses/{id}/trackstar-tags HTTP/1.1".encode()
    length = str(len(body)).encode()
    request = head(line, credentials, (b"content-length", length), (b"content-type", b"application/json"))
    assert send(address, request + body) in (400, 415, 422)


@fuzzed
@given(raw=st.binary(max_size=300))
@example(raw=b"")
@example(raw=PLAIN)
@example(raw=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
def test_bytes_that_are_no_request_are_refused(raw: bytes, address: tuple[str, int], http: httpx2.Client) -> None:
    status = send(address, raw, whole=False)
    assert status is None or status < 500
    assert http.get("/healthz").status_code == 200
