from pathlib import Path

import pytest
import yaml

import reference_system
from reference_system.policies import circuit_breaker
from reference_system.policies.circuit_breaker import OPEN_FOR_S, Observation, Phase, State

CALL, PROBE, GOOD, BAD = Observation.CALL, Observation.PROBE, Observation.SUCCESS, Observation.FAILURE


@pytest.mark.parametrize(
    ("observations", "phase", "allowed", "why"),
    [
        ([(0, CALL)], Phase.CLOSED, True, "closed at first"),
        ([(0, BAD), (0, BAD), (0, CALL)], Phase.CLOSED, True, "two failures are a blip"),
        ([(0, BAD), (0, BAD), (0, GOOD), (0, BAD), (0, CALL)], Phase.CLOSED, True, "only failures in a row count"),
        ([(0, BAD), (0, BAD), (0, BAD), (0, CALL)], Phase.OPEN, False, "the third in a row opens"),
        ([(0, BAD)] * 3 + [(0, GOOD), (0, CALL)], Phase.OPEN, False, "a late success does not close it"),
        ([(0, BAD)] * 3 + [(0.1, PROBE)], Phase.OPEN, False, "no probe too early"),
        ([(0, BAD)] * 3 + [(9, CALL)], Phase.OPEN, False, "users never probe"),
        ([(0, BAD)] * 3 + [(OPEN_FOR_S, PROBE)], Phase.HALF_OPEN, True, "a probe once it has been open long enough"),
        ([(0, BAD)] * 3 + [(1, PROBE), (1, PROBE)], Phase.HALF_OPEN, False, "one probe at a time"),
        ([(0, BAD)] * 3 + [(1, PROBE), (1, CALL)], Phase.HALF_OPEN, False, "users wait for the probe's outcome"),
        ([(0, BAD)] * 3 + [(1, PROBE), (2, BAD), (2.1, PROBE)], Phase.OPEN, False, "a failed probe opens it anew"),
        ([(0, BAD)] * 3 + [(1, PROBE), (2, GOOD), (2, CALL)], Phase.CLOSED, True, "a good probe closes it"),
    ],
)
def test_the_breaker(observations: list[tuple[float, Observation]], phase: Phase, allowed: bool, why: str) -> None:
    state, answer = State(), True
    for now_s, observation in observations:
        state, answer = circuit_breaker.decide(state, observation, now_s)

    assert (state.phase, answer) == (phase, allowed), why


def test_a_pause_is_as_long_as_it_must_be_and_not_the_same_for_everybody() -> None:
    assert circuit_breaker.pause_s(0.0) == OPEN_FOR_S
    assert circuit_breaker.pause_s(1.0) == OPEN_FOR_S * (1 + circuit_breaker.JITTER)


def test_target_yaml_promises_the_same() -> None:
    told = yaml.safe_load((Path(reference_system.__file__).parent / "target.yaml").read_text())["promises"]["breakers"]

    assert told == {"open_for": f"{OPEN_FOR_S * 1000:g}ms", "jitter": f"{circuit_breaker.JITTER * 100:g}%"}
