from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from harness.experiment.expectations.scaling import ScalingCheck
from harness.plan import RateSegment
from harness.units import Seconds
from harness.verify.scaling import course
from harness.verify.scaling.hpa import Observation, scaled
from harness.verify.scaling.trace import Sync
from harness.verify.verdict import Figure, Outcome
from tests.harness.verify.scaling.a_scaled_system import HPA, recorded

pytestmark = pytest.mark.slow  # the first one simulates a run's requests

CHECK = ScalingCheck(autoscaler=HPA)
RISE, FALL = "the rise at T+30.0 s", "the fall at T+70.0 s"
# At 100/s, at 300/s from 30 s on, at 100/s again from 70 s on.
GROWS_AND_SHRINKS = [(20.0, 5, 5), (32.0, 5, 8), (34.0, 5, 12), (40.0, 8, 12), (45.0, 12, 12), (60.0, 12, 12)]
GROWS_AND_SHRINKS += [(80.0, 12, 10), (90.0, 10, 10), (100.0, 10, 8)]


def _syncs(sizes: Sequence[tuple[float, int, int]]) -> list[Sync]:
    """Run time, ready and desired; each saw what the one before had decided, and was at most a second earlier."""
    found: list[Sync] = []
    for number, (at_s, ready, desired) in enumerate(sizes, start=1):
        seen = Observation(at_s=at_s, error_s=1.0, current=found[-1].desired if found else desired, readings={})
        found.append(Sync(number=number, seen=seen, ready=ready, desired=desired))
    return found


def _figures(
    sizes: Sequence[tuple[float, int, int]], check: ScalingCheck = CHECK, planned: tuple[tuple[float, float], ...] = ()
) -> dict[str, Figure]:
    run = recorded(planned=planned) if planned else recorded()
    return {figure.name: figure for figure in course.figures_of(run, check, scaled(HPA), _syncs(sizes))}


def _bar(figure: Figure) -> tuple[float | None, float | None, float | None]:
    assert figure.interval is not None
    return figure.value, figure.interval.low, figure.interval.high


def test_times_count_from_the_change_of_the_planned_rate() -> None:
    found = _figures(GROWS_AND_SHRINKS)

    assert _bar(found[f"first decision after {RISE}"]) == (2.0, 1.0, 2.0)
    assert _bar(found[f"ready capacity after {RISE}"]) == (15.0, 9.0, 15.0)  # 12 of 12 at 45 s, not yet at 40 s
    assert found[f"overshoot after {RISE}"].value == 0.0
    assert _bar(found[f"first decision after {FALL}"]) == (10.0, 9.0, 10.0)
    assert all(figure.outcome is Outcome.PASS for figure in found.values())


def test_a_step_back_is_no_answer_to_a_rise() -> None:
    found = _figures([(20.0, 5, 5), (31.0, 5, 4), (33.0, 4, 8), (60.0, 8, 8)])

    assert found[f"first decision after {RISE}"].value == 3.0


def test_overshoot_is_what_was_wanted_beyond_where_it_settled() -> None:
    found = _figures([(20.0, 5, 5), (32.0, 5, 18), (50.0, 18, 14), (65.0, 14, 14)])

    assert found[f"overshoot after {RISE}"].value == 4.0
    assert found[f"ready capacity after {RISE}"].value == 20.0  # the 14 of the end, not the 18 of the peak


def test_capacity_that_is_lost_again_was_not_ready() -> None:
    found = _figures([(20.0, 5, 5), (32.0, 5, 8), (36.0, 8, 8), (40.0, 6, 8), (44.0, 8, 8), (60.0, 8, 8)])

    assert _bar(found[f"ready capacity after {RISE}"]) == (14.0, 9.0, 14.0)


@pytest.mark.parametrize(
    ("ready_within", "outcome", "why"),
    [
        (16.0, Outcome.PASS, "it was ready after 15 s at most"),
        (12.0, Outcome.INCONCLUSIVE, "between 9 s and 15 s"),
        (8.0, Outcome.FAIL, "not before 9 s"),
    ],
)
def test_capacity_has_to_be_ready_in_time(ready_within: float, outcome: Outcome, why: str) -> None:
    check = msgspec.structs.replace(CHECK, ready_within=Seconds(ready_within))

    assert _figures(GROWS_AND_SHRINKS, check)[f"ready capacity after {RISE}"].outcome is outcome, why


@pytest.mark.parametrize(("ready_within", "outcome"), [(20.0, Outcome.FAIL), (35.0, Outcome.INCONCLUSIVE)])
def test_capacity_that_is_never_ready_fails_where_it_was_watched_for_long_enough(
    ready_within: float, outcome: Outcome
) -> None:
    check = msgspec.structs.replace(CHECK, ready_within=Seconds(ready_within))
    sizes = [(20.0, 5, 5), (32.0, 5, 8), (60.0, 6, 8)]

    found = _figures(sizes, check)[f"ready capacity after {RISE}"]

    assert found.outcome is outcome
    assert "6 of 8 replicas were ready in the end" in found.reason
    assert _figures(sizes)[f"ready capacity after {RISE}"].outcome is Outcome.PASS


def test_without_a_scale_up_nothing_is_known_of_capacity_in_time() -> None:
    check = msgspec.structs.replace(CHECK, ready_within=Seconds(10.0))
    still = [(20.0, 5, 5), (50.0, 5, 5), (90.0, 5, 5)]

    found = _figures(still, check)

    assert found["ready capacity after"].outcome is Outcome.INCONCLUSIVE
    assert found[f"first decision after {RISE}"].reason == "none followed"
    assert "ready capacity after" not in _figures(still)


@pytest.mark.parametrize(
    ("sizes", "flaps", "why"),
    [
        ([(20.0, 5, 5)], 0, "nothing moved"),
        ([(31.0, 5, 5), (32.0, 5, 8), (36.0, 8, 12)], 0, "one direction"),
        (GROWS_AND_SHRINKS, 0, "down after the planned rate fell is no flap"),
        ([(31.0, 5, 5), (32.0, 5, 9), (40.0, 9, 7), (41.0, 7, 7), (48.0, 7, 9)], 2, "up, down and up again"),
        ([(31.0, 5, 5), (32.0, 5, 9), (33.0, 9, 7), (65.0, 7, 9)], 1, "the second one came 32 s after the first"),
    ],
)
def test_a_flap_is_a_change_of_direction_while_the_planned_rate_is_the_same(
    sizes: Sequence[tuple[float, int, int]], flaps: int, why: str
) -> None:
    within = "changes of direction within 30 s"  # ten minutes at a twentieth

    assert _figures(sizes)[within].value == flaps, why
    strict = msgspec.structs.replace(CHECK, max_flaps=0)
    assert _figures(sizes, strict)[within].outcome is (Outcome.FAIL if flaps else Outcome.PASS)


def test_a_change_within_the_tolerance_is_no_step_and_a_ramp_counts_from_its_beginning() -> None:
    run = recorded()
    rate = (
        RateSegment(start_s=0.0, end_s=30.0, from_per_s=100.0, to_per_s=100.0),
        RateSegment(start_s=30.0, end_s=50.0, from_per_s=109.0, to_per_s=109.0),
        RateSegment(start_s=50.0, end_s=60.0, from_per_s=109.0, to_per_s=300.0),
        RateSegment(start_s=60.0, end_s=110.0, from_per_s=300.0, to_per_s=300.0),
    )
    ramped = msgspec.structs.replace(run.plan, rate=rate)

    [step] = course.steps_of(replace(run, plan=ramped), scaled(HPA))

    assert (step.at_s, step.until_s, step.rises) == (50.0, 110.0, True)
