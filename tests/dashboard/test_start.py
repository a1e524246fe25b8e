"""The password as an operator gets it: printed at the first start, once, and made anew by a command."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

from product import Unicart, demo


def signs_in(base_url: str, password: str) -> bool:
    """Whether the dashboard lets this password in."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = opener.open(f"{base_url}/dashboard").read().decode()
    token = re.search(r'name="token" value="(\w+)"', page)
    assert token is not None
    form = urllib.parse.urlencode({"token": token[1], "password": password}).encode()
    try:
        return "<h1>Connections</h1>" in opener.open(f"{base_url}/dashboard/login", form).read().decode()
    except urllib.error.HTTPError as error:
        if error.code == 401:
            return False
        raise


def test_the_password_is_printed_at_the_first_start_only(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    log = directory.with_suffix(".log")
    with demo(directory, "--orders", "20") as access:
        printed = re.search(r"shown only this once: (\S+)", log.read_text())
        assert printed is not None
        assert f"The dashboard is at {access['base_url']}/dashboard" in log.read_text()
        assert signs_in(access["base_url"], printed[1])
        renewed = json.loads(Unicart(directory).run("dashboard-password", "--json"))["dashboard_password"]
        assert not signs_in(access["base_url"], printed[1])
        assert signs_in(access["base_url"], renewed)
    with demo(directory, "--orders", "20"):
        assert log.read_text().count("shown only this once") == 1


def test_the_environment_sets_the_password(tmp_path: Path) -> None:
    unicart = Unicart(tmp_path)
    unicart.environment["UNICART_DASHBOARD_PASSWORD"] = "short"
    assert "at least 12 characters" in unicart.run("serve", "--port", "0", fails=True)
    unicart.environment["UNICART_DASHBOARD_PASSWORD"] = "a password of mine"
    with unicart.serving():
        assert signs_in(unicart.base_url, "a password of mine")
    assert "UNICART_DASHBOARD_PASSWORD is set" in unicart.run("dashboard-password", fails=True)
