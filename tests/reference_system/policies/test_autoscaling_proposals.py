"""One metric and the size it asks for. A pod requests 1000 thousandths, so 500 is 50 %, unless a row says otherwise."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reference_system.policies.autoscaling.observation import Observation, Readiness, Sample, milli
from reference_system.policies.autoscaling.replica_calculator import proposal
from reference_system.policies.autoscaling.spec import (
    DEFAULT_SCALE_DOWN,
    DEFAULT_SCALE_UP,
    Behavior,
    Flags,
    Metric,
    Source,
    Spec,
    Target,
)
from tests.reference_system.policies.autoscaled import (
    NOW_S,
    Member,
    cpu,
    deleted,
    ended,
    failed,
    named,
    pending,
    per_pod,
    ready,
    samples_of,
    seen,
    unready,
)

Members = Sequence[int | Member | None]


def proposed(metric: Metric, observation: Observation, behavior: Behavior | None = None) -> int | None:
    spec = Spec(max_replicas=1000, metrics=(metric,), behavior=behavior)
    return proposal(metric, observation, NOW_S, spec=spec)


@pytest.mark.parametrize(
    ("members", "target", "replicas", "size", "why"),
    [
        ([300, 500, 700], 30, 3, 5, "50 % is 5/3 of the target, of three pods: 5"),
        ([610] * 10, 50, 10, 13, "1.22 x 10 = 12.2 is rounded up"),
        ([100, 300, 500, 250, 250], 50, 5, 3, "28 % is 0.56 of the target, of five pods 2.8: 3"),
        ([0, 0, 0], 50, 3, 0, "idle pods are not needed at all; keeping some is min_replicas' task"),
        ([559] * 10, 50, 10, 10, "55.9 % is truncated to 55 %, 1.1 of the target, which is tolerated"),
        ([560] * 25, 50, 25, 29, "1.12 x 25 is 28.000000000000004 in binary64: 29, not 28"),
        ([ready(100, request=100), ready(0, request=900)], 10, 2, 2, "10 % of all requests, not 50 % on average"),
        ([1000] * 4, 50, 3, 8, "counted are the pods there are, four in a rolling update, not the three wanted"),
        ([500] * 4, 50, 3, 3, "within tolerance the wanted number is kept, however many there are"),
    ],
)
def test_utilization_over_target_times_the_counted_pods_is_rounded_up(
    members: Members, target: int, replicas: int, size: int, why: str
) -> None:
    assert proposed(cpu(target), seen(members, replicas=replicas)) == size, why


UP_ONLY = Behavior(scale_up=replace(DEFAULT_SCALE_UP, tolerance=0.0))
DOWN_ONLY = Behavior(scale_down=replace(DEFAULT_SCALE_DOWN, tolerance=0.5))


@pytest.mark.parametrize(
    ("percent", "target", "behavior", "size", "why"),
    [
        (50, 50, None, 10, "at the target"),
        (33, 30, None, 10, "1.1 is within 1 + 0.1; |1 - 1.1| in binary64, as older controllers had it, is not"),
        (55, 50, None, 10, "another 1.1"),
        (56, 50, None, 12, "1.12 is not: 11.2 pods"),
        (45, 50, None, 10, "0.9 is within 1 - 0.1"),
        (44, 50, None, 9, "0.88 is not: 8.8 pods"),
        (51, 50, UP_ONLY, 11, "a tolerance of 0 upwards: 10.2 pods"),
        (45, 50, UP_ONLY, 10, "which leaves the controller's downwards"),
        (50, 50, UP_ONLY, 10, "and the target itself is always tolerated"),
        (25, 50, DOWN_ONLY, 10, "a tolerance of 0.5 downwards: 0.5 is within"),
        (24, 50, DOWN_ONLY, 5, "0.48 is not: 4.8 pods"),
        (56, 50, DOWN_ONLY, 12, "which leaves the controller's upwards"),
    ],
)
def test_a_ratio_within_tolerance_changes_nothing(
    percent: int, target: int, behavior: Behavior | None, size: int, why: str
) -> None:
    assert proposed(cpu(target), seen([percent * 10] * 10, replicas=10), behavior) == size, why


@pytest.mark.parametrize(
    ("members", "target", "replicas", "size", "why"),
    [
        (
            [400, 95, None, None],
            100,
            4,
            3,
            "0.24: who is missing counts with its request, (495 + 2000) / 4000 x 4 = 2.48",
        ),
        ([500, None], 200, 2, 2, "0.25: for a target above 100 % it counts with that, 125 % of 200 % x 2 = 1.25"),
        (
            [450, None],
            50,
            2,
            2,
            "0.9, tolerated, but there is a doubt: at 72 % it would be 1.44, a change of direction",
        ),
        ([400, None], 50, 2, 2, "0.8 and with the missing pod 1.4: the direction flipped, so it stays"),
        ([2000, None], 50, 2, 4, "4.0: who is missing counts with 0, 100 % x 2 / 50 % = 4"),
        ([1900, None], 100, 2, 2, "1.9 and with the missing pod 0.95, which is tolerated"),
        ([*[585] * 9, None], 50, 10, 10, "1.16 x 9 = 10.44, but with the missing pod 1.04 is tolerated"),
        ([1200, None, None], 100, 3, 3, "1.2 and with the missing pods 0.4: the direction flipped, so it stays"),
        ([500, None], 50, 2, 2, "exactly at the target there is no direction, and nothing is filled in"),
        ([100, 100, None], 50, 2, 2, "0.8 x 3 = 2.4 would be more than the two wanted, of a system that needs fewer"),
        ([2000, 2000, None], 100, 5, 5, "1.33 x 3 would be fewer than the five wanted, of a system that needs more"),
    ],
)
def test_missing_pods_weaken_a_change_and_never_turn_it_round(
    members: Members, target: int, replicas: int, size: int, why: str
) -> None:
    assert proposed(cpu(target), seen(members, replicas=replicas)) == size, why


@pytest.mark.parametrize(
    ("members", "target", "replicas", "size", "why"),
    [
        ([unready(300), 500, 700], 30, 3, 4, "2.0: who is not ready counts with 0, 40 % x 3 / 30 % = 4"),
        ([pending(), 500, 700], 30, 3, 4, "so does a pod that is pending"),
        ([400, unready(500), unready(700)], 30, 3, 3, "1.33, and with the others 0.43: it flipped, so it stays"),
        ([100, 300, 500, unready(250), unready(250)], 50, 5, 2, "0.6: left out on the way down, 0.6 x 3 = 1.8"),
        ([100, pending(), pending(), pending(), pending()], 50, 5, 1, "0.2 x 1, whatever the pending pods may need"),
        ([*[585] * 9, unready(585)], 50, 10, 10, "1.16 x 9 = 10.44, but with the unready pod 1.04 is tolerated"),
        ([*[400] * 6, unready(400)], 50, 4, 5, "0.8 x 6 = 4.8: with nothing filled in it may even grow"),
        ([unready(100), 500], 50, 2, 2, "at the target, since what it uses does not count either"),
        ([500, 700, failed(), failed()], 30, 2, 4, "failed pods do not exist: 2.0 x 2"),
        ([500, 700, failed(9000), deleted(9000)], 30, 2, 4, "nor do deleted ones, even with samples"),
        ([unready(100), 2000, None], 50, 3, 4, "4.0: unready and missing pods count with 0, 66 % x 3 / 50 % = 3.96"),
        (
            [unready(100), 100, 100, None],
            50,
            4,
            3,
            "0.2: the missing one is filled in, the other left out: 0.8 x 3 = 2.4",
        ),
    ],
)
def test_unready_pods_are_idle_on_the_way_up_and_do_not_count_on_the_way_down(
    members: Members, target: int, replicas: int, size: int, why: str
) -> None:
    assert proposed(cpu(target), seen(members, replicas=replicas)) == size, why


@pytest.mark.parametrize(
    ("members", "wanted", "replicas", "size", "why"),
    [
        ([20_000, 10_000, 30_000], 15_000, 3, 4, "20 is 1.33 of 15, of three pods: 4"),
        ([12_000] * 5, 20_000, 5, 3, "0.6 x 5 = 3"),
        ([1, 1, 2], 1, 3, 3, "the average, 1.33 thousandths, is truncated to 1"),
        ([22_000, 22_001], 20_000, 2, 2, "22.0005 is truncated to 22.000, 1.1 of the target, which is tolerated"),
        ([2000] * 5 + [None] * 5, 10_000, 10, 6, "0.2: who is missing counts at the target, 6 / 10 x 10"),
        ([30_000, None], 10_000, 2, 3, "3.0: who is missing counts with 0, 15 / 10 x 2"),
        ([50_000, 10_000, unready(30_000)], 15_000, 3, 6, "readiness is not examined: 2.0 x 3"),
        ([30_000, 30_000, pending(90_000)], 15_000, 3, 4, "but who is pending counts with 0: 20 / 15 x 3"),
        ([20_000, 20_000, failed(90_000)], 10_000, 2, 4, "failed pods do not exist"),
    ],
)
def test_the_average_of_a_pods_metric(members: Members, wanted: int, replicas: int, size: int, why: str) -> None:
    assert proposed(per_pod(wanted), seen(members, of="rps", replicas=replicas)) == size, why


@pytest.mark.parametrize(
    ("name", "target", "size", "why"),
    [
        ("cpu", Target.UTILIZATION, 2, "CPU of an unready pod is left out: 0.5 x 3"),
        ("cpu", Target.AVERAGE_VALUE, 2, "also if its target is an amount"),
        ("memory", Target.UTILIZATION, 6, "memory is not: (750 + 1900) / 4000 is 66 %, 1.32 x 4 = 5.28"),
    ],
)
def test_readiness_is_examined_for_cpu_only(name: str, target: Target, size: int, why: str) -> None:
    wanted = 50 if target is Target.UTILIZATION else 500
    metric = Metric(source=Source.RESOURCE, name=name, target=target, wanted=wanted)

    asked = proposed(metric, seen([250, 250, 250, unready(1900)], of=name, replicas=4))

    assert asked == size, why


STARTED_S = NOW_S - 1000.0


@pytest.mark.parametrize(
    ("started_s", "readiness", "sample_at_s", "counts", "why"),
    [
        (NOW_S - 299, Readiness(ready=True, since_s=NOW_S - 200), NOW_S, True, "young, ready, and a fresh sample"),
        (NOW_S - 299, Readiness(ready=False, since_s=NOW_S - 200), NOW_S, False, "young and not ready"),
        (NOW_S - 299, Readiness(ready=True, since_s=NOW_S - 20), NOW_S, False, "its sample of 30 s begins before"),
        (NOW_S - 299, Readiness(ready=True, since_s=NOW_S - 30), NOW_S, True, "its sample begins just then"),
        (NOW_S - 300, Readiness(ready=True, since_s=NOW_S - 20), NOW_S, True, "300 s old is not young"),
        (NOW_S - 300, Readiness(ready=False, since_s=NOW_S - 20), NOW_S, True, "it was ready, and may be busy"),
        (STARTED_S, Readiness(ready=False, since_s=STARTED_S + 29), NOW_S, False, "it has never been ready"),
        (STARTED_S, Readiness(ready=False, since_s=STARTED_S + 30), NOW_S, True, "30 s after its start it was"),
        (STARTED_S, Readiness(ready=True, since_s=STARTED_S + 29), NOW_S - 900, True, "old samples of old pods count"),
        (None, Readiness(ready=True, since_s=NOW_S - 200), NOW_S, False, "not started, as far as is known"),
        (STARTED_S, None, NOW_S, False, "nothing is known of its readiness"),
    ],
)
def test_whether_the_cpu_of_a_pod_counts(
    started_s: float | None, readiness: Readiness | None, sample_at_s: float, counts: bool, why: str
) -> None:
    old, young = (member.pod for member in named([500, 900]))
    observation = Observation(
        replicas=2,
        existing=2,
        pods=(old, replace(young, started_s=started_s, readiness=readiness)),
        samples={
            "cpu": {
                old.name: Sample(value_milli=500, at_s=NOW_S, window_s=30),
                young.name: Sample(value_milli=900, at_s=sample_at_s, window_s=30),
            }
        },
    )

    # Without it the other pod is at the target; with it 70 % is 1.4 of the target, of two pods 2.8.
    assert proposed(cpu(50), observation) == (3 if counts else 2), why


def test_the_periods_in_which_a_pod_warms_up_are_the_controllers() -> None:
    metric = cpu(50)
    flags = Flags(cpu_initialization_period_s=100.0, initial_readiness_delay_s=5.0)
    spec = Spec(max_replicas=9, metrics=(metric,), flags=flags)
    old, other = (member.pod for member in named([500, 900]))
    pods = [
        replace(other, started_s=NOW_S - 99, readiness=Readiness(ready=False, since_s=NOW_S - 50)),
        replace(other, started_s=NOW_S - 100, readiness=Readiness(ready=False, since_s=NOW_S - 94)),
        replace(other, started_s=NOW_S - 100, readiness=Readiness(ready=False, since_s=NOW_S - 96)),
    ]
    both = samples_of(named([500, 900]))
    observations = [Observation(replicas=2, existing=2, pods=(old, pod), samples={"cpu": both}) for pod in pods]

    assert [proposal(metric, observation, NOW_S, spec=spec) for observation in observations] == [2, 3, 2]


QUEUE_WANTED = {Target.VALUE: 10_000, Target.AVERAGE_VALUE: 5000}


def queue(total: int, members: Members, *, replicas: int) -> Observation:
    return seen(members, replicas=replicas, totals={"queue": total})


@pytest.mark.parametrize(
    ("target", "observation", "size", "why"),
    [
        (Target.VALUE, queue(13_000, [0, 0, 0], replicas=3), 4, "1.3 x 3 ready pods = 3.9"),
        (Target.VALUE, queue(50_000, [unready(), 0, unready()], replicas=3), 5, "5.0 x 1: only ready pods count"),
        (Target.VALUE, queue(50_000, [ended(), 0, pending()], replicas=3), 5, "and only running ones"),
        (Target.VALUE, queue(50_000, [unready(), unready()], replicas=2), 0, "5.0 x 0: nobody is ready"),
        (Target.VALUE, queue(50_000, [deleted()], replicas=1), 5, "a pod that is being deleted is still ready"),
        (Target.VALUE, queue(11_000, [0, 0], replicas=3), 3, "1.1 is tolerated; the wanted number is kept"),
        (Target.VALUE, queue(11_000, [], replicas=3), 3, "also without any pods"),
        (Target.VALUE, queue(12_000, [], replicas=3), None, "otherwise nothing can be said without pods"),
        (
            Target.VALUE,
            queue(10_500, [], replicas=0),
            2,
            "from none no tolerance: the ratio, rounded up",
        ),
        (Target.VALUE, queue(0, [], replicas=0), 0, "and none stays none if the value is 0"),
        (Target.AVERAGE_VALUE, queue(20_000, [0, 0, 0], replicas=3), 4, "as many as can share the total: 4"),
        (Target.AVERAGE_VALUE, queue(20_001, [0, 0, 0], replicas=3), 5, "rounded up"),
        (
            Target.AVERAGE_VALUE,
            queue(16_500, [0, 0, 0], replicas=3),
            3,
            "5.5 for each, 1.1, is tolerated",
        ),
        (
            Target.AVERAGE_VALUE,
            queue(20_000, [unready(), pending(), failed()], replicas=3),
            4,
            "readiness does not matter",
        ),
        (Target.AVERAGE_VALUE, queue(7000, [], replicas=0), 2, "nor do pods: from none, 1.4 rounded up"),
        (Target.AVERAGE_VALUE, queue(0, [], replicas=0), 0, "or none"),
    ],
)
@pytest.mark.parametrize("source", [Source.OBJECT, Source.EXTERNAL])
def test_one_number_for_all_pods(
    source: Source, target: Target, observation: Observation, size: int | None, why: str
) -> None:
    metric = Metric(source=source, name="queue", target=target, wanted=QUEUE_WANTED[target])

    assert proposed(metric, observation) == size, why


def test_an_average_value_is_shared_by_the_pods_that_exist() -> None:
    metric = Metric(source=Source.OBJECT, name="queue", target=Target.AVERAGE_VALUE, wanted=5000)
    observation = Observation(replicas=3, existing=4, totals_milli={"queue": 21_000})

    # 5.25 for each of the four, 1.05 of the target, is tolerated.
    assert proposed(metric, observation) == 4


@pytest.mark.parametrize(
    ("metric", "observation", "why"),
    [
        (cpu(50), Observation(replicas=2, existing=2), "no pods, no samples"),
        (cpu(50), seen([None, None], replicas=2), "no pod has a sample"),
        (cpu(50), seen([unready(500), pending()], replicas=2), "none of the pods counts"),
        (cpu(50), seen([500, ready(0, request=0)], of="memory", replicas=2), "samples of another metric only"),
        (cpu(50), seen([ready(500, request=0)], replicas=1), "nothing is requested, so it cannot be divided by"),
        (per_pod(10), seen([None], of="rps", replicas=1), "no pod has a sample"),
        (per_pod(10), seen([pending(500)], of="rps", replicas=1), "none of the pods counts"),
        (Metric(source=Source.OBJECT, name="queue", target=Target.VALUE, wanted=1), seen([0], replicas=1), "no total"),
    ],
)
def test_what_cannot_be_told(metric: Metric, observation: Observation, why: str) -> None:
    assert proposed(metric, observation) is None, why


def test_a_single_pod_without_a_request_makes_a_utilization_unknown_even_if_it_failed() -> None:
    whole = seen([500, 500, failed()], replicas=2)
    *well, broken = whole.pods

    asked = proposed(cpu(50), replace(whole, pods=(*well, replace(broken, requests_milli={}))))

    assert asked is None


def test_samples_of_pods_that_are_no_longer_listed_count_in_averages_but_not_in_utilizations() -> None:
    whole = seen([4000, 9500, 3000, 7000, 3200, 2000], replicas=4)
    four = replace(whole, pods=whole.pods[:4])

    # 23 500 of 4 x 1000 is 587 %, of four pods 23.48; 28 700 / 6 is 4783, of four pods 19.1.
    assert proposed(cpu(100), four) == 24
    assert proposed(replace(per_pod(1000), name="cpu"), four) == 20


def test_samples_of_unknown_pods_only_are_no_samples() -> None:
    stranger = {"gone": Sample(value_milli=900, at_s=NOW_S)}
    listed = seen([None], replicas=1)

    assert proposed(cpu(50), replace(listed, samples={"cpu": stranger})) is None
    assert proposed(per_pod(50), Observation(replicas=1, existing=1, samples={"rps": stranger})) is None


def test_a_pod_in_any_other_phase_counts_if_it_has_a_sample() -> None:
    assert proposed(per_pod(10), seen([ended(30)], of="rps", replicas=1)) == 3


@pytest.mark.parametrize(
    ("value", "thousandths"),
    [(0, 0), (1.1, 1100), (1.1001, 1101), (0.0001, 1), (2.007, 2007), (4.03, 4030), (1500, 1_500_000)],
)
def test_thousandths_are_rounded_up_from_the_number_as_it_is_written(value: float, thousandths: int) -> None:
    assert milli(value) == thousandths


def test_negative_amounts_are_refused() -> None:
    with pytest.raises(ValueError, match="no meaning"):
        Sample(value_milli=-1)
    with pytest.raises(ValueError, match="negative"):
        Observation(replicas=1, existing=1, totals_milli={"queue": -1})
