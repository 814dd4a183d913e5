"""The one table of faults: what each kind does to its link or service, what it needs, and how the canary sees it.

A new kind is a type in `experiment/faults.py` and a row here: for a link the toxics that make it (or that it switches
the proxy off), for a service the action on its process, an expectation, and the reasons why a setting cannot be carried
out. Undo follows from the action; nothing else has to change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
from typing import Any

from harness.experiment.faults import (
    BandwidthFault,
    BlackholeFault,
    CpuLimitFault,
    CrashFault,
    DestroyFault,
    DownFault,
    Fault,
    KillFault,
    LatencyFault,
    LinkFault,
    MemoryLimitFault,
    NetworkLossFault,
    OutOfMemoryFault,
    PauseFault,
    ResetFault,
    RestartFault,
    StopFault,
    place_of,
)
from harness.faults import canary
from harness.faults.action import Action
from harness.faults.container import (
    ContainerCrashAction,
    ContainerDestroyAction,
    ContainerKillAction,
    ContainerOutOfMemoryAction,
    ContainerPauseAction,
    ContainerStopAction,
    cpu_limit,
    memory_limit,
    network_loss,
)
from harness.faults.cpu_canary import LimitedCpu
from harness.faults.journal import Container, Protocol
from harness.faults.memory_canary import LimitedMemory
from harness.faults.process import DestroyAction, KillAction, PauseAction, StopAction
from harness.faults.toxiproxy import Toxic
from harness.plan import PlannedFault
from harness.target.container_target import ContainerTarget
from harness.target.running_target import Power
from harness.target.runtimes import RUNTIMES, with_power
from harness.target.target import OWN_ROLES, ServiceSpec, TargetSpec
from harness.units import BytesPerSecond

MIN_LATENCY_S = 0.02  # less cannot be told from a busy machine
MAX_RESET_AFTER_S = 2.0  # Toxiproxy's control API hangs for as long when the toxic is removed
MIN_RESET_SHARE = 0.02  # less needs more connections to be seen than a canary should make
# What a canary can tell from noise: Redis echoes as much as we like; an HTTP request takes 21 KB at most and has to
# last 10 ms; a startup packet takes 10 KB, and Postgres itself spends some ms on a new connection.
VISIBLE_BELOW_BYTES_PER_S = {"redis": 50e6, "http": 2e6, "postgres": 250e3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row. The functions take the fault as it was written (Any, because each row has a type of its own) and, for
    the toxics, the beginning of their names."""

    expectation: Callable[[Any], canary.Expectation]
    problems: Callable[[Any], list[str]] = lambda fault: []
    toxics: Callable[[Any, str], tuple[Toxic, ...]] = lambda fault, name: ()
    disables: bool = False
    drops: Callable[[Any], bool] = lambda fault: False
    process_action: Callable[..., Action] | None = None  # of (target, process)
    container_action: Callable[[Any, ContainerTarget, Container], Action] | None = None
    power: Power | None = None
    hides_others: bool = True  # whether another fault's dose on the same path cannot be measured meanwhile


def _latency(fault: LatencyFault, name: str) -> tuple[Toxic, ...]:
    """On the way back only, so that a round trip costs exactly `latency`."""
    attributes = {"latency": _ms(fault.latency), "jitter": _ms(fault.jitter)}
    return (Toxic(name=name, type="latency", stream="downstream", attributes=attributes),)


def _bandwidth(fault: BandwidthFault, name: str) -> tuple[Toxic, ...]:
    attributes = {"rate": round(fault.rate / 1000)}
    return (
        Toxic(name=f"{name}-up", type="bandwidth", stream="upstream", attributes=attributes),
        Toxic(name=f"{name}-down", type="bandwidth", stream="downstream", attributes=attributes),
    )


def _reset(fault: ResetFault, name: str) -> tuple[Toxic, ...]:
    """On the way there: the caller's first byte starts the clock, and what it asked for never arrives.

    Subtle: with a share below 1 Toxiproxy also closes the *other* new connections by RST at their regular end (linger
    is set whatever the toxicity, upstream issue 603); they work until then.
    """
    attributes = {"timeout": _ms(fault.after)}
    return (Toxic(name=name, type="reset_peer", stream="upstream", attributes=attributes, toxicity=float(fault.share)),)


def _blackhole(fault: BlackholeFault, name: str) -> tuple[Toxic, ...]:
    """Both ways, so that nothing is executed whose answer is lost. Removing a timeout toxic closes its connections."""
    return (
        Toxic(name=f"{name}-up", type="timeout", stream="upstream", attributes={"timeout": 0}),
        Toxic(name=f"{name}-down", type="timeout", stream="downstream", attributes={"timeout": 0}),
    )


