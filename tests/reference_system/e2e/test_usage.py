"""What the worker says of its stores and its machine, against real ones."""

import httpx
import pytest

from tests.reference_system.e2e.conftest import Client

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_worker_tells_how_full_things_are(api: Client, worker: str) -> None:
    del api  # its connections are counted
    told = httpx.get(f"{worker}/internal/backlogs").json()

    assert 0 < told["cache_memory_ratio"] < 1
    assert 0 < told["memory_ratio"] < 1
    assert told["replication_lag_s"] is None  # there is one region
    assert told["fanout_depth"] >= 0


def test_the_worker_shows_what_boards_need(api: Client, worker: str) -> None:
    api.get("/timeline/home", headers=api.user(3))
    lines = httpx.get(f"{worker}/metrics").text.splitlines()
    shown = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    assert 0 < float(shown['redis_memory_bytes{kind="used"}']) < float(shown['redis_memory_bytes{kind="max"}'])
    assert float(shown['redis_commands{command="info"}']) > 0
    assert 'redis_commands{command="keys"}' not in shown
    assert float(shown["postgres_transactions"]) > 0
    assert 0 < float(shown['postgres_connections{kind="used"}']) < float(shown['postgres_connections{kind="max"}'])
    assert 0 < float(shown['machine_used_ratio{resource="memory"}']) < 1


def test_a_replica_shows_how_much_of_its_pool_is_in_use(api: Client) -> None:
    assert 0 <= api.metric("postgres_pool_busy_ratio") < 1
