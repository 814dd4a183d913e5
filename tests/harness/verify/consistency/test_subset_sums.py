import time

import numpy as np
import pytest

from harness.verify.consistency.subset_sums import is_sum_of_some

MANY = 10_000


def sums_of(amounts: list[float]) -> set[float]:
    sums = {0.0}
    for amount in amounts:
        sums |= {known + amount for known in sums}
    return sums


@pytest.mark.parametrize(
    ("why", "amounts", "wanted", "expected"),
    [
        ("nothing is the sum of nothing", [], 0.0, True),
        ("and nothing else is", [], 1.0, False),
        ("none of them", [5.0], 0.0, True),
        ("part of one", [5.0], 2.0, False),
        ("more than all", [5.0, 5.0], 15.0, False),
        ("less than none", [5.0], -5.0, False),
        ("what was taken away", [-4.0, 1.0], -3.0, True),
        ("amounts of nothing", [0.0, 0.0], 0.0, True),
        ("halves", [0.5, 1.5], 2.0, True),
        ("not a multiple of what all are multiples of", [6.0] * 50, 153.0, False),
        ("tens beside two ones", [1.0, 1.0, *[10.0] * 50], 253.0, False),
        ("the same, where it can be made", [1.0, 1.0, *[10.0] * 50], 252.0, True),
        ("one that is larger than all others together", [1.0, 1.0, 1.0, 100.0], 102.0, True),
        ("between what they make without and with it", [1.0, 1.0, 1.0, 100.0], 50.0, False),
    ],
)
def test_what_some_of_the_amounts_add_up_to(why: str, amounts: list[float], wanted: float, expected: bool) -> None:
    assert is_sum_of_some(amounts, wanted) is expected, why


def test_it_agrees_with_trying_every_choice() -> None:
    chance, answers = np.random.default_rng(5), []
    for _ in range(400):
        largest = int(chance.integers(1, 200))
        amounts = [float(each) for each in chance.integers(-largest // 4, largest, chance.integers(0, 20))]
        sums = sums_of(amounts)
        wanted = float(chance.integers(int(min(sums)) - 5, int(max(sums)) + 5))
        answers.append(is_sum_of_some(amounts, wanted))

        assert answers[-1] is (wanted in sums), (amounts, wanted)
    assert min(answers.count(True), answers.count(False)) > 50


@pytest.mark.parametrize(
    ("why", "amounts", "wanted", "expected"),
    [
        ("every amount once", range(1, MANY + 1), 25_000_000, True),
        ("the middle of large ones", range(5_000, 5_000 + MANY), 50_000_001, True),
        ("one too few", range(5_000, 5_000 + MANY), 4_999, False),
        ("between one and two of them", range(9 * MANY, 10 * MANY, 2), 10 * MANY, False),
        ("and one too few to be left out", range(5_000, 5_000 + MANY), 10_000 * 9_999.5 + 5_000 * MANY - 4_999, False),
        ("even ones, odd wanted", range(2, 2 * MANY + 2, 2), 50_000_001, False),
        ("ups and downs", [*range(1, MANY // 2), *range(-MANY // 2, 0)], -1_234_567, True),
        ("nothing tells", [1, 1, *range(10, 10 * MANY, 10)], 250_000_003, None),
        ("powers, of which each is more than all before", [2**power for power in range(900)], 2**700 + 2**3, True),
        ("nothing tells of these either", [7**17 + 3**power for power in range(30)], 14 * 7**17, None),
    ],
)
def test_ten_thousand_different_amounts_are_quick(why: str, amounts: range, wanted: float, expected: bool) -> None:
    started_s = time.process_time()

    assert is_sum_of_some([float(each) for each in amounts], float(wanted)) is expected, why
    assert time.process_time() - started_s < 1.0
