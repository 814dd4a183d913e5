"""Which stretches of a run are steady, so that what varies in them is chance; and stretches without windows."""

import dataclasses

import msgspec
import pytest

from harness.plan import RateSegment
from harness.record.reader import Run
from harness.verify.windows import Window, disturbance_over_s, first_disturbance_s, is_steady, parts_outside
from tests.harness.a_run import a_run

STEPS = a_run().with_overload(from_s=30.0, to_s=50.0, per_s=150.0).built()
FAULT = a_run().with_fault(at_s=30.0, lasts_s=10.0).built()  # its calls take 0.1 s


def _with_a_ramp() -> Run:
    """From 25 to 45 s."""
    run = a_run().built()
    rate = (
        RateSegment(start_s=0.0, end_s=25.0, from_per_s=100.0, to_per_s=100.0),
        RateSegment(start_s=25.0, end_s=45.0, from_per_s=100.0, to_per_s=150.0),
        RateSegment(start_s=45.0, end_s=80.0, from_per_s=150.0, to_per_s=150.0),
    )
    return dataclasses.replace(run, plan=msgspec.structs.replace(run.plan, rate=rate))


def _with_another_mix() -> Run:
    """From 30 to 60 s users do something else."""
    run = a_run().with_phases(warm_up=10.0, baseline=20.0, disturbed=30.0, recovery=20.0).built()
    first, *rest = run.plan.operations
    operations = (msgspec.structs.replace(first, phase="disturbed"), *rest)
    return dataclasses.replace(run, plan=msgspec.structs.replace(run.plan, operations=operations))


RAMP, MIX = _with_a_ramp(), _with_another_mix()


@pytest.mark.parametrize(
    ("what", "run", "start_s", "end_s", "steady"),
    [
        ("nothing is done at all", a_run().built(), 0.0, 80.0, True),
        ("before the first step", STEPS, 5.0, 30.0, True),
        ("a step within", STEPS, 25.0, 35.0, False),
        ("from the step on", STEPS, 30.0, 50.0, False),
        ("settled after the step, until the next one", STEPS, 31.0, 50.0, True),
        ("after the last step", STEPS, 51.0, 80.0, True),
        ("before the fault", FAULT, 5.0, 30.0, True),
        ("the injection within", FAULT, 25.0, 35.0, False),
        ("all of it under the fault", FAULT, 33.0, 40.0, True),
        ("the revert within", FAULT, 33.0, 41.0, False),
        ("not yet settled after the revert", FAULT, 41.0, 60.0, False),
        ("settled after the revert", FAULT, 42.5, 80.0, True),
        ("within a ramp", RAMP, 30.0, 40.0, False),
        ("after a ramp", RAMP, 45.0, 80.0, True),
        ("before users do something else", MIX, 10.0, 30.0, True),
        ("when users begin to do something else", MIX, 25.0, 35.0, False),
        ("while users do something else", MIX, 31.0, 60.0, True),
        ("when users do what they did", MIX, 50.0, 70.0, False),
    ],
)
def test_a_window_is_steady_where_nothing_is_done_to_the_system(
    what: str, run: Run, start_s: float, end_s: float, steady: bool
) -> None:
    assert is_steady(run, Window(name=what, start_s=start_s, end_s=end_s)) is steady, what


@pytest.mark.parametrize(
    ("run", "first_s"), [(a_run().built(), float("inf")), (STEPS, 30.0), (FAULT, 30.0), (RAMP, 25.0), (MIX, 30.0)]
)
def test_the_first_disturbance_is_a_change_of_the_load_or_an_injection(run: Run, first_s: float) -> None:
    assert first_disturbance_s(run) == first_s


def _window(start_s: float, end_s: float) -> Window:
    return Window(name="attack", start_s=start_s, end_s=end_s)


@pytest.mark.parametrize(
    ("why", "windows", "left"),
    [
        ("nothing is taken out", [], [(10.0, 20.0)]),
        ("elsewhere", [_window(0.0, 10.0), _window(20.0, 30.0)], [(10.0, 20.0)]),
        ("in the middle", [_window(12.0, 15.0)], [(10.0, 12.0), (15.0, 20.0)]),
        ("at an end", [_window(8.0, 12.0)], [(12.0, 20.0)]),
        ("all of it", [_window(8.0, 22.0)], []),
        ("two that overlap", [_window(12.0, 15.0), _window(14.0, 18.0)], [(10.0, 12.0), (18.0, 20.0)]),
    ],
)
def test_a_stretch_without_windows(why: str, windows: list[Window], left: list[tuple[float, float]]) -> None:
    assert parts_outside(windows, 10.0, 20.0) == left, why


def test_the_disturbance_is_over_when_users_do_again_what_they_did() -> None:
    assert disturbance_over_s(MIX) == (60.0, "")
