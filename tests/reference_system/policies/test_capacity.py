import pytest

from reference_system.policies import capacity
from reference_system.policies.capacity import Arrival, Hold

REQUEST = Arrival(service_time_s=0.02, deadline_s=5.0)


def served(arrivals_s: list[float], *, slots: int = 3, request: Arrival = REQUEST) -> list[Hold | None]:
    state, holds = capacity.idle(slots), []
    for at_s in arrivals_s:
        state, hold = capacity.decide(state, request, at_s)
        holds.append(hold)
    return holds


def test_an_idle_replica_serves_at_once() -> None:
    assert served([1.0]) == [Hold(start_s=1.0, end_s=1.02)]


def test_the_fourth_request_waits_for_the_slot_that_is_free_first() -> None:
    holds = served([0.0, 0.005, 0.01, 0.011])

    assert holds[3] == Hold(start_s=0.02, end_s=0.04)


def test_capacity_is_slots_over_service_time_whatever_the_load() -> None:
    holds = served([n / 1000 for n in range(4000)])

    ended_in_time = [hold for hold in holds if hold is not None and hold.end_s <= 4.0]
    assert len(ended_in_time) == pytest.approx(4.0 * 150, abs=3)


def test_who_comes_first_is_served_first() -> None:
    starts = [hold.start_s for hold in served([n / 1000 for n in range(500)]) if hold is not None]

    assert starts == sorted(starts)


def test_a_request_that_would_start_after_its_deadline_takes_no_slot() -> None:
    impatient = Arrival(service_time_s=1.0, deadline_s=1.5)

    holds = served([0.0, 0.0, 0.0, 1.4], slots=1, request=impatient)

    assert [hold and hold.start_s for hold in holds] == [0.0, 1.0, None, 2.0]


def test_a_wait_of_exactly_the_deadline_is_still_served() -> None:
    holds = served([0.0, 0.0], slots=1, request=Arrival(service_time_s=1.0, deadline_s=1.0))

    assert holds[1] == Hold(start_s=1.0, end_s=2.0)


RESIZED = [
    ("more slots are free at once", (1.0, 2.0), 4, (0.5, 0.5, 1.0, 2.0)),
    ("the idle ones go first", (0.2, 0.4, 3.0), 1, (3.0,)),
    ("as many as there were", (1.0, 2.0), 2, (1.0, 2.0)),
]


@pytest.mark.parametrize(
    ("free_at_s", "slots", "after_s"), [row[1:] for row in RESIZED], ids=[row[0] for row in RESIZED]
)
def test_another_number_of_slots(free_at_s: tuple[float, ...], slots: int, after_s: tuple[float, ...]) -> None:
    resized = capacity.resized(capacity.State(free_at_s=free_at_s), slots, 0.5)

    assert resized == capacity.State(free_at_s=after_s)


def test_after_growth_a_new_request_does_not_wait_for_those_that_have_their_slot() -> None:
    state, holds = capacity.idle(1), []
    for at_s in (0.0, 0.0, 0.0):
        state, hold = capacity.decide(state, REQUEST, at_s)
        holds.append(hold)
    state, late = capacity.decide(capacity.resized(state, 2, 0.01), REQUEST, 0.01)

    assert [hold and hold.start_s for hold in holds] == [0.0, 0.02, 0.04]
    assert late == Hold(start_s=0.01, end_s=0.03)
