"""A system as an autoscaler sees it, built from what a test is about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reference_system.policies.autoscaling.observation import Observation, Phase, Pod, Readiness, Sample
from reference_system.policies.autoscaling.spec import Metric, Source, Target

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
