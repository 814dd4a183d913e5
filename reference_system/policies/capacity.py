"""When a request gets one of a replica's worker slots, and how long it holds it.

Capacity is modelled, so that overload is reproducible on any machine: slots / service time. Because the queue is FIFO
and the service time is fixed, start and end of a request are known when it arrives, so late timers cannot lower the
capacity. Does no waiting; a request that would start after its deadline gets no slot.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """For each slot the time it is free again, in seconds, sorted."""

    free_at_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    service_time_s: float
    deadline_s: float  # the longest it may wait for a slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A slot is held from `start_s` to `end_s`."""

    start_s: float
    end_s: float


def idle(slots: int) -> State:
    return State(free_at_s=(0.0,) * slots)


def resized(state: State, slots: int, now_s: float) -> State:
    """With another number of slots. New ones are free at once; of the old ones those go that are free the soonest.

    A request that has been given a slot keeps it to its end: whoever shuts a server down lets it finish its work. So
    what arrives just after growth may start before what is still waiting, as at a new server with an empty queue.
    """
    grown = slots - len(state.free_at_s)
    if grown >= 0:
        return State(free_at_s=tuple(sorted((*state.free_at_s, *(now_s,) * grown))))
    return State(free_at_s=state.free_at_s[-slots:])


def decide(state: State, arrival: Arrival, now_s: float) -> tuple[State, Hold | None]:
    """The slot that is free first goes to the request; None if that is after the request's deadline."""
    start_s = max(now_s, state.free_at_s[0])
    if start_s - now_s > arrival.deadline_s:
        return state, None
    hold = Hold(start_s=start_s, end_s=start_s + arrival.service_time_s)
    return State(free_at_s=tuple(sorted((*state.free_at_s[1:], hold.end_s)))), hold
