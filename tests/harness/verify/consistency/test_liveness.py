import pytest

from harness.verify.consistency.convergence import Convergence, convergence
from harness.verify.consistency.liveness import HeartbeatSample, Link, LinkState, Progress, links_of, progress_of
from tests.harness.verify.consistency.test_convergence import HEAL_S, REGIONS, digests

DEADLINE_S = 5.0


def found(*rows: tuple[float, int, int, int]) -> tuple[Convergence, ...]:
    return convergence(digests(*rows), regions=REGIONS, tables=["posts"], heal_s=HEAL_S)


def heartbeats(at_s: float, **older_s: float) -> list[HeartbeatSample]:
    """All links at that moment with heartbeats half a second old, but for those into the named regions."""
    return [
        HeartbeatSample(at_s=at_s, source=a, target=b, age_s=older_s.get(b.replace("-", "_"), 0.5))
        for a in REGIONS
        for b in REGIONS
        if a != b
    ]


def progress(*rows: tuple[float, int, int, int]) -> tuple[Progress, str]:
    progress, _, why = progress_of(found(*rows), DEADLINE_S)
    return progress, why


def links(samples: list[HeartbeatSample]) -> tuple[Link, ...]:
    return links_of(samples, regions=REGIONS, heal_s=HEAL_S, deadline_s=DEADLINE_S)


def stuck(samples: list[HeartbeatSample]) -> set[tuple[str, str]]:
    return {(link.source, link.target) for link in links(samples) if link.state is LinkState.STUCK}


def test_without_samples_nothing_is_known() -> None:
    assert progress_of((), DEADLINE_S) == (Progress.UNKNOWN, None, "no table was sampled")
    assert {link.state for link in links([])} == {LinkState.UNKNOWN}


def test_regions_that_agree_by_the_deadline_live() -> None:
    assert progress((10.0, 1, 2, 2), (12.0, 2, 2, 2)) == (Progress.IN_TIME, "")
    assert stuck(heartbeats(14.0)) == set()


def test_regions_that_differ_at_the_deadline_do_not_and_the_stuck_links_are_named() -> None:
    samples = [*heartbeats(11.0, europe=16.0), *heartbeats(15.0, europe=20.0), *heartbeats(16.0)]

    late = progress((10.0, 1, 2, 2), (15.1, 1, 2, 2), (16.0, 2, 2, 2))
    assert late == (Progress.TOO_LATE, "regions still differed in posts")
    assert stuck(samples) == {("us-east", "europe"), ("us-west", "europe")}
    assert links(samples)[0].target == "europe"


def test_a_deadline_between_two_samples_decides_nothing() -> None:
    between, why = progress((10.0, 1, 2, 2), (14.9, 1, 2, 2), (15.1, 2, 2, 2))

    assert between is Progress.UNKNOWN
    assert "no samples at the deadline" in why


def test_watching_that_ended_early_decides_nothing() -> None:
    assert progress((10.0, 1, 2, 2), (12.0, 1, 2, 2))[0] is Progress.UNKNOWN


def test_a_region_without_samples_is_named() -> None:
    assert progress((10.0, 2, 2, 0), (16.0, 2, 2, 0)) == (Progress.UNKNOWN, "not sampled after the heal: europe")


def test_a_heartbeat_that_never_came_is_a_stuck_link() -> None:
    never = stuck(heartbeats(15.0, us_west=float("inf")))

    assert never == {("us-east", "us-west"), ("europe", "us-west")}


@pytest.mark.parametrize(
    ("why", "samples", "state"),
    [
        ("came before the deadline", [(11.0, 3.0), (14.0, 1.0)], LinkState.MOVING),
        ("had come once, whatever is sampled later", [(11.0, 0.5), (16.0, 20.0)], LinkState.MOVING),
        ("nobody looked at the deadline", [(10.2, 3.0)], LinkState.UNKNOWN),
        ("came between two samples around it", [(14.9, 5.0), (15.1, 0.2)], LinkState.UNKNOWN),
        ("not there at the deadline", [(14.9, 5.0), (15.0, 5.1)], LinkState.STUCK),
        ("not there even later", [(14.9, 5.0), (15.4, 5.5)], LinkState.STUCK),
        ("sampled before the heal alone", [(9.0, 0.1)], LinkState.UNKNOWN),
    ],
)
def test_a_link_is_stuck_only_if_a_sample_shows_it(
    why: str, samples: list[tuple[float, float]], state: LinkState
) -> None:
    told = [HeartbeatSample(at_s=at_s, source="us-east", target="europe", age_s=age_s) for at_s, age_s in samples]
    of_two = links_of(told, regions=("us-east", "europe"), heal_s=HEAL_S, deadline_s=DEADLINE_S)

    assert {(link.source, link.target): link.state for link in of_two}["us-east", "europe"] is state, why
