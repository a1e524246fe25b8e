"""Pages and parts of pages, with the headers that keep them safe."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.types import Scope

from unicart.api.reply import Reply

HTML = (b"content-type", b"text/html; charset=utf-8")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors {ancestors}"
)


class Pages:
    """Renders templates; everything that is put into one is escaped."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("unicart.link", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def part(self, name: str, **values: Any) -> str:
        """A part of a page, as HTML."""
        return self._environment.get_template(f"{name}.html").render(values)

    def page(
        self, scope: Scope, name: str, values: Mapping[str, Any], *, ancestor: str = "", status: int = 200
    ) -> Reply:
        """A whole page, which only pages of the origin ``ancestor`` may frame; none may without one."""
        policy = POLICY.format(ancestors=ancestor or "'none'")
        scope["unicart.headers"] += [
            (b"content-security-policy", policy.encode()),
            (b"referrer-policy", b"no-referrer"),
            (b"x-content-type-options", b"nosniff"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
        ]
        return Reply(self.part(name, **values).encode(), HTML, status)
