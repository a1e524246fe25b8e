"""Names are resolved once: what was checked is what is connected to, under the name's own certificate."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.kit.server import ScriptedServer, answer, scripted_server
from unicart.connectors.kit import PlatformUnavailable, RequestRefused, Session, targets
from unicart.connectors.kit.targets import BadTarget, PrivateTarget, PublicTransport, Target, resolve

pytestmark = pytest.mark.anyio
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
Names = dict[str, list[str]]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The addresses of host names; others cannot be resolved, and addresses are their own."""
    known: Names = {}
    really = socket.getaddrinfo

    def lookup(host: str, port: Any, *rest: Any, **more: Any) -> Any:
        if host not in known:
            return really(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [entry for address in known[host] for entry in really(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return known


@pytest.fixture
def loopback_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that something public can be connected to here; 127.0.0.9 stays private."""
    monkeypatch.setattr(targets, "is_public", lambda address: str(address) != "127.0.0.9")


PUBLIC = ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    *("0.0.0.1", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"),
    *("192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "fe80::1", "fec0::1", "fc00::1", "ff02::1", "2001:db8::1", "2001:0:1::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2002:7f00:1::", "2002:a00:1::1"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert targets.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not targets.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("url", "pinned", "host", "sni"),
    [
        ("https://shop.example/a?b=%20c", "https://8.8.8.8/a?b=%20c", "shop.example", "shop.example"),
        ("http://shop.example:8080/", "http://8.8.8.8:8080/", "shop.example:8080", "shop.example"),
        ("https://SHOP.example:443/", "https://8.8.8.8/", "shop.example", "shop.example"),
        ("https://shop.example./", "https://8.8.8.8/", "shop.example.", "shop.example"),
        ("https://user:pw@shop.example/", "https://user:pw@8.8.8.8/", "shop.example", "shop.example"),
        ("https://six.example:81/x", "https://[2606:4700::1]:81/x", "six.example:81", "six.example"),
        ("https://bücher.example/", "https://8.8.8.8/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://8.8.8.8:81/x", "https://8.8.8.8:81/x", "8.8.8.8:81", None),
        ("https://[2606:4700::1]:81/x", "https://[2606:4700::1]:81/x", "[2606:4700::1]:81", None),
        ("http://134744072/", "http://8.8.8.8/", "134744072", None),
    ],
)
async def test_a_url_leads_to_the_address_under_the_name(
    url: str, pinned: str, host: str, sni: str | None, names: Names
) -> None:
    for name in ("shop.example", "shop.example.", "xn--bcher-kva.example"):
        names[name] = ["8.8.8.8"]
    names["six.example"] = ["2606:4700::1"]
    assert await resolve(url, private_network=False) == Target(urls=(pinned,), host=host, sni_hostname=sni)


async def test_one_private_address_among_others_is_enough(names: Names) -> None:
    names["shop.example"] = ["8.8.8.8", "10.0.0.1"]
    with pytest.raises(PrivateTarget, match=r"^shop\.example is on a private network$") as raised:
        await resolve("https://shop.example/", private_network=False)
    assert raised.value.host == "shop.example"


@pytest.mark.parametrize("url", ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://[::ffff:7f00:1]/"])
async def test_other_ways_to_write_an_address_are_that_address(url: str, names: Names) -> None:
    with pytest.raises(PrivateTarget):
        await resolve(url, private_network=False)


@pytest.mark.parametrize("private_network", [True, False])
@pytest.mark.parametrize("url", ["", "shop.example", "ftp://shop.example/", "http://", "http://[::1", "http://h:99999"])
async def test_what_is_no_url_is_refused(url: str, private_network: bool) -> None:
    with pytest.raises(BadTarget):
        await resolve(url, private_network=private_network)


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "a..example"])
async def test_what_is_no_host_name_is_refused(host: str) -> None:
    with pytest.raises(BadTarget, match="not a host name"):
        await resolve(f"http://{host}/", private_network=False)


async def test_a_private_network_that_is_allowed_is_not_looked_at(names: Names) -> None:
    target = await resolve("http://10.0.0.1:81/x", private_network=True)
    assert target == Target(urls=("http://10.0.0.1:81/x",), host="10.0.0.1:81")


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"https_proxy": "http://proxy:3128"}, "https://shop.example/", "http://proxy:3128"),
        ({"HTTPS_PROXY": "proxy:3128"}, "https://shop.example/", "http://proxy:3128"),
        ({"ALL_PROXY": "http://proxy:3128"}, "http://shop.example/", "http://proxy:3128"),
        ({"http_proxy": "http://proxy:3128"}, "https://shop.example/", None),
        ({"https_proxy": "http://proxy", "no_proxy": "shop.example"}, "https://shop.example/", None),
        ({"https_proxy": "http://proxy", "no_proxy": ".example"}, "https://shop.example/", None),
        ({"https_proxy": "http://proxy", "no_proxy": "*"}, "https://shop.example/", None),
        ({"https_proxy": "http://proxy", "no_proxy": "other.example"}, "https://shop.example/", "http://proxy"),
    ],
)
async def test_a_proxy_gets_the_name_and_nothing_else_is_left_to_it(
    environment: dict[str, str], url: str, proxy: str | None, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    names["shop.example"] = ["8.8.8.8"]
    target = await resolve(url, private_network=False)
    assert target.proxy == proxy
    assert target.urls == ((url,) if proxy else (url.replace("shop.example", "8.8.8.8"),))
    names["shop.example"] = ["10.0.0.1"]
    with pytest.raises(PrivateTarget):
        await resolve(url, private_network=False)


async def test_a_proxy_may_know_names_that_cannot_be_resolved_here(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match="not known"):
        await resolve("https://shop.example/", private_network=False)
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    assert (await resolve("https://shop.example/", private_network=False)).urls == ("https://shop.example/",)


async def test_the_transport_asks_a_proxy_of_the_environment(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    names["shop.example"] = ["8.8.8.8"]
    async with scripted_server() as proxy:
        proxy.script(answer(200))
        monkeypatch.setenv("http_proxy", proxy.url)
        async with httpx2.AsyncClient(transport=PublicTransport()) as client:
            await client.get("http://shop.example/orders?a=b")
        assert [request.target for request in proxy.requests] == ["http://shop.example/orders?a=b"]


@pytest.mark.usefixtures("loopback_is_public")
async def test_a_name_that_leads_elsewhere_the_second_time_is_not_followed(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer is public, every later one is not: only the first may be connected to."""
    async with scripted_server() as server:
        port = server.url.rpartition(":")[2]
        really, asked = socket.getaddrinfo, []

        def rebinding(host: str, *rest: Any, **more: Any) -> Any:
            if host == "shop.example":
                asked.append(host)
                host = "127.0.0.1" if len(asked) == 1 else "127.0.0.9"
            return really(host, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        session = Session(f"http://shop.example:{port}", private_network=False)
        await session.request("GET", "/")
        assert [request.headers["host"] for request in server.requests] == [f"shop.example:{port}"]
        with pytest.raises(RequestRefused, match=r"shop\.example is on a private network"):
            await session.request("GET", "/")
        await session.close()
        assert asked == ["shop.example", "shop.example"]
        assert len(server.requests) == 1


@pytest.mark.usefixtures("loopback_is_public")
async def test_the_next_address_is_tried_where_one_does_not_answer(names: Names) -> None:
    async with scripted_server() as server:
        names["shop.example"] = ["127.0.0.7", "127.0.0.1"]
        async with httpx2.AsyncClient(transport=PublicTransport()) as client:
            reply = await client.post(f"http://shop.example:{server.url.rpartition(':')[2]}/", content=b"once")
        assert reply.status_code == 200
        assert [request.body for request in server.requests] == [b"once"]


@pytest.mark.usefixtures("loopback_is_public")
async def test_cookies_belong_to_the_name(names: Names) -> None:
    async with scripted_server() as server:
        names["shop.example"] = ["127.0.0.1"]
        server.script(answer(200, set_cookie="session=1; Domain=shop.example"), answer(200))
        async with httpx2.AsyncClient(transport=PublicTransport()) as client:
            for _ in range(2):
                await client.get(f"http://shop.example:{server.url.rpartition(':')[2]}/")
        assert server.requests[1].headers["cookie"] == "session=1"


async def test_a_name_that_cannot_be_resolved_is_unavailable(names: Names) -> None:
    session = Session("https://shop.example", private_network=False, patience=0.01)
    with pytest.raises(PlatformUnavailable, match=r"shop\.example cannot be resolved"):
        await session.request("GET", "/")
    await session.close()


def certificate(name: str, folder: Path) -> tuple[Path, Path]:
    """A certificate for ``name`` signed by itself, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(built.public_bytes(encoding))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(encoding, *plain))
    return paths


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], tuple[Path, Path]]]:
    """Makes certificates that our client trusts."""
    bundle = tmp_path / "bundle.pem"
    bundle.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    targets.certificates.cache_clear()

    def make(name: str) -> tuple[Path, Path]:
        paths = certificate(name, tmp_path)
        bundle.write_bytes(bundle.read_bytes() + paths[0].read_bytes())
        return paths

    yield make
    targets.certificates.cache_clear()


@asynccontextmanager
async def secure_server(paths: tuple[Path, Path], asked: list[str | None]) -> AsyncIterator[int]:
    """The port of a server with this certificate that notes which name it was asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    context.sni_callback = lambda _, name, __: asked.append(name)
    scripted = ScriptedServer(answers=[answer(200)])
    server = await asyncio.start_server(scripted.handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.usefixtures("loopback_is_public")
async def test_the_certificate_is_that_of_the_name(names: Names, trusted: Callable[[str], tuple[Path, Path]]) -> None:
    names["shop.example"] = names["other.example"] = ["127.0.0.1"]
    asked: list[str | None] = []
    client = httpx2.AsyncClient(transport=PublicTransport())
    async with secure_server(trusted("shop.example"), asked) as port, client:
        assert (await client.get(f"https://shop.example:{port}/")).status_code == 200
        for other in ("other.example", "127.0.0.1"):
            with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get(f"https://{other}:{port}/")
    assert asked == ["shop.example", "other.example", None]
