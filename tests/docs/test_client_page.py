"""The examples of docs/client.md and of the README, run one after the other against a demo."""

import asyncio
import base64
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

import unicart.client
from product import demo
from unicart.client.errors import BY_STATUS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "client.md"


def examples(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def test_the_examples_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "whsec_" + base64.b64encode(b"a secret of the endpoint").decode()
    now = datetime.now(UTC)
    signature = Webhook(secret).sign("msg_1", now, "{}")
    with demo(tmp_path / "data", "--orders", "120") as access:
        names: dict[str, Any] = {
            **{name: access[name] for name in ("base_url", "api_key", "access_token")},
            "cursor": None,
            "secret": secret,
            "body": b"{ }",
            "headers": {
                "webhook-id": "msg_1",
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signature,
            },
        }
        run = examples(PAGE)
        assert len(run) == 10
        for example in run:
            exec(example, names)  # noqa: S102
        assert asyncio.run(names["count"]()) == 120
        names["client"].close()
        printed = capsys.readouterr().out
        (short,) = examples(ROOT / "README.md")
        exec(short, names)  # noqa: S102
        assert re.fullmatch(r"(#\d+ [\d.]+\n)+", capsys.readouterr().out)
    assert "fulfilled []" in printed
    assert "{'json': {'carrier_name': ['is required']}}" in printed
    assert names["status"] == 400
    assert names["feed"].cursor is not None


def test_every_error_and_method_is_on_the_page() -> None:
    text = PAGE.read_text()
    for status, error in BY_STATUS.items():
        assert f"`{error.__name__}` {status}" in text
    for name in ("Client", "AsyncClient", "Retries", "NotReached", "BadAnswer", "WebhookRefused", "verify_webhook"):
        assert name in unicart.client.__all__
        assert name in text
