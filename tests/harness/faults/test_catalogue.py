"""The table of faults is whole, and says no before anything is started."""

from typing import get_args

import pytest

from harness.experiment.faults import (
    BandwidthFault,
    BlackholeFault,
    CpuLimitFault,
    CrashFault,
    DownFault,
    Fault,
    KillFault,
    LatencyFault,
    MemoryLimitFault,
    NetworkLossFault,
    OutOfMemoryFault,
    PauseFault,
    ResetFault,
    RestartFault,
    StopFault,
)
from harness.faults.catalogue import CATALOGUE, canary_path, kind_of, refusals
from harness.plan import PlannedFault
from harness.units import BytesPerSecond, Ratio, Seconds
from tests.harness.faults.a_target import POSTGRES, REDIS, SPEC, WEB, planned

AT = Seconds(0)
LASTS = Seconds(5)


def latency(latency_s: float, jitter_s: float = 0.0, link: str = REDIS) -> LatencyFault:
    return LatencyFault(link=link, at=AT, lasts=LASTS, latency=Seconds(latency_s), jitter=Seconds(jitter_s))


def bandwidth(rate: float, link: str = REDIS) -> BandwidthFault:
    return BandwidthFault(link=link, at=AT, lasts=LASTS, rate=BytesPerSecond(rate))


def reset(share: float = 1.0, after_s: float = 0.0) -> ResetFault:
    return ResetFault(link=REDIS, at=AT, lasts=LASTS, share=Ratio(share), after=Seconds(after_s))


def test_every_fault_that_can_be_written_is_in_the_table() -> None:
    assert set(CATALOGUE) == set(get_args(Fault))


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [
        (latency(0.2, 0.05), None),
        (latency(0.0), "too little"),
        (latency(0.019), "too little"),
        (latency(0.0205), "whole number of milliseconds"),
        (latency(0.1, 0.2), "more than the latency"),
        (latency(0.1, link="web->rediss"), 'Did you mean "web->redis"'),
        (bandwidth(64e3), None),
        (bandwidth(0), "whole number of KB/s"),
        (bandwidth(1500), "whole number of KB/s"),
        (bandwidth(1e6), None),
        (bandwidth(1e6, WEB), None),
        (bandwidth(1e6, POSTGRES), "cannot be seen on a postgres link"),
        (reset(), None),
        (reset(0.3), None),
        (reset(0.0), "between 2% and 100%"),
        (reset(1.0, 3.0), "too long"),
        (BlackholeFault(link=REDIS, at=AT, lasts=LASTS), None),
        (DownFault(link=REDIS, at=AT, lasts=LASTS), None),
        (DownFault(link=REDIS, at=AT, lasts=Seconds(0)), "ends before it begins"),
        (KillFault(service="redis", at=AT, lasts=LASTS), None),
        (KillFault(service="toxiproxy", at=AT, lasts=LASTS), "without it nothing could be measured"),
        (StopFault(service="redis", at=AT, lasts=LASTS), None),
        (StopFault(service="redis", at=AT, lasts=Seconds(0)), "ends before it begins"),
        (PauseFault(service="nothing", at=AT, lasts=LASTS), "is not a service"),
        (RestartFault(service="web", at=AT), None),
    ],
)
def test_what_cannot_be_carried_out_or_shown_is_refused(fault: Fault, refusal: str | None) -> None:
    lasts_s = float(getattr(fault, "lasts", 30.0))
    problems = refusals((planned(fault, lasts_s=lasts_s),), SPEC)

    if refusal is None:
        assert problems == []
    else:
        assert len(problems) == 1
        assert refusal in problems[0]


