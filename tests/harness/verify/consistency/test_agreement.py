import math
import random
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from harness.verify.consistency.agreement import Agreement, agreement

REGIONS = ("us-east", "us-west", "europe")
COLUMNS = ["at_s", "region", "key", "answer"]
Row = tuple[float, str, str, float]


def frame(*rows: Row) -> pd.DataFrame:
    return pd.DataFrame([*rows], columns=COLUMNS)


def asked(at_s: float, key: str, *answers: float | None) -> list[Row]:
    """All regions in turn; None: it did not answer."""
    return [(at_s, region, key, answer) for region, answer in zip(REGIONS, answers, strict=True) if answer is not None]


def phi(found: Agreement) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in found.phi]


def test_nobody_asked_is_nothing_known() -> None:
    assert agreement(frame(), regions=REGIONS) == ()
    assert agreement(frame(*asked(1.0, "a", 5, 5, 5)), regions=("us-east",)) == ()


def test_phi_is_the_share_of_keys_that_all_regions_answer_alike() -> None:
    found = agreement(frame(*asked(1.0, "a", 5, 5, 5), *asked(1.0, "b", 5, 6, 5)), regions=REGIONS)

    assert found[0].regions == REGIONS
    assert (found[0].asked.tolist(), found[0].alike.tolist(), phi(found[0])) == ([2], [1], [0.5])
    assert {each.regions: phi(each) for each in found[1:]} == {
        ("us-east", "us-west"): [0.5],
        ("us-east", "europe"): [1.0],
        ("us-west", "europe"): [0.5],
    }


def test_a_key_that_some_region_did_not_answer_is_not_counted_among_all_and_is_among_the_others() -> None:
    found = agreement(frame(*asked(1.0, "a", 5, 5, 5), *asked(2.0, "a", 5, None, 5)), regions=REGIONS)

    assert phi(found[0]) == [1.0, None]
    assert {each.regions: phi(each) for each in found[1:]}[("us-east", "europe")] == [1.0, 1.0]


def test_the_last_answer_of_an_instant_counts_and_strangers_do_not() -> None:
    rows = [*asked(1.0, "a", 4, 5, 5), *asked(1.0, "a", 5, None, None), (1.0, "the moon", "a", 9.0)]

    assert phi(agreement(frame(*rows), regions=REGIONS)[0]) == [1.0]


def test_two_regions_are_one_pair() -> None:
    (found,) = agreement(frame(*asked(1.0, "a", 5, 5, None)), regions=REGIONS[:2])

    assert (found.regions, phi(found)) == (REGIONS[:2], [1.0])


@pytest.mark.parametrize("seed", range(30))
def test_it_is_what_counting_key_by_key_gives(seed: int) -> None:
    chance = random.Random(seed)
    held: dict[tuple[float, str, str], float] = {}
    rows: list[Row] = []
    for _ in range(chance.randint(1, 120)):
        where = float(chance.randint(0, 4)), chance.choice([*REGIONS, "the moon"]), chance.choice("abc")
        held[where] = float(chance.randint(0, 1))
        rows.append((*where, held[where]))
    groups = [REGIONS, *combinations(REGIONS, 2)]
    instants = sorted({at_s for at_s, region, _ in held if region in REGIONS})

    for found, group in zip(agreement(frame(*rows), regions=REGIONS), groups, strict=bool(instants)):
        expected = []
        for at_s in instants:
            whole = [[held.get((at_s, region, key)) for region in group] for key in "abc"]
            whole = [answers for answers in whole if None not in answers]
            expected.append((len(whole), sum(len(set(answers)) == 1 for answers in whole)))
        assert (found.regions, found.at_s.tolist()) == (group, instants)
        assert list(zip(found.asked.tolist(), found.alike.tolist(), strict=True)) == expected
        np.testing.assert_allclose(found.phi, [b / a if a else math.nan for a, b in expected])
