"""The chaos run on SQLite: 200 kills of the server and its worker."""

from pathlib import Path

import pytest

from chaos.run import Chaos

KILLS = 200


@pytest.mark.timeout(2400)
def test_nothing_is_lost_however_often_processes_are_killed(tmp_path: Path) -> None:
    with Chaos(tmp_path, "", workers=1, seed=1) as chaos:
        chaos.live(KILLS)
        chaos.settle()
        chaos.verify()
        assert chaos.kills.total() == KILLS
