"""The chaos run on PostgreSQL: two workers share the work, and one or the other is killed."""

from pathlib import Path

import pytest

from chaos.run import Chaos
from conftest import new_postgres_database

KILLS = 200


@pytest.mark.timeout(2400)
def test_nothing_is_lost_while_workers_take_over_from_each_other(tmp_path: Path, postgres: str) -> None:
    with Chaos(tmp_path, new_postgres_database(postgres), workers=2, seed=2) as chaos:
        chaos.live(KILLS)
        chaos.settle()
        chaos.verify()
        assert chaos.kills.total() == KILLS