def _latency_problems(fault: LatencyFault) -> list[str]:
    problems = [*_whole_ms("latency", fault.latency), *_whole_ms("jitter", fault.jitter)]
    if fault.latency < MIN_LATENCY_S:
        problems.append(f"latency: {fault.latency} is too little to be told from noise; at least 20ms")
    if fault.jitter > fault.latency:
        problems.append(f"jitter: {fault.jitter} is more than the latency of {fault.latency}")
    return problems


def _bandwidth_problems(fault: BandwidthFault) -> list[str]:
    if fault.rate < 1000 or abs(fault.rate / 1000 - round(fault.rate / 1000)) > 1e-9:
        return [f"rate: {fault.rate} is not a whole number of KB/s, as Toxiproxy needs it (1KB = 1000B)"]
    return []


def _reset_problems(fault: ResetFault) -> list[str]:
    problems = _whole_ms("after", fault.after)
    if fault.after > MAX_RESET_AFTER_S:
        problems.append(f"after: {fault.after} is too long; at most 2s, because reverting blocks for as long")
    if not MIN_RESET_SHARE <= fault.share <= 1:
        problems.append(f"share: {fault.share} is not between 2% and 100%")
    return problems


def _latency_expectation(fault: LatencyFault) -> canary.Expectation:
    return canary.AddedLatency(latency_s=float(fault.latency), jitter_s=float(fault.jitter))


def _bandwidth_expectation(fault: BandwidthFault) -> canary.Expectation:
    return canary.LimitedThroughput(bytes_per_s=float(fault.rate))


def _reset_expectation(fault: ResetFault) -> canary.Expectation:
    return canary.ResetShare(share=float(fault.share), after_s=float(fault.after))


def _silence(fault: Fault) -> canary.Expectation:
    return canary.Silence()


def _refusal(fault: Fault) -> canary.Expectation:
    return canary.Refusal()


def _loss(fault: Fault) -> canary.Expectation:
    return canary.Loss()


def _limited_cpu(fault: CpuLimitFault) -> canary.Expectation:
    return LimitedCpu(share=float(fault.share))


def _limited_memory(fault: MemoryLimitFault) -> canary.Expectation:
    return LimitedMemory(share=float(fault.share))


def _limit_problems(fault: CpuLimitFault | MemoryLimitFault) -> list[str]:
    return [] if 0 < fault.share < 1 else [f"share: {fault.share} is not between 0% and 100%"]


def _acts(
    action: type[ContainerKillAction] | type[ContainerPauseAction],
) -> Callable[[Any, ContainerTarget, Container], Action]:
    """For what is done in the same way whatever the fault says."""
    return lambda fault, target, original: action(target=target, original=original)


CATALOGUE: dict[type[Fault], Kind] = {
    LatencyFault: Kind(
        toxics=_latency, problems=_latency_problems, expectation=_latency_expectation, hides_others=False
    ),
    BandwidthFault: Kind(
        toxics=_bandwidth, problems=_bandwidth_problems, expectation=_bandwidth_expectation, hides_others=False
    ),
    # With a share of 1 every connection has to be reset, so those that exist are dropped; with less they are left, as
    # dropping all of them would disturb more than the share.
    ResetFault: Kind(
        toxics=_reset, problems=_reset_problems, expectation=_reset_expectation, drops=lambda fault: fault.share >= 1
    ),
    BlackholeFault: Kind(toxics=_blackhole, expectation=_silence),
    DownFault: Kind(disables=True, expectation=_refusal),
    KillFault: Kind(
        process_action=KillAction, container_action=_acts(ContainerKillAction), power=Power.KILL, expectation=_refusal
    ),
    DestroyFault: Kind(
        process_action=DestroyAction,
        container_action=_acts(ContainerDestroyAction),
        power=Power.DESTROY,
        expectation=_refusal,
    ),
    PauseFault: Kind(
        process_action=PauseAction,
        container_action=_acts(ContainerPauseAction),
        power=Power.PAUSE,
        expectation=_silence,
    ),
    StopFault: Kind(
        process_action=StopAction, container_action=_acts(ContainerStopAction), power=Power.STOP, expectation=_refusal
    ),
    RestartFault: Kind(
        process_action=StopAction,
        container_action=_acts(ContainerStopAction),
        power=Power.RESTART,
        expectation=_refusal,
    ),
    # Who connects to a published port while its container starts again may hang instead of being refused.
    CrashFault: Kind(container_action=_acts(ContainerCrashAction), power=Power.CRASH, expectation=_loss),
    OutOfMemoryFault: Kind(container_action=_acts(ContainerOutOfMemoryAction), power=Power.EXHAUST, expectation=_loss),
    NetworkLossFault: Kind(container_action=network_loss, power=Power.DISCONNECT, expectation=_loss),
    CpuLimitFault: Kind(
        container_action=cpu_limit,
        problems=_limit_problems,
        power=Power.LIMIT,
        expectation=_limited_cpu,
        hides_others=False,
    ),
    MemoryLimitFault: Kind(
        container_action=memory_limit,
        problems=_limit_problems,
        power=Power.LIMIT_MEMORY,
        expectation=_limited_memory,
    ),
}


