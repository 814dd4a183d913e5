"""A system as an autoscaler sees it, built from what a test is about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reference_system.policies.autoscaling import horizontal
from reference_system.policies.autoscaling.memory import Record, Records, State
from reference_system.policies.autoscaling.observation import Observation, Phase, Pod, Readiness, Sample
from reference_system.policies.autoscaling.spec import (
    Behavior,
    Flags,
    Metric,
    Policy,
    PolicyType,
    Rules,
    Select,
    Source,
    Spec,
    Target,
)

NOW_S = 10_000.0
LONG_AGO_S = NOW_S - 3600.0


@dataclass(frozen=True)
class Member:
    """A pod and what it uses (thousandths); None: nobody knows."""

    pod: Pod
    used: int | None


def pod(*, request: int = 1000, is_ready: bool = True, phase: Phase = Phase.RUNNING, deleted: bool = False) -> Pod:
    """An hour old, and ready since, or never."""
    return Pod(
        name="",
        phase=phase,
        deleted=deleted,
        started_s=LONG_AGO_S,
        readiness=Readiness(ready=is_ready, since_s=LONG_AGO_S),
        requests_milli={"cpu": request, "memory": request},
    )


def ready(used: int | None, *, request: int = 1000) -> Member:
    return Member(pod(request=request), used)


def unready(used: int | None = None) -> Member:
    return Member(pod(is_ready=False), used)


def pending(used: int | None = None) -> Member:
    return Member(pod(is_ready=False, phase=Phase.PENDING), used)


def ended(used: int | None = None) -> Member:
    return Member(pod(phase=Phase.SUCCEEDED), used)


def failed(used: int | None = None) -> Member:
    return Member(pod(is_ready=False, phase=Phase.FAILED), used)


def deleted(used: int | None = None) -> Member:
    return Member(pod(deleted=True), used)


def named(members: Iterable[int | Member | None]) -> list[Member]:
    whole = [member if isinstance(member, Member) else ready(member) for member in members]
    return [Member(replace(member.pod, name=f"pod-{n}"), member.used) for n, member in enumerate(whole)]


def samples_of(members: Iterable[Member]) -> dict[str, Sample]:
    return {
        member.pod.name: Sample(value_milli=member.used, at_s=NOW_S, window_s=30.0)
        for member in members
        if member.used is not None
    }


def seen(
    members: Sequence[int | Member | None], *, of: str = "cpu", replicas: int, totals: Mapping[str, int] | None = None
) -> Observation:
    whole = named(members)
    return Observation(
        replicas=replicas,
        existing=replicas,
        pods=tuple(member.pod for member in whole),
        samples={of: samples_of(whole)},
        totals_milli=totals or {},
    )


def cpu(percent: int) -> Metric:
    return Metric(source=Source.RESOURCE, name="cpu", target=Target.UTILIZATION, wanted=percent)


def per_pod(wanted: int) -> Metric:
    return Metric(source=Source.PODS, name="rps", target=Target.AVERAGE_VALUE, wanted=wanted)


# With no tolerance this metric asks for as many replicas as its total has units.
ASKED = Metric(source=Source.EXTERNAL, name="asked", target=Target.AVERAGE_VALUE, wanted=1000)
EXACTLY = Flags(tolerance=0.0)


def pods(value: int, period_s: int) -> Policy:
    return Policy(type=PolicyType.PODS, value=value, period_s=period_s)


def percent(value: int, period_s: int) -> Policy:
    return Policy(type=PolicyType.PERCENT, value=value, period_s=period_s)


def rules(*policies: Policy, select: Select = Select.MAX, window_s: int = 0) -> Rules:
    return Rules(stabilization_window_s=window_s, policies=policies or (percent(1000, 15),), select=select)


def asked_spec(behavior: Behavior | None, *, smallest: int = 1, largest: int = 1000) -> Spec:
    return Spec(min_replicas=smallest, max_replicas=largest, metrics=(ASKED,), behavior=behavior, flags=EXACTLY)


def asking(size: int | None, *, replicas: int) -> Observation:
    """None: the metric cannot be read."""
    totals = {} if size is None else {"asked": size * 1000}
    return Observation(replicas=replicas, existing=replicas, totals_milli=totals)


def records(*ages: tuple[float, int]) -> Records:
    """How many seconds ago, and how many replicas."""
    return tuple(Record(at_s=NOW_S - age_s, replicas=size) for age_s, size in ages)


def played(spec: Spec, asked: Iterable[int | None], *, replicas: int, every_s: float = 15.0) -> list[int]:
    """The sizes of a system that obeys at once, from one sync to the next."""
    return [size for _, size in syncs(spec, asked, replicas=replicas, every_s=every_s)]


def syncs(spec: Spec, asked: Iterable[int | None], *, replicas: int, every_s: float = 15.0) -> list[tuple[State, int]]:
    state, history = State(), []
    for number, size in enumerate(asked):
        state, decision = horizontal.decide(state, asking(size, replicas=replicas), number * every_s, spec=spec)
        replicas = decision.replicas
        history.append((state, replicas))
    return history
