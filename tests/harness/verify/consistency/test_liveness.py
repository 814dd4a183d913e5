from harness.verify.consistency.convergence import Convergence, convergence
from harness.verify.consistency.liveness import HeartbeatSample, LinkState, Liveness, Progress, liveness
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


def judged(tables: tuple[Convergence, ...], samples: list[HeartbeatSample]) -> Liveness:
    return liveness(tables, samples, regions=REGIONS, heal_s=HEAL_S, deadline_s=DEADLINE_S)


def test_without_samples_nothing_is_known() -> None:
    nothing = judged((), [])

    assert (nothing.progress, nothing.why) == (Progress.UNKNOWN, "no table was sampled")
    assert {link.state for link in nothing.links} == {LinkState.UNKNOWN}


def test_regions_that_agree_by_the_deadline_live() -> None:
    agreed = judged(found((10.0, 1, 2, 2), (12.0, 2, 2, 2)), heartbeats(14.0))

    assert agreed.progress is Progress.IN_TIME
    assert agreed.stuck == ()


def test_regions_that_differ_at_the_deadline_do_not_and_the_stuck_links_are_named() -> None:
    samples = [*heartbeats(11.0), *heartbeats(14.9, europe=20.0), *heartbeats(16.0)]
    differing = judged(found((10.0, 1, 2, 2), (15.1, 1, 2, 2), (16.0, 2, 2, 2)), samples)

    assert differing.progress is Progress.TOO_LATE
    assert {(link.source, link.target) for link in differing.stuck} == {("us-east", "europe"), ("us-west", "europe")}
    assert differing.why == "regions still differed in posts"
    assert differing.links[0].target == "europe"


def test_a_deadline_between_two_samples_decides_nothing() -> None:
    between = judged(found((10.0, 1, 2, 2), (14.9, 1, 2, 2), (15.1, 2, 2, 2)), heartbeats(14.0))

    assert between.progress is Progress.UNKNOWN
    assert "no samples at the deadline" in between.why


def test_watching_that_ended_early_decides_nothing() -> None:
    assert judged(found((10.0, 1, 2, 2), (12.0, 1, 2, 2)), []).progress is Progress.UNKNOWN


def test_a_region_without_samples_is_named() -> None:
    silent = judged(found((10.0, 2, 2, 0), (16.0, 2, 2, 0)), heartbeats(14.0))

    assert (silent.progress, silent.why) == (Progress.UNKNOWN, "not sampled after the heal: europe")


def test_a_heartbeat_that_never_came_is_a_stuck_link() -> None:
    never = judged(found((10.0, 1, 2, 2), (16.0, 1, 2, 2)), heartbeats(14.0, us_west=float("inf")))

    assert {link.target for link in never.stuck} == {"us-west"}
