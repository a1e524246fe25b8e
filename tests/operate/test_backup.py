"""A backup is whole though others write meanwhile; put back, it is the shop as it was, with its secrets."""

import json
import stat
import threading
from pathlib import Path

import apsw
import pytest

from product import Unicart
from unicart.store import backup
from unicart.store.secrets import new_key


@pytest.fixture
def unicart(tmp_path: Path) -> Unicart:
    unicart = Unicart(tmp_path / "data")
    unicart.connect("sandbox", "--orders", "60")
    unicart.sync()
    return unicart


def test_a_shop_is_put_back_as_it_was_on_another_machine(unicart: Unicart, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with unicart.serving():
        saved = json.loads(unicart.run("backup", str(file), "--with-key", "--json"))
        orders = unicart.get("/cart/orders")
        last = unicart.ask("/events")["data"]
    assert (saved["secrets"], saved["key"]) == (1, f"{file}.key")
    for path in (file, Path(f"{file}.key")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = Unicart(tmp_path / "other")
    other.headers = unicart.headers
    restored = json.loads(other.run("restore", str(file), "--json"))
    assert restored["before"] is None
    with other.serving():
        assert other.get("/cart/orders") == orders
        assert other.ask("/events")["data"] == last
    assert not list((tmp_path / "other").glob(".*"))
    other.sync()
    connection = other.connect("sandbox", "--orders", "1")
    with other.serving():
        other.headers = unicart.headers
        newest = [each for each in other.ask("/events")["data"] if each["connection_id"] == connection]
    assert int(newest[0]["id"]) > backup.SKIPPED_NUMBERS


def test_nothing_is_replaced_by_accident(unicart: Unicart, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    unicart.run("backup", str(file))
    assert "--force" in unicart.run("backup", str(file), fails=True)
    unicart.run("backup", str(file), "--force")
    assert "--force" in unicart.run("restore", str(file), fails=True)
    with unicart.serving():
        assert "in use" in unicart.run("restore", str(file), "--force", fails=True)
        assert len(unicart.get("/cart/orders")) == 60
    restored = json.loads(unicart.run("restore", str(file), "--force", "--json"))
    assert Path(restored["before"]).exists()
    unicart.sync()


def test_a_backup_that_no_key_opens_replaces_nothing(unicart: Unicart, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    said = unicart.start("backup", str(file))
    assert "unicart.key" in said.communicate(timeout=120)[1]
    other = Unicart(tmp_path / "other")
    assert "No key opens" in other.run("restore", str(file), fails=True)
    assert not (tmp_path / "other" / "unicart.db").exists()
    other.environment["UNICART_SECRET_KEY"] = new_key()
    assert "No key opens" in other.run("restore", str(file), fails=True)
    other.environment["UNICART_SECRET_KEY"] = (tmp_path / "data" / "unicart.key").read_text()
    other.run("restore", str(file))
    other.sync()


def test_what_is_not_a_sound_backup_is_refused(unicart: Unicart, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    unicart.run("backup", str(file))
    sound = file.read_bytes()
    connection = apsw.Connection(str(file))
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "newer version" in unicart.run("restore", str(file), "--force", fails=True)
    for damaged in (sound[: 40 * 4096], b"no database at all" * 100):
        file.write_bytes(damaged)
        message = unicart.run("restore", str(file), "--force", fails=True)
        assert "damaged" in message
        assert "Traceback" not in message
    unicart.sync()


def test_postgresql_has_tools_of_its_own(tmp_path: Path) -> None:
    other = Unicart(tmp_path / "data", "postgresql://nobody@127.0.0.1:9/none")
    assert "pg_dump" in other.run("backup", str(tmp_path / "backup.db"), fails=True)


def test_a_backup_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    source = tmp_path / "source.db"
    writer = apsw.Connection(str(source))
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE alembic_version (version_num)")
    writer.execute("INSERT INTO alembic_version VALUES ('0001')")
    writer.execute("CREATE TABLE pair (name PRIMARY KEY, number, filling)")
    writer.execute("INSERT INTO pair VALUES ('a', 0, zeroblob(2000000)), ('b', 0, zeroblob(2000000))")
    done = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not done.is_set():
            written += 1
            with writer:
                writer.execute("UPDATE pair SET number = ? WHERE name = 'a'", (written,))
                writer.execute("UPDATE pair SET number = ? WHERE name = 'b'", (written,))

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for number in range(5):
            target = tmp_path / f"{number}.db"
            backup.copy(source, target)
            with apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READONLY) as copied:
                numbers = {row[0] for row in copied.execute("SELECT number FROM pair")}
            assert len(numbers) == 1
    finally:
        done.set()
        thread.join()
    assert written > 5
    assert sorted(path.name for path in tmp_path.glob("?.db*")) == [f"{number}.db" for number in range(5)]
