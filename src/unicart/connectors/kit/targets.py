"""Where a URL really leads: its host is resolved and checked once, and connected to at the addresses that were checked.

A name that is resolved twice may lead elsewhere the second time (DNS rebinding), so the client must not resolve it again.
"""

import asyncio
import ipaddress
import socket
import ssl
from functools import lru_cache
from typing import TypeAlias
from urllib.request import getproxies, proxy_bypass

import httpx2
import msgspec

MOST_ADDRESSES = 4
"""How many addresses of one name are tried in turn."""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class BadTarget(ValueError):
    """The URL is malformed, is neither http nor https, or has a host that can be no host name."""


class PrivateTarget(ValueError):
    """The URL's host is, or has an address, on a private network."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is on a private network")
        self.host = host


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect instead of to a URL.

    ``urls``, tried in turn, are the URL with each address of its host; only the URL itself if it is not pinned. Send
    ``host`` in the header ``Host``, and ``sni_hostname``, if any, as the extension of that name of an httpx2 request, so
    that the certificate of the name is asked for and verified. ``proxy`` is the proxy to send it through; the proxy resolves the
    name.
    """

    urls: tuple[str, ...]
    host: str
    sni_hostname: str | None = None
    proxy: str | None = None


def parse(url: str) -> httpx2.URL:
    """``url`` as httpx2 understands it.

    Raises:
        BadTarget: it is malformed, not http or https, or without a host.
    """
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise BadTarget(f"the URL is malformed: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadTarget("the URL is not http or https")
    if not 0 < (parsed.port or 443) <= 65535:
        raise BadTarget(f"the URL is malformed: there is no port {parsed.port}")
    return parsed


async def resolve(url: str, *, private_network: bool) -> Target:
    """Resolve the host of ``url`` and check that each of its addresses is public, unless ``private_network``.

    With ``private_network`` nothing is resolved or pinned. A proxy of the environment (``HTTPS_PROXY``, ``NO_PROXY`` and
    so on) resolves names itself: then the host is checked as far as it can be resolved here, and not pinned.

    Raises:
        BadTarget: it is no URL that can be requested.
        PrivateTarget: an address of the host is not public.
        OSError: the host cannot be resolved now.
    """
    parsed = parse(url)
    host = parsed.netloc.decode("ascii")
    proxy = _proxy(parsed)
    if private_network:
        return Target(urls=(str(parsed),), host=host, proxy=proxy)
    name = parsed.raw_host.decode("ascii")
    try:
        addresses = await _lookup(name)
    except OSError:
        if proxy is None:
            raise
        return Target(urls=(str(parsed),), host=host, proxy=proxy)
    if not all(map(is_public, addresses)):
        raise PrivateTarget(parsed.host)
    if proxy is not None:
        return Target(urls=(str(parsed),), host=host, proxy=proxy)
    urls = tuple(str(parsed.copy_with(host=str(address))) for address in addresses[:MOST_ADDRESSES])
    return Target(urls=urls, host=host, sni_hostname=None if _is_address(name) else name.rstrip("."))


def is_public(address: Address) -> bool:
    """Whether everybody may reach ``address``; an IPv6 address that stands for an IPv4 address is judged as that."""
    address = _unwrapped(address)
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class PublicTransport(httpx2.AsyncBaseTransport):
    """Connects to public addresses only, at exactly the addresses that were checked; for `httpx2.AsyncClient`.

    A host that cannot be resolved is an `httpx2.ConnectError`. Connections are kept for each host by itself, because hosts
    behind one address must not share a connection that was proved for one of them.

    Raises:
        BadTarget, PrivateTarget: in place of the request, of which nothing was sent.
    """

    def __init__(self) -> None:
        self._transports: dict[tuple[str, str | None], httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            target = await resolve(str(request.url), private_network=False)
        except OSError as error:
            raise httpx2.ConnectError(f"{request.url.host} cannot be resolved: {error}", request=request) from error
        transport = self._transport(target)
        *others, last = (_pinned(request, target, url) for url in target.urls)
        for pinned in others:
            try:
                return await transport.handle_async_request(pinned)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await transport.handle_async_request(last)

    async def aclose(self) -> None:
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, target: Target) -> httpx2.AsyncHTTPTransport:
        key = target.host, target.proxy
        if key not in self._transports:
            self._transports[key] = httpx2.AsyncHTTPTransport(verify=certificates(), proxy=target.proxy)
        return self._transports[key]


@lru_cache
def certificates() -> ssl.SSLContext:
    """The certificates that servers are verified with, loaded once."""
    return httpx2.create_ssl_context()


def _pinned(request: httpx2.Request, target: Target, url: str) -> httpx2.Request:
    extensions = dict(request.extensions)
    if target.sni_hostname:
        extensions["sni_hostname"] = target.sni_hostname
    headers = httpx2.Headers(request.headers)
    headers["host"] = target.host
    return httpx2.Request(request.method, url, headers=headers, stream=request.stream, extensions=extensions)


async def _lookup(name: str) -> list[Address]:
    """The addresses of a host, the best one first."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise BadTarget(f"{name} is not a host name") from error
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


def _unwrapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address


def _is_address(name: str) -> bool:
    try:
        socket.inet_aton(name)
    except OSError:
        return ":" in name
    return True


def _proxy(url: httpx2.URL) -> str | None:
    """The proxy that the environment sets for ``url``."""
    proxies = getproxies()
    found = proxies.get(url.scheme) or proxies.get("all")
    if not found or proxy_bypass(url.netloc.decode("ascii")):
        return None
    return found if "://" in found else f"http://{found}"
