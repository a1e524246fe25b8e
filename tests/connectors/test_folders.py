"""Every connector's folder has the same files, so that whoever knows one knows them all."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

import unicart.connectors
from unicart.connectors.kit.conformance import FILES, folder_problems
from unicart.connectors.registry import GROUP

ROOM = Path(unicart.connectors.__file__).parent
FOLDERS = sorted(
    entry
    for entry in ROOM.iterdir()
    if entry.is_dir() and entry.name not in ("kit", "__pycache__") and any(entry.iterdir())
)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_folder_has_the_one_shape(folder: Path) -> None:
    assert folder_problems(folder) == []


def test_every_folder_is_registered_and_every_registered_connector_has_a_folder() -> None:
    ours = {entry.name for entry in entry_points(group=GROUP) if entry.value.startswith("unicart.connectors.")}
    assert ours == {folder.name for folder in FOLDERS}


def test_room_holds_nothing_but_connectors_the_kit_and_the_registry() -> None:
    files = {entry.name for entry in ROOM.iterdir() if entry.is_file()}
    assert files == {"__init__.py", "registry.py"}


def test_missing_and_extra_files_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    for name in FILES - {"mapping.py"}:
        (folder / name).touch()
    (folder / "generator.py").touch()
    (folder / "__pycache__").mkdir()
    assert folder_problems(folder) == ["acme/mapping.py is missing", "acme/generator.py does not belong there"]


def test_only_the_sandbox_may_hold_a_generator(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    folder.mkdir()
    for name in (*FILES, "generator.py"):
        (folder / name).touch()
    assert folder_problems(folder) == []
