"""What nginx is told of who is up and who takes writes: nothing is not the same as not known."""

import pytest

from reference_system.policies.region_failover import Route
from reference_system.policies.regions import Region
from reference_system.services import edge_nginx

EAST, WEST = Region.US_EAST, Region.US_WEST


def _route(*, healthy: bool, takes_writes: bool) -> Route:
    return Route(share=1.0, others_go_to=None, takes_writes=takes_writes, healthy=healthy, reason="")


@pytest.mark.parametrize(
    ("east", "west", "healthy", "writing", "why"),
    [
        ((True, True), (True, True), "us-east,us-west", "us-east,us-west", "all is well"),
        ((True, False), (True, True), "us-east,us-west", "us-west", "one has just come back"),
        ((True, False), (True, False), "us-east,us-west", "none", "both have: each takes the other one's"),
        ((False, True), (False, True), "", "", "it may be the edge that cannot see: as if it said nothing"),
    ],
)
def test_the_edge_says_who_is_up_and_who_takes_writes_at_home(
    *, east: tuple[bool, bool], west: tuple[bool, bool], healthy: str, writing: str, why: str
) -> None:
    states = {EAST: east, WEST: west}
    routes = {region: _route(healthy=up, takes_writes=takes) for region, (up, takes) in states.items()}
    told = edge_nginx.decisions(routes)

    assert (told["healthy"], told["writing"]) == (healthy, writing), why
