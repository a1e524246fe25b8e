"""A package for a new connector: everything that every connector has, and no function yet."""

import re
from collections.abc import Collection, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template

TEMPLATE = files("unicart.connectors.kit") / "template"
SUFFIX = ".tmpl"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 40


class ScaffoldRefused(ValueError):
    """The package cannot be made; the message says why, and what to do."""


def scaffold(name: str, directory: Path, taken: Collection[str] = ()) -> list[Path]:
    """Write the package of a connector called ``name`` into ``directory``, and return its files.

    Raises:
        ScaffoldRefused: the name is not snake_case or is ``taken``, or the directory is not empty or cannot be written.
    """
    _check_name(name, taken)
    words = name.split("_")
    values = {
        "name": name,
        "dashed": "-".join(words),
        "kind": "".join(map(str.capitalize, words)),
        "title": " ".join(map(str.capitalize, words)),
    }
    try:
        if directory.exists() and any(directory.iterdir()):
            raise ScaffoldRefused(f"{directory} is not empty. Name another one with --directory.")
        return [
            _write(directory / _target(path, name), source, values)
            for path, source in _templates(TEMPLATE, PurePosixPath())
        ]
    except OSError as error:
        raise ScaffoldRefused(f"{directory} cannot be written: {error.strerror}.") from error


def _check_name(name: str, taken: Collection[str]) -> None:
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ScaffoldRefused(
            f"{name!r} is no name of a connector: use snake_case of at most {LONGEST_NAME} characters, such as big_shop."
        )
    if name in taken:
        raise ScaffoldRefused(f"There is a connector {name} already. Choose another name.")


def _templates(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, path / entry.name)
        elif entry.name.endswith(SUFFIX):
            yield path / entry.name.removesuffix(SUFFIX), entry


def _target(path: PurePosixPath, name: str) -> Path:
    return Path(*(f"unicart_{name}" if part == "package" else part for part in path.parts))


def _write(target: Path, source: Traversable, values: dict[str, str]) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(Template(source.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
    return target
