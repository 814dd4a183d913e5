"""Alerts: the specification's bounds, and when they fire and resolve."""

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import reference_system
from reference_system.policies import alerting
from reference_system.policies.alerting import RULES, Beyond, Dashboard, Input, Rule, State

TARGET = Path(reference_system.__file__).parent / "target.yaml"
CPU = next(rule for rule in RULES if rule.alert == "cpu")

# Specification, section 6, and section 4 for the last one.
SPECIFIED = [
    (Dashboard.API, Input.LATENCY_P99_MS, ">", 300),
    (Dashboard.API, Input.ERROR_RATIO, ">", 0.001),
    (Dashboard.INFRASTRUCTURE, Input.CPU_RATIO, ">", 0.8),
    (Dashboard.INFRASTRUCTURE, Input.MEMORY_RATIO, ">", 0.85),
    (Dashboard.DATABASE, Input.REPLICATION_LAG_S, ">", 10),
    (Dashboard.DATABASE, Input.POOL_RATIO, ">", 0.9),
    (Dashboard.CACHE, Input.CACHE_HIT_RATIO, "<", 0.9),
    (Dashboard.CACHE, Input.CACHE_MEMORY_RATIO, ">", 0.9),
    (Dashboard.FAN_OUT, Input.FANOUT_DEPTH, ">", 1_000_000),
    (Dashboard.FAN_OUT, Input.FANOUT_LAG_S, ">", 60),
    (Dashboard.API, Input.LEVEL, ">", 1),
]


def _over_time(values: list[tuple[float, float]], rule: Rule = CPU) -> list[bool]:
    """Whether the rule's alert fires after each of the evaluations (at, input)."""
    state, fires = State(), []
    for at_s, value in values:
        state, firing = alerting.decide(state, {rule.input: value}, at_s, rules=[rule])
        fires.append(rule.alert in firing)
    return fires


def test_the_rules_are_the_specifications() -> None:
    assert [(rule.dashboard, rule.input, rule.beyond.value, rule.bound) for rule in RULES] == SPECIFIED
    assert len({rule.alert for rule in RULES}) == len(RULES)


TIMES = [
    ("the bound itself is allowed", [(0, 0.8), (60, 0.8)], [False, False]),
    ("beyond it for less than five seconds", [(0, 0.9), (4.9, 0.9)], [False, False]),
    ("beyond it for five seconds", [(0, 0.9), (5, 0.9)], [False, True]),
    ("one good moment and the wait begins anew", [(0, 0.9), (4, 0.7), (5, 0.9), (9, 0.9)], [False] * 4),
    ("well again for less than five seconds", [(0, 0.9), (5, 0.9), (6, 0.1), (10.9, 0.1)], [False, True, True, True]),
    ("well again for five seconds", [(0, 0.9), (5, 0.9), (6, 0.1), (11, 0.1)], [False, True, True, False]),
    (
        "well for a moment and beyond it again: it never stopped firing, and is well again from the second time on",
        [(0, 0.9), (5, 0.9), (6, 0.1), (8, 0.9), (9, 0.1), (13, 0.1), (14, 0.1)],
        [False, True, True, True, True, True, False],
    ),
    (
        "resolved, and beyond it again: it waits again",
        [(0, 0.9), (5, 0.9), (6, 0.1), (11, 0.1), (12, 0.9), (16, 0.9), (17, 0.9)],
        [False, True, True, False, False, False, True],
    ),
    ("what nobody measures is not beyond anything", [(0, math.nan), (60, math.nan)], [False, False]),
    (
        "not measured any more: well again",
        [(0, 0.9), (5, 0.9), (6, math.nan), (11, math.nan)],
        [False, True, True, False],
    ),
]


@pytest.mark.parametrize(("values", "fires"), [row[1:] for row in TIMES], ids=[row[0] for row in TIMES])
def test_an_alert_fires_and_resolves_after_a_while(values: list[tuple[float, float]], fires: list[bool]) -> None:
    assert _over_time(values) == fires


def test_a_rule_without_times_fires_and_resolves_at_once() -> None:
    level = next(rule for rule in RULES if rule.input is Input.LEVEL)

    assert _over_time([(0, 1), (1, 2), (2, 1)], level) == [False, True, False]


def test_too_few_hits_fire_and_many_do_not() -> None:
    hits = next(rule for rule in RULES if rule.beyond is Beyond.BELOW)

    assert _over_time([(0, 0.95), (10, 0.95)], hits) == [False, False]
    assert _over_time([(0, 0.85), (5, 0.85)], hits) == [False, True]


def test_an_input_that_is_missing_fires_nothing() -> None:
    state, firing = alerting.decide(State(), {}, 0.0)

    assert (state, firing) == (State(), frozenset())


@given(
    values=st.lists(st.tuples(st.floats(0.1, 3), st.sampled_from([0.1, 0.8, 0.9, math.nan])), max_size=40),
)
def test_an_alert_fires_only_after_so_long_beyond_its_bound_and_stops_only_after_so_long_within(
    values: list[tuple[float, float]],
) -> None:
    """Against the whole history instead of a state."""
    at_s, history = 0.0, []
    for step_s, value in values:
        at_s += step_s
        history.append((at_s, value))

    fires = [False, *_over_time(history)]

    for n, (now_s, _) in enumerate(history):
        beyond = [(at, value > 0.8) for at, value in history[: n + 1]]
        unbroken_s = now_s - _start_of_the_last_stretch(beyond)
        if beyond[-1][1]:
            assert fires[n + 1] == (fires[n] or unbroken_s >= CPU.for_s)
        else:
            assert fires[n + 1] == (fires[n] and unbroken_s < CPU.keep_firing_for_s)


def _start_of_the_last_stretch(beyond: list[tuple[float, bool]]) -> float:
    """When the run of equal answers began that the list ends with."""
    start_s, last = beyond[-1]
    for at_s, holds in reversed(beyond):
        if holds is not last:
            break
        start_s = at_s
    return start_s


def test_target_yaml_tells_the_harness_the_same_rules() -> None:
    told = yaml.safe_load(TARGET.read_text())["promises"]["alerts"]

    assert told == [
        {
            "alert": rule.alert,
            "input": str(rule.input),
            "above" if rule.beyond is Beyond.ABOVE else "below": rule.bound,
            "fires_after": f"{rule.for_s:g}s",
            "resolves_after": f"{rule.keep_firing_for_s:g}s",
        }
        for rule in RULES
    ]
