import pytest

from harness.verify.consistency.convergence import (
    DigestSample,
    converged_after_s,
    convergence,
)

REGIONS = ("us-east", "us-west", "europe")
HEAL_S = 10.0


def digests(*rows: tuple[float, int, int, int], table: str = "posts") -> list[DigestSample]:
    """At each instant the digest of each region, one after the other by a hundredth of a second; 0: not sampled."""
    return [
        DigestSample(at_s=at_s + 0.01 * number, region=region, table=table, rows=digest, digest=digest)
        for at_s, *values in rows
        for number, (region, digest) in enumerate(zip(REGIONS, values, strict=True))
        if digest
    ]


def after(*rows: tuple[float, int, int, int]) -> float | None:
    (found,) = convergence(digests(*rows), regions=REGIONS, tables=["posts"], heal_s=HEAL_S)
    return found.after_s


def test_without_samples_nothing_is_known() -> None:
    (found,) = convergence([], regions=REGIONS, tables=["posts"], heal_s=HEAL_S)

    assert (found.after_s, found.unsampled, found.samples) == (None, REGIONS, 0)
    assert converged_after_s([]) is None


@pytest.mark.parametrize(
    ("why", "rows", "after_s"),
    [
        ("equal from the first on", [(10.0, 5, 5, 5), (11.0, 5, 5, 5)], 0.02),
        ("the last one comes after", [(10.0, 5, 4, 4), (11.0, 5, 5, 4), (12.0, 5, 5, 5)], 2.02),
        ("equal, different, equal", [(10.0, 5, 5, 5), (11.0, 6, 5, 5), (12.0, 6, 6, 6)], 2.02),
        ("still different", [(10.0, 5, 5, 5), (11.0, 6, 5, 5)], None),
        ("equal only before the heal", [(9.0, 5, 5, 5)], None),
        ("one was not sampled any more", [(9.0, 5, 5, 5), (10.0, 5, 5, 0)], None),
    ],
)
def test_converged_is_the_first_instant_from_which_on_all_agree(
    why: str, rows: list[tuple[float, int, int, int]], after_s: float | None
) -> None:
    assert after(*rows) == (None if after_s is None else pytest.approx(after_s)), why


def test_the_last_difference_says_what_each_region_held() -> None:
    (found,) = convergence(digests((10.0, 5, 4, 5), (11.0, 5, 5, 5)), regions=REGIONS, tables=["posts"], heal_s=HEAL_S)

    assert found.last_difference is not None
    assert found.last_difference.held == {"us-east": (5, 5), "us-west": (4, 4), "europe": (5, 5)}
    assert found.differed_s == pytest.approx(1.0)  # us-west was still known by its old sample
    assert found.watched_s == pytest.approx(1.0)


def test_the_slowest_table_decides() -> None:
    samples = digests((10.0, 1, 1, 1)) + digests((10.0, 1, 2, 2), (13.0, 2, 2, 2), table="likes")
    found = convergence(samples, regions=REGIONS, tables=["posts", "likes"], heal_s=HEAL_S)

    assert converged_after_s(found) == pytest.approx(3.0)
    unknown = convergence(samples, regions=REGIONS, tables=["posts", "likes", "users"], heal_s=HEAL_S)
    assert converged_after_s(unknown) is None
