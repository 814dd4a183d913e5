"""Pods as a cluster would start and end them, where there is no cluster: they stand for capacity that a process has.

A pod is pending while it starts and ready afterwards; when there are to be fewer, the newest end first, and at once.
Knows neither why nor what they serve.
"""

from dataclasses import dataclass

from reference_system.policies.autoscaling.observation import Phase, Pod, Readiness

CPU_REQUEST_MILLI = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """When each pod was started, in seconds, oldest first; `names` is how many pods there have ever been."""

    started: tuple[tuple[int, float], ...] = ()  # number, seconds
    names: int = 0


def resized(fleet: Fleet, replicas: int, now_s: float) -> Fleet:
    missing = max(0, replicas - len(fleet.started))
    new = tuple((fleet.names + n, now_s) for n in range(missing))
    return Fleet(started=(*fleet.started, *new)[:replicas], names=fleet.names + missing)


def ready(fleet: Fleet, now_s: float, *, start_up_s: float) -> tuple[int, ...]:
    """The numbers of the pods that serve."""
    return tuple(number for number, started_s in fleet.started if now_s - started_s >= start_up_s)


def pods(fleet: Fleet, now_s: float, *, start_up_s: float) -> tuple[Pod, ...]:
    """As an autoscaler sees them."""
    serving = set(ready(fleet, now_s, start_up_s=start_up_s))
    return tuple(
        Pod(
            name=name_of(number),
            phase=Phase.RUNNING if number in serving else Phase.PENDING,
            started_s=started_s,
            readiness=Readiness(ready=number in serving, since_s=started_s + start_up_s * (number in serving)),
            requests_milli={"cpu": CPU_REQUEST_MILLI},
        )
        for number, started_s in fleet.started
    )


def name_of(number: int) -> str:
    return f"timeline-api-{number}"
