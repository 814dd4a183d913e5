"""Kubernetes' rules, each row worked out by hand."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.experiment.expectations.autoscaler import (
    Autoscaler,
    MetricType,
    PolicyType,
    ScalingMetric,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from harness.units import Seconds
from harness.verify.scaling.hpa import (
    Lean,
    Memory,
    Observation,
    Reading,
    Remembered,
    Rule,
    decide,
    forget,
    fresh,
    horizon_s,
    remember,
    scaled,
)

NOW_S = 1000.0
FREE = ScalingRules(
    stabilization=Seconds(0.0), policies=(ScalingPolicy(type=PolicyType.PODS, value=1000, period=Seconds(15.0)),)
)
CPU = ScalingMetric(name="cpu", type=MetricType.RESOURCE, target=65.0)
RATE = ScalingMetric(name="rate", type=MetricType.PODS, target=1500.0)
HPA = Autoscaler(min_replicas=1, max_replicas=1000, metrics=(CPU,), scale_up=FREE, scale_down=FREE)


def _seen(current: int, at_s: float = NOW_S, **readings: Reading) -> Observation:
    return Observation(at_s=at_s, current=current, readings=readings)


def _cpu(percent: int | None, counted: int, *, missing: int = 0, unready: int = 0) -> Reading:
    return Reading(value=percent, counted=counted, missing=missing, unready=unready)


def _asks_for(replicas: int) -> Reading:
    """What proposes so many replicas (but one) by a target of 1 %: the use of a single pod."""
    return Reading(value=replicas, counted=1)


ONE_PERCENT = msgspec.structs.replace(HPA, metrics=(ScalingMetric(name="cpu", type=MetricType.RESOURCE, target=1.0),))


# --- one metric, one proposal -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "desired", "why"),
    [
        (_cpu(65, 10), 10, "on target"),
        (_cpu(71, 10), 10, "71/65 = 1.092 is tolerated"),
        (_cpu(72, 10), 12, "72/65 = 1.108 is not: ceil(11.08)"),
        (_cpu(59, 10), 10, "59/65 = 0.908 is tolerated"),
        (_cpu(58, 10), 9, "58/65 = 0.892 is not: ceil(8.92)"),
        (_cpu(130, 10), 20, "twice the target"),
        (_cpu(131, 10), 21, "a little more: ceil(20.15)"),
        (_cpu(0, 10), 1, "0 proposed, the lower bound stays"),
        (_cpu(130, 6), 12, "counted pods, not the current size, are multiplied"),
        (_cpu(78, 5), 6, "… also where that is a step back: ceil(6.0) of 10"),
    ],
)
def test_utilisation_proposes_by_its_ratio_to_the_target(reading: Reading, desired: int, why: str) -> None:
    assert decide(HPA, Memory(), _seen(10, cpu=reading)).desired == desired, why


@pytest.mark.parametrize(
    ("average", "desired", "why"),
    [
        (1_650_000, 10, "1.1 times the target belongs to the tolerance"),
        (1_650_001, 12, "a thousandth more does not: ceil(11.00001)"),
        (1_350_000, 10, "0.9 times the target belongs to it"),
        (1_349_999, 9, "a thousandth less does not: ceil(8.99999)"),
    ],
)
def test_both_ends_of_the_tolerance_belong_to_it(average: int, desired: int, why: str) -> None:
    hpa = msgspec.structs.replace(HPA, metrics=(RATE,))

    assert decide(hpa, Memory(), _seen(10, rate=Reading(value=average, counted=10))).desired == desired, why


@pytest.mark.parametrize(
    ("reading", "desired", "rule", "why"),
    [
        # up: who is silent or not ready is counted with 0
        (_cpu(130, 6, missing=4), 12, Rule.METRIC, "780 over 10 pods are 78 %: ceil(1.2 × 10)"),
        (_cpu(130, 6, unready=4), 12, Rule.METRIC, "the same for pods that are not ready"),
        (_cpu(130, 6, missing=2, unready=2), 12, Rule.METRIC, "… and for both"),
        (_cpu(100, 5, missing=5), 10, Rule.SILENT_PODS, "500 over 10 are 50 %: it would turn round"),
        (_cpu(110, 6, missing=4), 10, Rule.TOLERANCE, "660 over 10 are 66 %: now tolerated"),
        (_cpu(78, 6, missing=1), 10, Rule.TOLERANCE, "468 over 7 are 66 %"),
        (_cpu(300, 3, missing=1), 14, Rule.METRIC, "900 over 4 are 225 %: ceil(3.46 × 4)"),
        (_cpu(300, 2, missing=1), 10, Rule.METRIC, "600 over 3 are 200 %: ceil(3.077 × 3) = 10, as there are"),
        (_cpu(300, 1, missing=1), 10, Rule.SILENT_PODS, "300 over 2 are 150 %: ceil(4.6) = 5 would be a step down"),
        # down: who is silent is counted with 100 %, who is not ready not at all
        (_cpu(13, 8, missing=2), 5, Rule.METRIC, "304 over 10 are 30 %: ceil(0.4615 × 10)"),
        (_cpu(13, 8, unready=2), 2, Rule.METRIC, "only 8 count: ceil(0.2 × 8)"),
        (_cpu(50, 8, missing=2), 10, Rule.TOLERANCE, "600 over 10 are 60 %"),
        (_cpu(50, 5, missing=5), 10, Rule.SILENT_PODS, "750 over 10 are 75 %: it would turn round"),
        (_cpu(20, 10, missing=6), 10, Rule.SILENT_PODS, "800 over 16 are 50 %: ceil(12.3) would be a step up"),
        # on the target nobody is filled in
        (_cpu(65, 4, missing=6), 10, Rule.TOLERANCE, "exactly on target"),
    ],
)
def test_silent_pods_weigh_against_the_change(reading: Reading, desired: int, rule: Rule, why: str) -> None:
    decision = decide(HPA, Memory(), _seen(10, cpu=reading))

    assert (decision.desired, decision.rule) == (desired, rule), why


def test_silent_pods_of_a_high_target_are_counted_at_the_target() -> None:
    hpa = msgspec.structs.replace(HPA, metrics=(ScalingMetric(name="cpu", type=MetricType.RESOURCE, target=200.0),))

    # 8 × 40 + 2 × 200 = 720 over 10 are 72 %: ceil(0.36 × 10); with 100 % it were 52 %: ceil(0.26 × 10)
    assert decide(hpa, Memory(), _seen(10, cpu=_cpu(40, 8, missing=2))).desired == 4


def test_silent_pods_of_an_average_are_counted_at_the_target() -> None:
    hpa = msgspec.structs.replace(HPA, metrics=(RATE,))
    reading = Reading(value=300_000, counted=8, missing=2)

    # 8 × 300 + 2 × 1500 = 5400 over 10 are 540: ceil(0.36 × 10)
    assert decide(hpa, Memory(), _seen(10, rate=reading)).desired == 4


def test_a_truncated_average_hides_less_than_one_for_each_pod() -> None:
    """131 % of 6 pods are 786 to 791 together, over 10 pods 78 % or 79 %: ceil(1.2 × 10) or ceil(1.215 × 10)."""
    seen = _seen(10, cpu=_cpu(131, 6, missing=4))

    known = _seen(10, cpu=_cpu(157, 5, missing=5))  # 785 to 789: 78 % all the same, a full 790 it cannot be

    assert [decide(HPA, Memory(), seen, lean).desired for lean in (Lean.LEAST, Lean.MOST)] == [12, 13]
    assert [decide(HPA, Memory(), known, lean).desired for lean in (Lean.LEAST, Lean.MOST)] == [12, 12]


# --- several metrics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpu", "rate", "desired", "proposed", "why"),
    [
        (130, 1_500_000, 20, 20, "the highest proposal wins"),
        (65, 3_000_000, 20, 20, "whichever it is"),
        (32, 1_500_000, 10, 10, "one that wants to keep outweighs one that wants fewer"),
        (32, 750_000, 5, 5, "all want fewer: the one that wants most of them"),
        (None, 3_000_000, 20, 20, "scaling up goes on without an invalid one"),
        (None, 750_000, 10, None, "scaling down does not"),
        (None, 1_500_000, 10, 10, "keeping is no scaling down"),
        (None, None, 10, None, "nothing is known"),
    ],
)
def test_several_metrics_become_one_number(
    cpu: int | None, rate: int | None, desired: int, proposed: int | None, why: str
) -> None:
    hpa = msgspec.structs.replace(HPA, metrics=(CPU, RATE))
    seen = _seen(10, cpu=_cpu(cpu, 10), rate=Reading(value=rate, counted=10))

    decision = decide(hpa, Memory(), seen)

    assert (decision.desired, decision.proposed) == (desired, proposed), why


def test_a_metric_without_a_counted_pod_is_invalid() -> None:
    assert decide(HPA, Memory(), _seen(10, cpu=_cpu(0, 0, missing=10))).rule is Rule.INVALID


@pytest.mark.parametrize(
    ("current", "desired", "rule"), [(0, 0, Rule.DISABLED), (3, 5, Rule.BOUNDS), (31, 20, Rule.BOUNDS)]
)
def test_out_of_bounds_neither_metrics_nor_limits_are_asked(current: int, desired: int, rule: Rule) -> None:
    slow = msgspec.structs.replace(FREE, select=SelectPolicy.DISABLED, stabilization=Seconds(3600.0))
    hpa = msgspec.structs.replace(HPA, min_replicas=5, max_replicas=20, scale_up=slow, scale_down=slow)

    decision = decide(hpa, Memory(), _seen(current, cpu=_cpu(300, 10)))

    assert (decision.desired, decision.proposed, decision.rule) == (desired, None, rule)


def test_the_bounds_have_the_last_word() -> None:
    hpa = msgspec.structs.replace(HPA, min_replicas=5, max_replicas=20)

    assert decide(hpa, Memory(), _seen(10, cpu=_cpu(300, 10))).desired == 20
    assert decide(hpa, Memory(), _seen(10, cpu=_cpu(1, 10))).desired == 5
    assert decide(hpa, Memory(), _seen(10, cpu=_cpu(300, 10))).rule is Rule.BOUNDS


# --- stabilisation ----------------------------------------------------------------------------------------------------


def _stabilising(*, up_s: float = 0.0, down_s: float = 0.0) -> Autoscaler:
    return msgspec.structs.replace(
        ONE_PERCENT,
        scale_up=msgspec.structs.replace(FREE, stabilization=Seconds(up_s)),
        scale_down=msgspec.structs.replace(FREE, stabilization=Seconds(down_s)),
    )


def _recommended(*ages_and_replicas: tuple[float, int]) -> Memory:
    entries = tuple(Remembered(at_s=NOW_S - age_s, replicas=replicas) for age_s, replicas in ages_and_replicas)
    return Memory(recommendations=entries)


@pytest.mark.parametrize(
    ("up_s", "down_s", "memory", "proposed", "desired", "why"),
    [
        (0, 300, [(15, 12)], 4, 10, "a higher one than the current size holds it, and raises nothing"),
        (0, 300, [(15, 7)], 4, 7, "down to the highest recommendation of the window"),
        (0, 300, [(299.9, 9), (15, 4)], 4, 9, "still in it"),
        (0, 300, [(300, 9), (15, 4)], 4, 4, "newer is strict: what is as old as the window is out"),
        (0, 300, [], 4, 4, "nothing remembered, nothing held"),
        (0, 0, [(15, 9)], 4, 4, "without a window at once"),
        (60, 300, [(15, 11), (30, 14)], 20, 11, "up to the lowest of the window"),
        (60, 300, [(59.9, 12)], 20, 12, "still in it"),
        (60, 300, [(60, 12)], 20, 20, "as old as the window is out"),
        (60, 300, [(15, 4)], 20, 10, "one lower than the current size holds it, and lowers nothing"),
        (0, 300, [(15, 4)], 20, 20, "up without a window at once"),
    ],
)
def test_recommendations_of_the_windows_hold_it_back(
    *, up_s: float, down_s: float, memory: list[tuple[float, int]], proposed: int, desired: int, why: str
) -> None:
    seen = _seen(10, cpu=_asks_for(proposed))

    assert decide(_stabilising(up_s=up_s, down_s=down_s), _recommended(*memory), seen).desired == desired, why


def test_a_fresh_autoscaler_cannot_scale_down_for_a_window_nor_up_at_once() -> None:
    hpa = _stabilising(up_s=60.0, down_s=300.0)
    first = _seen(10, at_s=0.0, cpu=_asks_for(4))
    memory = fresh(first)
    down, up = [], []
    for number in range(25):
        at_s = 15.0 * number
        down.append(decide(hpa, memory, replace(first, at_s=at_s)).desired)
        up.append(decide(hpa, memory, replace(first, at_s=at_s, readings={"cpu": _asks_for(30)})).desired)

    assert down == [10] * 20 + [4] * 5  # at 300 s the first size is as old as the window
    assert up == [10] * 4 + [30] * 21


def test_what_was_not_proposed_is_not_remembered() -> None:
    seen = _seen(10, cpu=_cpu(None, 0))

    memory = remember(Memory(), seen, proposed=None, change=0)

    assert memory == Memory()
    assert len(remember(memory, seen, proposed=0, change=0).recommendations) == 1
    assert remember(memory, seen, proposed=12, change=-2) == Memory(
        recommendations=(Remembered(at_s=NOW_S, replicas=12),), changes=(Remembered(at_s=NOW_S, replicas=-2),)
    )


def test_only_what_can_no_longer_matter_is_forgotten() -> None:
    hpa = Autoscaler()  # 300 s to scale down is its longest window
    entries = tuple(Remembered(at_s=NOW_S - age_s, error_s=1.0, replicas=1) for age_s in (302.0, 300.5, 10.0))

    memory = forget(hpa, Memory(recommendations=entries, changes=entries), _seen(10))

    assert horizon_s(hpa) == 300.0
    assert memory == Memory(recommendations=entries[1:], changes=entries[1:])


# --- rate limits ------------------------------------------------------------------------------------------------------


def _policy(kind: str, value: int, period_s: float = 60.0) -> ScalingPolicy:
    return ScalingPolicy(type=PolicyType(kind), value=value, period=Seconds(period_s))


def _limited(*policies: ScalingPolicy, select: SelectPolicy = SelectPolicy.MAX) -> Autoscaler:
    limited = ScalingRules(stabilization=Seconds(0.0), policies=policies, select=select)
    return msgspec.structs.replace(ONE_PERCENT, scale_up=limited, scale_down=limited)


PODS_4, PERCENT_10, PERCENT_55, PERCENT_100 = (
    _policy("pods", 4),
    _policy("percent", 10),
    _policy("percent", 55),
    _policy("percent", 100),
)


@pytest.mark.parametrize(
    ("hpa", "current", "up", "down", "why"),
    [
        (_limited(PODS_4), 10, 14, 6, "so many pods"),
        (_limited(PERCENT_10), 50, 56, 45, "50 × 1.1 is 55.00000000000001 in binary64, rounded up"),
        (_limited(PERCENT_10), 100, 111, 90, "100 × 1.1 is 110.00000000000001"),
        (_limited(PERCENT_10), 10, 11, 9, "10 × 1.1 is 11"),
        (_limited(PERCENT_55), 100, 155, 44, "100 × (1 − 0.55) is 44.99999999999999, truncated"),
        (_limited(PERCENT_10), 5, 6, 4, "5.5 up is 6, 4.5 down is 4"),
        (_limited(PERCENT_100), 7, 14, 1, "all of them, as far as the bound"),
        (_limited(PODS_4, PERCENT_10), 100, 111, 90, "max: most change, whichever it is"),
        (_limited(PODS_4, PERCENT_10), 10, 14, 6, "… of a few"),
        (_limited(PODS_4, PERCENT_10, select=SelectPolicy.MIN), 100, 104, 96, "min: least change"),
        (_limited(PODS_4, PERCENT_10, select=SelectPolicy.MIN), 10, 11, 9, "… of a few"),
        (_limited(PODS_4, select=SelectPolicy.DISABLED), 10, 10, 10, "disabled: no change"),
    ],
)
def test_policies_limit_one_step(hpa: Autoscaler, current: int, up: int, down: int, why: str) -> None:
    ups, downs = (_seen(current, cpu=_asks_for(replicas)) for replicas in (900, 0))

    assert decide(hpa, Memory(), ups).desired == up, why
    assert decide(hpa, Memory(), downs).desired == down, why


@pytest.mark.parametrize(
    ("changes", "up", "down", "why"),
    [
        ([(30, 4)], 20, 12, "4 were added within the period, so it began with 16: no more, and 4 less than that"),
        ([(60, 4)], 24, 16, "newer is strict: as old as the period counts no more"),
        ([(59.9, 4)], 20, 12, "a moment newer counts"),
        ([(30, -4)], 28, 20, "4 were removed, it began with 24: up to 28, and no further down"),
        ([(30, 6)], 20, 10, "6 were added: the limit is below the current size and moves nothing"),
        ([(45, 4), (30, -2)], 22, 14, "both kinds: it began with 18"),
        ([(45, 2), (15, 2)], 20, 12, "several of a kind are summed"),
    ],
)
def test_a_period_begins_with_the_size_before_its_changes(
    changes: list[tuple[float, int]], up: int, down: int, why: str
) -> None:
    entries = tuple(Remembered(at_s=NOW_S - age_s, replicas=replicas) for age_s, replicas in changes)
    ups, downs = (_seen(20, cpu=_asks_for(replicas)) for replicas in (900, 0))

    assert decide(_limited(PODS_4), Memory(changes=entries), ups).desired == up, why
    assert decide(_limited(PODS_4), Memory(changes=entries), downs).desired == down, why


def test_each_policy_looks_back_over_its_own_period() -> None:
    hpa = _limited(_policy("pods", 4, 15.0), _policy("pods", 10, 60.0), select=SelectPolicy.MIN)
    memory = Memory(changes=(Remembered(at_s=NOW_S - 30.0, replicas=8),))

    # 4 on top of 20 by the first, 10 on top of 12 by the second
    assert decide(hpa, memory, _seen(20, cpu=_asks_for(900))).desired == 22


def test_stabilisation_comes_before_the_rate_limit() -> None:
    limits = ScalingRules(stabilization=Seconds(300.0), policies=(PODS_4,))
    hpa = msgspec.structs.replace(ONE_PERCENT, scale_down=limits)
    seen = _seen(20, cpu=_asks_for(5))

    held = decide(hpa, _recommended((15, 18)), seen)
    limited = decide(hpa, _recommended((15, 10)), seen)

    assert (held.desired, held.rule) == (18, Rule.STABILISATION)
    assert (limited.desired, limited.rule) == (16, Rule.RATE_LIMIT)


def test_the_specification_needs_four_syncs_to_grow_and_twenty_to_shrink() -> None:
    hpa = msgspec.structs.replace(Autoscaler(), metrics=(CPU,))
    memory = Memory()
    sizes, size = [], 50
    for number in range(30):
        seen = _seen(size, at_s=15.0 * number, cpu=_cpu(130 if number < 5 else 13, size))
        memory = fresh(seen) if number == 0 else memory
        decision = decide(hpa, memory, seen)
        memory = remember(memory, seen, proposed=decision.proposed, change=decision.desired - size)
        size = decision.desired
        sizes.append(size)

    # 50 % (25) are more than 20 pods: 75; 300 s after the last recommendation of 150, 10 % in two minutes
    assert sizes[:6] == [50, 50, 50, 50, 75, 75]
    assert sizes[23:27] == [75, 67, 67, 67]


# --- doubts -----------------------------------------------------------------------------------------------------------


def test_an_age_that_is_not_known_for_sure_leans_both_ways() -> None:
    hpa = _stabilising(up_s=60.0, down_s=60.0)
    seen = replace(_seen(10, cpu=_asks_for(20)), error_s=0.5)
    memory = _recommended((60.2, 12))

    assert decide(hpa, memory, seen, Lean.LEAST).desired == 12
    assert decide(hpa, memory, seen, Lean.MOST).desired == 20
    lower = replace(seen, readings={"cpu": _asks_for(4)})
    assert decide(hpa, _recommended((59.8, 9)), lower, Lean.LEAST).desired == 4
    assert decide(hpa, _recommended((59.8, 9)), lower, Lean.MOST).desired == 9


def test_in_a_window_of_nothing_there_is_nothing_however_blurred() -> None:
    seen = replace(_seen(10, cpu=_asks_for(20)), error_s=5.0)

    assert decide(_stabilising(), _recommended((1, 12)), seen, Lean.LEAST).desired == 20


# --- the scale --------------------------------------------------------------------------------------------------------


def test_one_factor_scales_all_times_and_one_all_numbers_of_replicas() -> None:
    small = scaled(msgspec.structs.replace(Autoscaler(), time_scale=20.0, replica_scale=10))

    assert (small.min_replicas, small.max_replicas, small.sync_period, small.metric_window) == (5, 50, 0.75, 0.75)
    assert (small.scale_up.stabilization, small.scale_down.stabilization) == (3.0, 15.0)
    assert [(policy.type, policy.value, policy.period) for policy in small.scale_up.policies] == [
        (PolicyType.PERCENT, 50, 3.0),
        (PolicyType.PODS, 2, 3.0),
    ]
    assert [(policy.value, policy.period) for policy in small.scale_down.policies] == [(10, 6.0)]
    assert (small.scale_down.select, small.metrics, small.tolerance) == (SelectPolicy.MIN, Autoscaler().metrics, 0.1)
    assert scaled(small) == small


# --- properties -------------------------------------------------------------------------------------------------------

REPLICAS = st.integers(0, 80)
ENTRIES = st.lists(
    st.builds(
        Remembered,
        at_s=st.floats(NOW_S - 700.0, NOW_S),
        error_s=st.floats(0.0, 2.0),
        replicas=st.integers(-30, 60),
    ),
    max_size=8,
).map(tuple)
READINGS = st.builds(
    Reading, value=st.one_of(st.none(), st.integers(0, 400)), counted=REPLICAS, missing=REPLICAS, unready=REPLICAS
)
BOUNDED = msgspec.structs.replace(Autoscaler(), min_replicas=5, max_replicas=50, metrics=(CPU,))


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(current=st.integers(1, 80), reading=READINGS, recommendations=ENTRIES, changes=ENTRIES)
def test_it_stays_within_its_bounds_and_the_least_is_no_more_than_the_most(
    current: int, reading: Reading, recommendations: tuple[Remembered, ...], changes: tuple[Remembered, ...]
) -> None:
    memory = Memory(recommendations=recommendations, changes=changes)
    seen = replace(_seen(current, cpu=reading), error_s=1.0)

    least, most = (decide(BOUNDED, memory, seen, lean).desired for lean in (Lean.LEAST, Lean.MOST))

    assert 5 <= least <= most <= 50


@pytest.mark.slow
@settings(max_examples=200, deadline=None, derandomize=True)
@given(current=st.integers(5, 50), low=st.integers(0, 400), more=st.integers(0, 100), recommendations=ENTRIES)
def test_more_load_never_means_fewer_replicas(
    current: int, low: int, more: int, recommendations: tuple[Remembered, ...]
) -> None:
    memory = Memory(recommendations=recommendations)
    sizes = [decide(BOUNDED, memory, _seen(current, cpu=_cpu(use, current))).desired for use in (low, low + more)]

    assert sizes[0] <= sizes[1]
