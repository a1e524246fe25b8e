"""Pages and single orders: against nginx, a bare handler, an early page, and a small shop."""

from bench.load import Load, compare, drive
from bench.report import Figure
from bench.servers import CACHE, Unicart, bare, nginx

PAGE = "/cart/orders?limit=1000"
NGINX_GOALS = {"SQLite": ">= 0.26", "PostgreSQL": ">= 0.19"}
LATE = 900


def against_nginx(server: Unicart, database: str, seconds: int, rounds: int) -> list[Figure]:
    """A full page against the same bytes as a static file, one worker each; and the cost of compressed pages."""
    body = server.body(PAGE)
    page = server.target(PAGE)
    with nginx(body, CACHE / "nginx") as static:
        ours, theirs = compare(page, static, seconds, rounds)
    group = f"A 1000-order page ({len(body) / 1e6:.2f} MB), {database}"
    detail = f"{ours.rate:.0f} req/s, nginx {theirs.rate:.0f}; CPU {_ms(ours)}, nginx {_ms(theirs)} per page"
    figures = [
        Figure(group, "requests per second ÷ nginx", ours.rate / theirs.rate, NGINX_GOALS[database], detail),
        Figure(group, "the aim", ours.rate / theirs.rate, ">= 0.5", ""),
    ]
    for coding in ("gzip", "zstd"):
        coded = drive(server.target(PAGE, {"accept-encoding": coding}), seconds)
        detail = f"{coded.rate:.0f} req/s; CPU {_ms(coded)} per page"
        figures.append(Figure(group, f"CPU of a {coding} page ÷ plain", coded.cpu / ours.cpu, "", detail))
    return figures


def one_order(server: Unicart, database: str, seconds: int, rounds: int) -> list[Figure]:
    """The smallest requests against a bare handler that returns the same bytes."""
    id = server.get("/cart/orders?limit=1")["data"][0]["id"]
    figures = []
    for name, path in (("a list of one", "/cart/orders?limit=1"), ("one order by id", f"/cart/orders/{id}")):
        with bare(server.body(path), CACHE / "bare", server.headers) as least:
            ours, theirs = compare(server.target(path), least, seconds, rounds)
        detail = f"{_us(ours)} per request, bare Starlette {_us(theirs)}; {ours.rate:.0f} req/s"
        group = f"One order, {database}"
        figures.append(Figure(group, f"CPU of {name} ÷ bare", ours.cpu / theirs.cpu, "<= 2", detail))
    return figures


def late_page(server: Unicart, database: str, seconds: int, rounds: int) -> list[Figure]:
    """A page far down a walk against the first."""
    path, count = PAGE, 1
    while count < LATE:
        token = server.get(path)["next_token"]
        if token is None:
            break
        path, count = f"{PAGE}&page_token={token}", count + 1
    late, first = compare(server.target(path), server.target(PAGE), seconds, rounds, 1)
    detail = f"CPU {_ms(late)}, page 1 {_ms(first)}"
    return [Figure(f"Depth, {database}", f"CPU of page {count} ÷ page 1", late.cpu / first.cpu, "<= 1.2", detail)]


def against_small_shop(large: Unicart, small: Unicart, database: str, seconds: int, rounds: int) -> list[Figure]:
    """A page of the large shop against the same of a shop of 10,000 orders."""
    figures = []
    for name, path in (("1000 orders", PAGE), ("100 open orders", "/cart/orders?limit=100&status=open")):
        ours, theirs = compare(large.target(path), small.target(path), seconds, rounds, 1)
        per_byte = len(small.body(path)) / len(large.body(path))
        detail = f"CPU {_ms(ours)}, small shop {_ms(theirs)}; sizes evened"
        name = f"CPU of {name} ÷ at 10,000 orders"
        ratio = ours.cpu / theirs.cpu * per_byte
        figures.append(Figure(f"Size of the shop, {database}", name, ratio, "<= 1.2", detail))
    return figures


def _ms(load: Load) -> str:
    return f"{load.cpu * 1e3:.2f} ms"


def _us(load: Load) -> str:
    return f"{load.cpu * 1e6:.0f} µs"
