"""Settings of a file, of the environment and of the command line, and what is said of those that cannot be used."""

from pathlib import Path

import pytest

from product import Unicart
from unicart.settings import Settings, SettingsError, read_settings


def written(path: Path, text: str) -> dict[str, str]:
    """An environment that names the settings file ``path``, which holds ``text``."""
    path.write_text(text)
    return {"UNICART_CONFIG": str(path)}


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    environment = written(
        tmp_path / "settings.toml",
        'read_rate = 1\nwrite_rate = 2\nevent_days = 3\nlog_format = "json"\nwebhook_private_network = true\n',
    )
    settings = read_settings({"event_days": 33, "data_dir": None}, {**environment, "UNICART_WRITE_RATE": "22"})
    assert settings == Settings(
        read_rate=1, write_rate=22, event_days=33, log_format="json", webhook_private_network=True
    )


def test_the_file_in_the_working_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings(environment={}) == Settings()
    (tmp_path / "unicart.toml").write_text("reconcile_hours = 6\n")
    assert read_settings(environment={}).reconcile_hours == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("read_rat = 1", "read_rat: there is no such setting. Do you mean read_rate?"),
        ("[server]\nport = 1", "server: there is no such setting"),
        ("read_rate = 'fast'", "read_rate: "),
        ("read_rate = -1", "read_rate: must not be negative"),
        ("log_format = 'xml'", "log_format: use one of text, json"),
        ("read_rate", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_setting(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "settings.toml"
    with pytest.raises(SettingsError) as raised:
        read_settings(environment=written(path, text))
    assert str(path) in str(raised.value)
    assert said in str(raised.value)


def test_a_value_of_the_environment_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    environment = written(tmp_path / "settings.toml", "read_rate = 1")
    with pytest.raises(SettingsError, match=r"^UNICART_READ_RATE: must not be negative$"):
        read_settings(environment={**environment, "UNICART_READ_RATE": "-1"})


def test_a_file_that_is_named_but_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read"):
        read_settings(environment={"UNICART_CONFIG": str(tmp_path / "nowhere.toml")})


def test_commands_use_the_file(tmp_path: Path) -> None:
    unicart = Unicart(tmp_path / "data")
    unicart.environment |= written(tmp_path / "settings.toml", "history_days = 7\n")
    del unicart.environment["UNICART_DATABASE_URL"]
    unicart.run("connection", "add", "sandbox", "--orders", "5")
    assert '"history_days": 7' in unicart.run("connection", "list", "--json")
    unicart.environment |= written(tmp_path / "settings.toml", "history_days = -7\n")
    assert "settings.toml: history_days: must be from 0" in unicart.run("connection", "list", fails=True)
