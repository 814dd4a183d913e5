import asyncio
import math
from typing import Any

from reference_system.data import replication
from reference_system.data.replication import Digest, Incoming, Outgoing
from reference_system.data.statements import COMPARED, SAMPLED_GROUPS

Rows = list[dict[str, Any]]

HEARD = {"region": "europe", "at": 100.0, "age_s": 0.2}
SUBSCRIPTION = {"link": "europe_to_us_east", "enabled": True, "running": True, "errors": 4, "conflicts": 3}
SLOT = {"link": "us_east_to_europe", "active": True, "wal_status": "reserved", "unconfirmed_bytes": 7.0}


def links(**answers: Rows) -> tuple[Incoming, Outgoing]:
    """Of us-east with europe, when Postgres answers these rows."""

    async def run(statement: str) -> Rows:
        return answers.get(statement, [])

    found = asyncio.run(replication.links(run, region="us-east", peers=["europe"]))
    (incoming,), (outgoing,) = found.incoming, found.outgoing
    return incoming, outgoing


def test_a_link_is_named_by_its_direction_in_letters_that_a_slot_may_have() -> None:
    assert replication.link_name("us-east", "asia-pacific") == "us_east_to_asia_pacific"


def test_a_region_that_has_set_up_nothing_has_links_all_the_same() -> None:
    incoming, outgoing = links()

    assert (incoming.enabled, incoming.running, outgoing.active) == (False, False, False)
    assert incoming.heartbeat_age_s == math.inf
    assert outgoing.slot == "missing"


def test_each_direction_is_told_by_its_own_rows() -> None:
    other = {"link": "asia_pacific_to_us_east", "enabled": False, "running": False, "errors": 0, "conflicts": 0}

    incoming, outgoing = links(heartbeats=[HEARD], incoming=[other, SUBSCRIPTION], outgoing=[SLOT])

    assert incoming == Incoming(
        peer="europe", enabled=True, running=True, heartbeat_at_s=100.0, heartbeat_age_s=0.2, errors=4, conflicts=3
    )
    assert outgoing == Outgoing(peer="europe", active=True, unconfirmed_bytes=7.0, slot="reserved")


def test_a_lost_slot_does_not_know_how_much_its_peer_lacks() -> None:
    _, outgoing = links(outgoing=[{**SLOT, "active": False, "wal_status": "lost", "unconfirmed_bytes": None}])

    assert (outgoing.slot, outgoing.unconfirmed_bytes) == ("lost", math.inf)


def test_a_sampled_group_without_posts_is_zero_and_the_others_are_sums_modulo_2_to_the_64() -> None:
    async def run(statement: str) -> Rows:
        assert statement == "sampled_posts"
        return [{"number": 0, "hashes": -1}, {"number": 3, "hashes": 2**64 + 16}]

    found = asyncio.run(replication.sampled_posts(run))

    assert len(found) == SAMPLED_GROUPS
    assert {number: value for number, value in enumerate(found) if value} == {0: 2**64 - 1, 3: 16}


def test_a_digest_is_the_sum_modulo_2_to_the_64() -> None:
    async def run(statement: str, tables: list[str]) -> Rows:
        assert (statement, tables) == ("digests", list(COMPARED))
        return [
            {"name": "empty", "rows": 0, "hashes": 0},
            {"name": "negative", "rows": 1, "hashes": -1},
            {"name": "large", "rows": 3, "hashes": 2**64 + 16},
        ]

    assert asyncio.run(replication.digests(run)) == {
        "empty": Digest(0, "0" * 16),
        "negative": Digest(1, "f" * 16),
        "large": Digest(3, "0000000000000010"),
    }
