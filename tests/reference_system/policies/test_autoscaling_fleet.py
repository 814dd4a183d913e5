"""Modelled pods: when they serve, and who ends first."""

from reference_system.policies.autoscaling import fleet
from reference_system.policies.autoscaling.fleet import Fleet
from reference_system.policies.autoscaling.observation import Phase

FIVE = fleet.resized(Fleet(), 5, 0.0)


def test_a_pod_serves_once_it_has_started() -> None:
    grown = fleet.resized(FIVE, 7, 10.0)

    assert fleet.ready(FIVE, 1.9, start_up_s=2.0) == ()
    assert fleet.ready(grown, 11.9, start_up_s=2.0) == (0, 1, 2, 3, 4)
    assert fleet.ready(grown, 12.0, start_up_s=2.0) == (0, 1, 2, 3, 4, 5, 6)


def test_the_newest_end_first_and_no_name_comes_twice() -> None:
    shrunk = fleet.resized(fleet.resized(FIVE, 7, 10.0), 4, 20.0)
    again = fleet.resized(shrunk, 6, 30.0)

    assert [number for number, _ in shrunk.started] == [0, 1, 2, 3]
    assert [number for number, _ in again.started] == [0, 1, 2, 3, 7, 8]


def test_an_autoscaler_sees_pods_that_start_as_pending() -> None:
    grown = fleet.resized(FIVE, 6, 10.0)
    *_, newest = fleet.pods(grown, 11.0, start_up_s=2.0)
    *_, later = fleet.pods(grown, 13.0, start_up_s=2.0)

    assert (newest.phase, newest.started_s) == (Phase.PENDING, 10.0)
    assert newest.readiness is not None
    assert later.readiness is not None
    assert (newest.readiness.ready, later.readiness.ready, later.readiness.since_s) == (False, True, 12.0)


def test_as_many_as_before_are_the_same() -> None:
    assert fleet.resized(FIVE, 5, 99.0) == FIVE