def refusals(faults: tuple[PlannedFault, ...], target: TargetSpec, *, runtime: str = "processes") -> list[str]:
    """Why these faults may not be injected into this target on this runtime, in sentences; empty when they may."""
    problems: list[str] = []
    for planned in faults:
        fault = planned.fault
        if isinstance(fault, LinkFault):
            problems += _unknown(planned.id, "link", fault.link, target.links) or _unseen(planned, target)
        else:
            problems += _service_problems(planned.id, fault.service, target) + _powerless(planned, runtime)
        problems += [f"{planned.id}: {problem}." for problem in CATALOGUE[type(fault)].problems(fault)]
        if planned.revert_s <= planned.inject_s:
            problems.append(f"{planned.id}: lasts: it ends before it begins.")
    return problems + _overlaps(faults)


def kind_of(fault: Fault) -> Kind:
    return CATALOGUE[type(fault)]


def canary_path(fault: Fault, target: TargetSpec) -> tuple[Protocol, str]:
    """How to ask the attacked path: protocol and HTTP path. A service is asked as a link to it would be."""
    if isinstance(fault, LinkFault):
        link = target.links[fault.link]
        return link.probe, link.probe_path
    into = next((link for link in target.links.values() if link.upstream == fault.service), None)
    if into is not None:
        return into.probe, into.probe_path
    health = target.services[fault.service].health
    return ("tcp", "/") if health is None else ("http", health)


def _service_problems(fault_id: str, service: str, target: TargetSpec) -> list[str]:
    unknown = _unknown(fault_id, "service", service, target.services)
    if unknown:
        return unknown
    spec: ServiceSpec = target.services[service]
    if spec.role in OWN_ROLES:
        return [f"{fault_id}: {service} is the target's {spec.role}; without it nothing could be measured or undone."]
    if not spec.attackable:
        return [f"{fault_id}: {service} may not be attacked (attackable: false in the target file)."]
    return []


def _powerless(planned: PlannedFault, runtime: str) -> list[str]:
    power = CATALOGUE[type(planned.fault)].power
    if power is None or power in RUNTIMES[runtime]:
        return []
    others = " or ".join(f"--runtime {name}" for name in with_power(power))
    return [f"{planned.id}: the {runtime} runtime cannot {power} a service; run it with {others}."]


def _unseen(planned: PlannedFault, target: TargetSpec) -> list[str]:
    if not isinstance(planned.fault, BandwidthFault):
        return []
    probe = target.links[planned.fault.link].probe
    if planned.fault.rate <= VISIBLE_BELOW_BYTES_PER_S[probe]:
        return []
    most = BytesPerSecond(VISIBLE_BELOW_BYTES_PER_S[probe])
    return [f"{planned.id}: rate: a limit of {planned.fault.rate} cannot be seen on a {probe} link; at most {most}."]


def _unknown(fault_id: str, what: str, name: str, known: dict[str, Any]) -> list[str]:
    if name in known:
        return []
    near = get_close_matches(name, known, n=1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    return [f'{fault_id}: "{name}" is not a {what} of the target.{hint} Known: {", ".join(sorted(known))}.']


def _overlaps(faults: tuple[PlannedFault, ...]) -> list[str]:
    """Two faults on one process at a time have no meaning; on a link they add up."""
    return [
        f"{one.id} and {other.id}: {place_of(one.fault)} is attacked by both at the same time."
        for one, other in combinations([fault for fault in faults if not isinstance(fault.fault, LinkFault)], 2)
        if place_of(one.fault) == place_of(other.fault)
        and one.inject_s < other.revert_s
        and other.inject_s < one.revert_s
    ]


def _whole_ms(name: str, value: float) -> list[str]:
    if abs(value * 1000 - round(value * 1000)) > 1e-6:
        return [f"{name}: {value} is not a whole number of milliseconds, as Toxiproxy needs it"]
    return []


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
