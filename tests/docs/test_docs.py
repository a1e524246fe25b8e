"""The documentation names what there is: settings, commands, connectors, pages. (Filters and fields are generated.)"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from unicart.cli import app
from unicart.connectors.registry import connector, connector_names, offered_names
from unicart.contract.events import EVENT_TYPES
from unicart.contract.writes import WriteFunction
from unicart.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("examples/*/README.md"),
    *ROOT.glob("src/unicart/connectors/*/README.md"),
]


def commands(group: typer.Typer, path: str = "unicart") -> Iterator[tuple[str, set[str]]]:
    """Every command with its options."""
    click = typer.main.get_command(group)
    names = getattr(click, "commands", {})
    for name, command in names.items():
        below = getattr(command, "commands", {name: command})
        for last, each in below.items():
            words = f"{path} {name}" if each is command else f"{path} {name} {last}"
            yield words, {option for parameter in each.params for option in parameter.opts if option.startswith("--")}


def operations() -> str:
    return (ROOT / "docs/operations.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


def test_every_setting_is_documented_with_its_default() -> None:
    for name, default in zip(Settings.__struct_fields__, Settings.__struct_defaults__, strict=True):
        (row,) = [line for line in operations().splitlines() if line.startswith(f"| `UNICART_{name.upper()}`")]
        assert default == "" or f"`{default}`" in row


def test_every_command_is_documented() -> None:
    known = list(commands(app))
    assert len(known) > 10
    for words, _ in known:
        *group, last = words.split()
        assert re.search(rf"`(?:{' '.join(group)} )?{last}\b", operations()), words


def test_commands_in_the_readme_exist() -> None:
    known = dict(commands(app))
    text = (ROOT / "README.md").read_text()
    shown = re.findall(r"^(unicart [^#\n]+)", text, re.MULTILINE)
    assert len(shown) >= 4
    for line in shown:
        words = [words for words in known if line.strip().startswith(words)]
        assert words, line
        integration = line.removeprefix("unicart connection add ").split()[0]
        extra = (
            {f"--{each.name.replace('_', '-')}" for each in connector(integration).facts.credentials}
            if (integration in connector_names())
            else set()
        )
        assert set(re.findall(r"--[a-z-]+", line)) <= known[words[0]] | extra, line


def test_every_event_is_documented() -> None:
    text = (ROOT / "docs/events.md").read_text()
    for name in EVENT_TYPES:
        assert f"`{name}`" in text


def test_every_connector_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text()
    for name in offered_names():
        assert f"| `{name}` | " in text


def test_every_hidden_connector_is_in_the_connector_guide() -> None:
    text = (ROOT / "docs/connector-guide.md").read_text()
    for name in set(connector_names()) - set(offered_names()):
        assert f"`{name}`" in text
        assert f"`{name}`" not in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", offered_names())
def test_the_table_of_connectors_agrees_with_the_facts(name: str) -> None:
    rows = [line for line in (ROOT / "docs/connectors.md").read_text().splitlines() if line.startswith(f"| [`{name}`]")]
    assert len(rows) == 1
    _, _, _, _, functions, writes, webhooks, first_run, verified, _ = (cell.strip() for cell in rows[0].split("|"))
    facts = connector(name).facts
    assert re.findall(r"`(\w+)`", functions) == [function.value for function in facts.functions]
    written = [each.value for each in facts.write_functions if each is not WriteFunction.BATCH_ADJUST_INVENTORY]
    assert re.findall(r"`(\w+)`", writes) == written
    assert webhooks == ("yes" if facts.webhooks else "no")
    assert first_run
    assert re.match(r"real platform|vendor's spec|recorded payloads|own ", verified)