@pytest.mark.parametrize(
    "fault",
    [
        CrashFault(service="redis", at=AT),
        OutOfMemoryFault(service="redis", at=AT),
        NetworkLossFault(service="redis", at=AT, lasts=LASTS),
        CpuLimitFault(service="redis", at=AT, lasts=LASTS, share=Ratio(0.5)),
        MemoryLimitFault(service="redis", at=AT, lasts=LASTS, share=Ratio(0.5)),
    ],
    ids=str,
)
def test_what_a_runtime_has_no_power_for_is_refused_and_the_one_that_has_is_named(fault: Fault) -> None:
    (problem,) = refusals((planned(fault, lasts_s=30.0),), SPEC, runtime="processes")

    assert problem.endswith("run it with --runtime docker.")
    assert refusals((planned(fault, lasts_s=30.0),), SPEC, runtime="docker") == []


@pytest.mark.parametrize("runtime", ["processes", "docker"])
def test_what_every_runtime_can_do_is_refused_by_none(runtime: str) -> None:
    faults = (
        KillFault(service="redis", at=AT, lasts=LASTS),
        StopFault(service="redis", at=AT, lasts=LASTS),
        PauseFault(service="redis", at=AT, lasts=LASTS),
        RestartFault(service="redis", at=AT),
    )

    assert [refusals((planned(fault),), SPEC, runtime=runtime) for fault in faults] == [[]] * len(faults)


@pytest.mark.parametrize("kind", [CpuLimitFault, MemoryLimitFault])
@pytest.mark.parametrize("share", [0.0, 1.0, 1.5])
def test_a_limit_leaves_some_and_not_all(kind: type[CpuLimitFault] | type[MemoryLimitFault], share: float) -> None:
    fault = kind(service="redis", at=AT, lasts=LASTS, share=Ratio(share))

    (problem,) = refusals((planned(fault),), SPEC, runtime="docker")

    assert "is not between 0% and 100%" in problem


def test_no_faults_are_no_problem() -> None:
    assert refusals((), SPEC) == []


@pytest.mark.parametrize(
    ("second", "inject_s", "is_refused"),
    [
        (PauseFault(service="redis", at=AT, lasts=LASTS), 2.0, True),
        (PauseFault(service="redis", at=AT, lasts=LASTS), 5.0, False),
        (PauseFault(service="web", at=AT, lasts=LASTS), 2.0, False),
        (latency(0.1), 2.0, False),
    ],
)
def test_a_process_is_attacked_by_one_fault_at_a_time(second: Fault, inject_s: float, is_refused: bool) -> None:
    kill = PlannedFault(id="kill-1", fault=KillFault(service="redis", at=AT, lasts=LASTS), inject_s=0.0, revert_s=5.0)
    other = PlannedFault(id="other-2", fault=second, inject_s=inject_s, revert_s=inject_s + 5.0)

    assert bool(refusals((kill, other), SPEC)) is is_refused


def test_latency_is_put_on_one_direction_so_that_a_round_trip_costs_it_once() -> None:
    toxics = kind_of(latency(0.2)).toxics(latency(0.2, 0.05), "run-latency-1")

    assert [(toxic.stream, dict(toxic.attributes)) for toxic in toxics] == [
        ("downstream", {"latency": 200, "jitter": 50})
    ]


def test_bandwidth_is_limited_in_both_directions_in_kilobytes() -> None:
    toxics = kind_of(bandwidth(64e3)).toxics(bandwidth(64e3), "run-bandwidth-1")

    assert {toxic.stream: toxic.attributes["rate"] for toxic in toxics} == {"upstream": 64, "downstream": 64}


@pytest.mark.parametrize(("share", "drops"), [(1.0, True), (0.5, False)])
def test_existing_connections_are_dropped_only_when_all_are_to_be_reset(share: float, drops: bool) -> None:
    assert kind_of(reset(share)).drops(reset(share)) is drops


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        (latency(0.1, link=WEB), ("http", "/healthz")),
        (latency(0.1), ("redis", "/healthz")),
        (KillFault(service="redis", at=AT, lasts=LASTS), ("redis", "/healthz")),
        (KillFault(service="web", at=AT, lasts=LASTS), ("http", "/healthz")),
    ],
)
def test_a_service_is_asked_as_a_link_to_it_would_be(fault: Fault, path: tuple[str, str]) -> None:
    assert canary_path(fault, SPEC) == path
