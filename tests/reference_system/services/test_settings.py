import pytest

from reference_system.policies.regions import Region
from reference_system.services.settings import api_settings, worker_settings

FOUR = {"REGIONS": "us-east,us-west,europe,asia-pacific", "REGION": "europe"}
PEERS = "us-east=a:1, us-west=b:2,asia-pacific=c:3"


def test_a_region_has_all_the_others_for_peers() -> None:
    peers = api_settings({**FOUR, "PEERS": PEERS}).peers

    assert peers == {Region.US_EAST: "a:1", Region.US_WEST: "b:2", Region.ASIA_PACIFIC: "c:3"}


@pytest.mark.parametrize("regions", [{}, {"REGIONS": "europe"}])
def test_a_single_region_has_none_whatever_peers_are_named(regions: dict[str, str]) -> None:
    environment = {"REGION": "europe", "PEERS": PEERS, **regions}

    assert (api_settings(environment).peers, worker_settings(environment).peers) == ({}, {})


def test_a_peer_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="PEERS: expected host:port of asia-pacific too"):
        api_settings({**FOUR, "PEERS": "us-east=a:1,us-west=b:2"})


def test_the_worker_connects_the_databases_as_mesh() -> None:
    own = "postgresql://postgres@own:5/postgres"

    settings = worker_settings({**FOUR, "PEERS": PEERS, "MESH_PASSWORD": "it's/a", "POSTGRES_DSN": own})

    assert settings.mesh_dsn == "postgresql://mesh:it%27s%2Fa@own:5/postgres"
    assert settings.peers[Region.US_WEST] == "postgresql://mesh:it%27s%2Fa@b:2/postgres"
