"""What faults on containers do, in which order."""

import asyncio
from collections.abc import Iterator

import msgspec
import pytest

from harness.errors import FaultError
from harness.experiment.faults import CpuLimitFault, Fault, MemoryLimitFault, NetworkLossFault, StopFault
from harness.faults import undo
from harness.faults.attack import service_action
from harness.faults.container import ContainerDestroyAction, running_container
from harness.target.docker_target import DockerTarget
from harness.units import Ratio, Seconds
from tests.harness.faults.a_target import planned
from tests.harness.faults.fake_engine import FakeEngine
from tests.harness.target.a_docker_target import IDS, a_docker_target

POSTGRES = IDS["postgres"]
AT, LASTS = Seconds(0), Seconds(5)


@pytest.fixture
def both() -> Iterator[tuple[FakeEngine, DockerTarget]]:
    with a_docker_target() as both:
        yield both


def test_whatever_empties_volumes_is_ended_before_the_service_is_started(
    both: tuple[FakeEngine, DockerTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, target = both
    original = running_container(target, "postgres")
    assert original is not None
    engine.containers[POSTGRES]["State"]["Running"] = False
    engine.add("p-postgres-eraser")
    found: list[set[str]] = []

    async def start(service: str) -> None:
        found.append(set(engine.containers))

    monkeypatch.setattr(target, "start", start)
    asyncio.run(ContainerDestroyAction(target=target, original=original).revert())

    assert found == [set(IDS.values())]


HALF_OF_THE_CPU = CpuLimitFault(service="postgres", at=AT, lasts=LASTS, share=Ratio(0.5))
HALF_OF_THE_MEMORY = MemoryLimitFault(service="postgres", at=AT, lasts=LASTS, share=Ratio(0.5))


@pytest.mark.parametrize(
    ("fault", "limit", "key"), [(HALF_OF_THE_CPU, "NanoCpus", "cpus"), (HALF_OF_THE_MEMORY, "Memory", "mem_limit")]
)
def test_a_limit_that_could_not_be_taken_back_is_refused_before_anything_is_done(
    both: tuple[FakeEngine, DockerTarget], fault: Fault, limit: str, key: str
) -> None:
    engine, target = both
    engine.containers[POSTGRES]["HostConfig"] |= {limit: 0}

    with pytest.raises(
        FaultError, match=f"postgres has no `{key}` in the compose file, so no limit of it could be taken"
    ):
        service_action(planned(fault), target)


@pytest.mark.slow
def test_a_limit_on_the_cpu_leaves_memory_as_it_is(both: tuple[FakeEngine, DockerTarget]) -> None:
    engine, target = both
    host = engine.containers[POSTGRES]["HostConfig"]
    host |= {"Memory": 0, "MemorySwap": 0}
    action = service_action(planned(HALF_OF_THE_CPU), target)

    asyncio.run(action.inject())
    assert host == {"NanoCpus": 500_000_000, "Memory": 0, "MemorySwap": 0}
    asyncio.run(action.revert())

    assert asyncio.run(action.wrong_now()) == ""
    assert host == {"NanoCpus": 1_000_000_000, "Memory": 0, "MemorySwap": 0}


@pytest.mark.slow
@pytest.mark.parametrize(("swap", "less"), [(256 << 20, 128 << 20), (300 << 20, 172 << 20), (-1, -1)])
def test_a_limit_on_the_memory_leaves_swap_and_cpu_as_they_are(
    both: tuple[FakeEngine, DockerTarget], swap: int, less: int
) -> None:
    engine, target = both
    host = engine.containers[POSTGRES]["HostConfig"]
    host |= {"Memory": 256 << 20, "MemorySwap": swap}
    before = dict(host)
    action = service_action(planned(HALF_OF_THE_MEMORY), target)

    asyncio.run(action.inject())
    assert asyncio.run(action.is_in_place())
    assert host == {**before, "Memory": 128 << 20, "MemorySwap": less}
    asyncio.run(action.revert())

    assert asyncio.run(action.wrong_now()) == ""
    assert host == before


@pytest.mark.slow
@pytest.mark.parametrize("by", ["runner", "guard"])
def test_a_service_that_had_too_little_memory_is_started_again_by_whoever_undoes_it(
    both: tuple[FakeEngine, DockerTarget], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Its restart policy waits, which counts as running to an engine."""

    async def until_ready(service: str) -> None:
        """At once."""

    engine, target = both
    monkeypatch.setattr(target, "until_ready", until_ready)
    before = dict(engine.containers[POSTGRES]["HostConfig"])
    action = service_action(planned(HALF_OF_THE_MEMORY), target)
    guards = [msgspec.to_builtins(one) for one in action.undo()]
    asyncio.run(action.inject())
    engine.containers[POSTGRES]["State"]["Restarting"] = True

    assert asyncio.run(action.wrong_now()) == "postgres does not run"
    if by == "runner":
        asyncio.run(action.revert())
    for data in guards if by == "guard" else ():
        assert undo.wrong_now(data)
        undo.execute(data)

    assert asyncio.run(action.wrong_now()) == "".join(map(undo.wrong_now, guards)) == ""
    assert engine.containers[POSTGRES]["HostConfig"] == before
    assert engine.containers[POSTGRES]["State"]["Running"]


ENDPOINT = {"Aliases": ["postgres"], "IPAMConfig": {"IPv4Address": "172.30.1.14"}, "DriverOpts": {"mtu": "1400"}}


@pytest.mark.slow
def test_a_service_comes_back_into_its_network_as_it_was(both: tuple[FakeEngine, DockerTarget]) -> None:
    engine, target = both
    engine.attach(POSTGRES, "net", ENDPOINT)
    networks = engine.containers[POSTGRES]["NetworkSettings"]["Networks"]
    before = dict(networks)
    action = service_action(planned(NetworkLossFault(service="postgres", at=AT, lasts=LASTS)), target)

    asyncio.run(action.inject())
    assert asyncio.run(action.is_in_place())
    assert asyncio.run(action.wrong_now()) == "postgres is not in net as it was"
    asyncio.run(action.revert())

    assert asyncio.run(action.wrong_now()) == ""
    assert networks == before


def test_one_that_is_in_it_otherwise_is_put_back_as_it_was(both: tuple[FakeEngine, DockerTarget]) -> None:
    engine, target = both
    engine.attach(POSTGRES, "net", ENDPOINT)
    networks = engine.containers[POSTGRES]["NetworkSettings"]["Networks"]
    before = dict(networks)
    action = service_action(planned(NetworkLossFault(service="postgres", at=AT, lasts=LASTS)), target)
    engine.attach(POSTGRES, "net", {**ENDPOINT, "DriverOpts": {}})

    assert asyncio.run(action.wrong_now()) == "postgres is not in net as it was"
    asyncio.run(action.revert())

    assert networks == before


def test_a_service_that_would_come_back_with_another_address_is_not_taken_out(
    both: tuple[FakeEngine, DockerTarget],
) -> None:
    engine, target = both
    engine.attach(POSTGRES, "net", {"Aliases": ["postgres"]})

    with pytest.raises(
        FaultError, match=r"postgres has no fixed address in net \(now 172\.30\.1\.200\), so it would come"
    ):
        service_action(planned(NetworkLossFault(service="postgres", at=AT, lasts=LASTS)), target)


@pytest.mark.slow
def test_a_stopped_service_had_its_time_to_end_and_is_started_again(
    both: tuple[FakeEngine, DockerTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def until_ready(service: str) -> None:
        """At once."""

    engine, target = both
    monkeypatch.setattr(target, "until_ready", until_ready)
    action = service_action(planned(StopFault(service="postgres", at=AT, lasts=LASTS)), target)

    asyncio.run(action.inject())
    assert asyncio.run(action.is_in_place())
    (guards,) = [msgspec.to_builtins(one) for one in action.undo()]
    assert undo.wrong_now(guards) == "postgres does not run"
    asyncio.run(action.revert())

    assert undo.wrong_now(guards) == ""
    changes = [call.rpartition("/")[2] for call in engine.calls if call.startswith("POST")]
    assert changes == ["stop?t=10", "start"]
