import numpy as np
import pytest

from harness.verify.failover.cohorts import first_good_window, hurt_seconds, longest_gap


@pytest.mark.parametrize(
    ("case", "successes", "gap"),
    [
        ("nothing ever succeeds", [], (10.0, 20.0)),
        ("one success in the middle", [15.0], (10.0, 15.0)),
        ("the longest is the last", [11.0, 12.0], (12.0, 20.0)),
        ("what was before and after does not count", [1.0, 9.0, 12.0, 19.0, 30.0], (12.0, 19.0)),
        ("in any order", [18.0, 11.0, 12.0], (12.0, 18.0)),
    ],
)
def test_the_longest_gap_without_success(case: str, successes: list[float], gap: tuple[float, float]) -> None:
    assert longest_gap(successes, 10.0, 20.0) == gap, case


def test_the_longest_gap_is_the_one_that_trying_all_finds() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        successes = random.uniform(0, 30, random.integers(0, 12))
        from_s, to_s = longest_gap(successes, 5.0, 25.0)
        edges = [5.0, *sorted(each for each in successes if 5 <= each <= 25), 25.0]
        widest = max(
            end - start
            for start in edges
            for end in edges
            if end >= start and not any(start < each < end for each in edges)
        )

        assert to_s - from_s == pytest.approx(widest)


@pytest.mark.parametrize(
    ("case", "offered", "bad", "first"),
    [
        ("nothing was offered", [0, 0, 0, 0], [0, 0, 0, 0], None),
        ("never hurt", [9, 9, 9, 9], [0, 0, 0, 0], 0),
        ("well from the third second on", [9, 9, 9, 9, 9], [9, 9, 0, 0, 0], 2),
        ("too little is left to know", [9, 9, 9, 9, 9], [9, 9, 9, 0, 0], None),
        ("bad again within the stretch", [9, 9, 9, 9, 9, 9, 9], [9, 0, 0, 9, 0, 0, 0], 4),
        ("a second in which nobody asked does not begin it", [9, 0, 9, 9, 9], [9, 0, 0, 0, 0], 2),
        ("nor does it end it", [9, 9, 0, 9, 9], [9, 0, 0, 0, 0], 1),
        ("as many errors as are allowed", [100, 100, 100], [1, 1, 1], 0),
        ("one more", [100, 100, 100], [1, 1, 2], None),
    ],
)
def test_the_first_stretch_in_which_all_is_well(
    case: str, offered: list[float], bad: list[float], first: int | None
) -> None:
    found = first_good_window(np.array(offered, float), [(np.array(bad, float), 0.01)], blocks=3)

    assert found == first, case


def test_each_limit_has_to_be_kept_by_the_first_second_and_by_the_whole_stretch() -> None:
    offered, nothing = np.full(8, 20.0), np.zeros(8)
    refused = np.array([20.0, 2, 1, 0, 20, 0, 1, 1])

    assert first_good_window(offered, [(nothing, 0.01), (refused, 0.05)], blocks=3) == 5
    assert first_good_window(offered, [(refused, 0.05), (nothing, 0.01)], blocks=3) == 5
    assert first_good_window(offered, [(nothing, 0.01), (refused, 0.01)], blocks=3) is None


def test_the_first_good_stretch_is_the_one_that_trying_all_finds() -> None:
    random = np.random.default_rng(2)
    for _ in range(300):
        offered = random.integers(0, 4, 15).astype(float)
        bad = np.minimum(offered, (random.random(15) < 0.2) * random.integers(1, 3, 15))
        good = [
            start
            for start in range(15 - 4 + 1)
            if offered[start] > 0 == bad[start] and bad[start : start + 4].sum() == 0
        ]

        assert first_good_window(offered, [(bad, 0.0)], blocks=4) == (good[0] if good else None)


@pytest.mark.parametrize(
    ("case", "failures", "seconds"),
    [
        ("nobody was hurt", [], []),
        ("refused at once", [(7, 3.2, 3.201)], [1]),
        ("hung for eight seconds", [(7, 3.2, 11.2)], [9]),
        ("two in one second are one second", [(7, 3.2, 3.3), (7, 3.8, 3.9)], [1]),
        ("overlapping ones count once", [(7, 3.0, 6.5), (7, 5.0, 8.5)], [6]),
        ("each user's own", [(7, 3.0, 3.1), (9, 3.0, 4.1)], [1, 2]),
    ],
)
def test_for_how_many_seconds_each_user_was_hurt(
    case: str, failures: list[tuple[int, float, float]], seconds: list[int]
) -> None:
    table = np.array(failures, dtype=float).reshape(-1, 3)

    assert list(hurt_seconds(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])) == seconds, case
