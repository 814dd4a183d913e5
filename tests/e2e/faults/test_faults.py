"""Every fault on real servers behind a real Toxiproxy: its dose and its undo."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FaultError, UncleanError
from harness.experiment.faults import (
    BandwidthFault,
    BlackholeFault,
    DestroyFault,
    DownFault,
    Fault,
    KillFault,
    LatencyFault,
    PauseFault,
    ResetFault,
    RestartFault,
    StopFault,
)
from harness.faults.journal import State
from harness.faults.lease import Guard
from harness.target.processes_target import ProcessesTarget
from harness.units import BytesPerSecond, Ratio, Seconds
from tests.harness.faults.a_target import (
    LOOPBACK,
    POSTGRES,
    REDIS,
    SPEC,
    WEB,
    Attempt,
    planned,
    proxies,
    snapshot,
    states_in,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AT, LASTS = Seconds(0), Seconds(60)
LATENCY = LatencyFault(link=REDIS, at=AT, lasts=LASTS, latency=Seconds(0.1))
DOWN = DownFault(link=REDIS, at=AT, lasts=LASTS)


# --- dose and undo of every kind -------------------------------------------------------------------------------------


def _bandwidth(link: str, rate: float) -> Fault:
    return BandwidthFault(link=link, at=AT, lasts=LASTS, rate=BytesPerSecond(rate))


def _latency(link: str, jitter_s: float = 0.0) -> Fault:
    return LatencyFault(link=link, at=AT, lasts=LASTS, latency=Seconds(0.1), jitter=Seconds(jitter_s))


@pytest.mark.parametrize(
    ("fault", "dose", "tolerance"),
    [
        (_latency(REDIS), 0.1, 0.05),
        (_latency(POSTGRES), 0.1, 0.05),
        (_latency(WEB, 0.03), 0.1, 0.08),
        (_bandwidth(REDIS, 20e3), 20e3, 10e3),
        (_bandwidth(REDIS, 5e6), 5e6, 2.5e6),
        (_bandwidth(POSTGRES, 50e3), 50e3, 25e3),
        (_bandwidth(WEB, 100e3), 100e3, 50e3),
        (ResetFault(link=REDIS, at=AT, lasts=LASTS), 1.0, 0.0),
        (ResetFault(link=WEB, at=AT, lasts=LASTS, share=Ratio(0.5)), 0.5, 0.5),
        (ResetFault(link=POSTGRES, at=AT, lasts=LASTS, after=Seconds(0.2)), 1.0, 0.0),
        (BlackholeFault(link=REDIS, at=AT, lasts=LASTS), 1.0, 0.0),
        (BlackholeFault(link=POSTGRES, at=AT, lasts=LASTS), 1.0, 0.0),
        (DownFault(link=WEB, at=AT, lasts=LASTS), 1.0, 0.0),
        (KillFault(service="redis", at=AT, lasts=LASTS), 1.0, 0.0),
        (KillFault(service="postgres", at=AT, lasts=LASTS), 1.0, 0.0),
        (DestroyFault(service="redis", at=AT, lasts=LASTS), 1.0, 0.0),
        (DestroyFault(service="web", at=AT, lasts=LASTS), 1.0, 0.0),
        (StopFault(service="redis", at=AT, lasts=LASTS), 1.0, 0.0),
        (StopFault(service="web", at=AT, lasts=LASTS), 1.0, 0.0),
        (PauseFault(service="web", at=AT, lasts=LASTS), 1.0, 0.0),
        (PauseFault(service="postgres", at=AT, lasts=LASTS), 1.0, 0.0),
    ],
    ids=str,
)
def test_a_fault_delivers_its_dose_and_leaves_nothing(
    target: ProcessesTarget, tmp_path: Path, fault: Fault, dose: float, tolerance: float
) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(fault))
    before = snapshot(target)

    async def conduct() -> None:
        await attempt.injector.prepare()
        await attempt.injector.inject("fault-1")
        await attempt.injector.revert("fault-1")

    asyncio.run(conduct())

    assert attempt.edge("inject").confirmed
    assert attempt.edge("revert").confirmed
    assert attempt.edge("inject").at_ns < attempt.edge("inject").done_ns < attempt.edge("revert").at_ns
    during = attempt.readings("during")[-1]
    assert during.agrees
    assert during.dose == pytest.approx(dose, abs=tolerance)
    assert attempt.readings("before")[-1].agrees
    assert attempt.readings("after")[-1].agrees
    assert states_in(tmp_path / "run-1") == {"fault-1": State.VERIFIED}
    assert snapshot(target) == before


def test_a_restart_is_over_once_the_service_is_healthy_again(target: ProcessesTarget, tmp_path: Path) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(RestartFault(service="web", at=AT)))
    first = target.identity("web")

    async def conduct() -> None:
        await attempt.injector.prepare()
        await attempt.injector.inject("fault-1")
        await attempt.injector.watch("fault-1")

    asyncio.run(conduct())

    assert target.identity("web") not in (None, first)
    assert attempt.edge("inject").confirmed
    assert attempt.edge("revert").confirmed
    assert states_in(tmp_path / "run-1") == {"fault-1": State.VERIFIED}


def test_watching_gives_a_reading_a_second_until_the_revert(target: ProcessesTarget, tmp_path: Path) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(DOWN))

    async def conduct() -> None:
        await attempt.injector.prepare()
        await attempt.injector.inject("fault-1")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(attempt.injector.watch("fault-1"))
            await asyncio.sleep(2.3)
            await attempt.injector.revert("fault-1")

    asyncio.run(conduct())

    assert len(attempt.readings("during")) == 3
    assert all(reading.agrees for reading in attempt.readings("during"))


def test_connections_that_exist_are_dropped_by_a_full_reset_and_new_ones_are_reset(
    target: ProcessesTarget, tmp_path: Path
) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(ResetFault(link=REDIS, at=AT, lasts=LASTS)))

    async def conduct() -> bytes:
        await attempt.injector.prepare()
        with socket.create_connection((LOOPBACK, SPEC.links[REDIS].listen), timeout=2.0) as old:
            old.sendall(b"PING\r\n")
            assert old.recv(100) == b"+PONG\r\n"
            await attempt.injector.inject("fault-1")
            return old.recv(100)

    try:
        assert asyncio.run(conduct()) == b""
        with socket.create_connection((LOOPBACK, SPEC.links[REDIS].listen), timeout=2.0) as new:
            new.sendall(b"PING\r\n")
            with pytest.raises(ConnectionResetError):
                new.recv(100)
    finally:
        asyncio.run(attempt.injector.revert_all())


# --- several faults --------------------------------------------------------------------------------------------------


def test_faults_on_one_link_go_one_by_one_and_the_proof_waits_for_the_last(
    target: ProcessesTarget, tmp_path: Path
) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY, id="latency-1"), planned(DOWN, id="down-2"))

    async def conduct() -> tuple[dict[str, Any], dict[str, State]]:
        await attempt.injector.prepare()
        await attempt.injector.inject("latency-1")
        await attempt.injector.inject("down-2")
        await attempt.injector.revert("latency-1")
        between = proxies()[REDIS], states_in(tmp_path / "run-1")
        await attempt.injector.revert("down-2")
        return between

    proxy, states = asyncio.run(conduct())

    assert (proxy["enabled"], proxy["toxics"]) == (False, [])
    assert states == {"latency-1": State.REVERTED, "down-2": State.INJECTED}
    assert states_in(tmp_path / "run-1") == {"latency-1": State.VERIFIED, "down-2": State.VERIFIED}
    assert all(attempt.edge("revert", fault).confirmed for fault in ("latency-1", "down-2"))


def test_a_fault_may_follow_another_of_its_kind_at_the_same_instant(target: ProcessesTarget, tmp_path: Path) -> None:
    more = LatencyFault(link=REDIS, at=AT, lasts=LASTS, latency=Seconds(0.3))
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY, id="latency-1"), planned(more, id="latency-2"))

    async def conduct() -> None:
        await attempt.injector.prepare()
        await attempt.injector.inject("latency-1")
        await asyncio.gather(attempt.injector.revert("latency-1"), attempt.injector.inject("latency-2"))
        await attempt.injector.revert("latency-2")

    asyncio.run(conduct())

    for fault, dose_s in (("latency-1", 0.1), ("latency-2", 0.3)):
        assert attempt.edge("inject", fault).confirmed
        assert attempt.edge("revert", fault).confirmed
        assert attempt.readings("during", fault)[-1].dose == pytest.approx(dose_s, abs=0.05)
    assert attempt.edge("revert", "latency-1").done_ns < attempt.readings("during", "latency-2")[-1].at_ns


def test_a_hidden_fault_is_not_claimed_to_have_been_seen(target: ProcessesTarget, tmp_path: Path) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(DOWN, id="down-1"), planned(LATENCY, id="latency-2"))

    async def conduct() -> None:
        await attempt.injector.prepare()
        await attempt.injector.inject("down-1")
        await attempt.injector.inject("latency-2")
        await attempt.injector.revert_all()

    asyncio.run(conduct())

    assert not attempt.edge("inject", "latency-2").confirmed
    assert "down-1" in attempt.edge("inject", "latency-2").detail
    assert attempt.readings("during", "latency-2") == []


def test_faults_on_different_places_run_at_the_same_time(target: ProcessesTarget, tmp_path: Path) -> None:
    pause = PauseFault(service="web", at=AT, lasts=LASTS)
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY, id="latency-1"), planned(pause, id="pause-2"))

    async def conduct() -> None:
        await attempt.injector.prepare()
        await asyncio.gather(attempt.injector.inject("latency-1"), attempt.injector.inject("pause-2"))
        await attempt.injector.revert_all()

    asyncio.run(conduct())

    assert attempt.edge("inject", "latency-1").confirmed
    assert attempt.edge("inject", "pause-2").confirmed


def test_reverting_everything_may_be_asked_twice_at_once_and_again(target: ProcessesTarget, tmp_path: Path) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY))

    async def conduct() -> None:
        await attempt.injector.revert_all()
        await attempt.injector.prepare()
        await attempt.injector.revert_all()
        await attempt.injector.inject("fault-1")
        await asyncio.gather(attempt.injector.revert_all(), attempt.injector.revert_all())
        await attempt.injector.revert_all()

    asyncio.run(conduct())

    assert [event for event in attempt.events if event == attempt.edge("revert")] == [attempt.edge("revert")]
    assert states_in(tmp_path / "run-1") == {"fault-1": State.VERIFIED}


def test_an_injection_that_is_cancelled_half_way_is_reverted(target: ProcessesTarget, tmp_path: Path) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY))

    async def conduct() -> None:
        await attempt.injector.prepare()
        injecting = asyncio.create_task(attempt.injector.inject("fault-1"))
        for _ in range(3):
            await asyncio.sleep(0)  # far enough to have the call under way in its thread
        assert states_in(tmp_path / "run-1") == {"fault-1": State.ARMED}
        injecting.cancel()
        await asyncio.gather(injecting, return_exceptions=True)
        await attempt.injector.revert_all()

    asyncio.run(conduct())

    assert states_in(tmp_path / "run-1") == {"fault-1": State.VERIFIED}


# --- what must not pass ----------------------------------------------------------------------------------------------


def test_a_second_run_refuses_while_a_toxic_is_left(target: ProcessesTarget, tmp_path: Path) -> None:
    first = Attempt(target, tmp_path / "run-1", planned(LATENCY))
    second = Attempt(target, tmp_path / "run-2", planned(DOWN))

    async def conduct() -> None:
        await first.injector.prepare()
        await first.injector.inject("fault-1")
        try:
            with pytest.raises(UncleanError, match="curl -X DELETE"):
                await second.injector.prepare()
        finally:
            await first.injector.revert_all()

    asyncio.run(conduct())


def test_a_path_that_does_not_answer_is_refused(target: ProcessesTarget, tmp_path: Path) -> None:
    asyncio.run(target.kill("redis"))
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY))
    try:
        with pytest.raises(FaultError, match="would prove nothing"):
            asyncio.run(attempt.injector.prepare())
    finally:
        asyncio.run(target.start("redis"))


def test_nothing_is_injected_when_the_journal_cannot_be_written(target: ProcessesTarget, tmp_path: Path) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY))

    async def conduct() -> None:
        await attempt.injector.prepare()
        full = os.open("/dev/full", os.O_RDWR)
        os.dup2(full, attempt.journal._file)
        os.close(full)
        with pytest.raises(FaultError, match="cannot be written"):
            await attempt.injector.inject("fault-1")

    asyncio.run(conduct())

    assert proxies()[REDIS]["toxics"] == []
    assert not attempt.edge("inject").confirmed


def test_a_toxic_that_is_not_applied_is_not_confirmed(target: ProcessesTarget, tmp_path: Path) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY), harness_defect="toxic_not_applied")

    async def conduct() -> None:
        await attempt.injector.prepare()
        await attempt.injector.inject("fault-1")
        await attempt.injector.revert_all()

    asyncio.run(conduct())

    assert not attempt.edge("inject").confirmed
    assert not any(reading.agrees for reading in attempt.readings("during"))


def test_a_fault_that_is_not_reverted_is_stuck_and_its_guard_reverts_it(
    target: ProcessesTarget, tmp_path: Path
) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY), harness_defect="fault_not_reverted")
    guard = Guard.start(attempt.journal.path)

    async def conduct() -> None:
        holding = asyncio.create_task(guard.hold())
        await attempt.injector.prepare()
        await attempt.injector.inject("fault-1")
        for _ in range(2):
            with pytest.raises(UncleanError, match=r"gameday revert(.|\n)*curl -X DELETE"):
                await attempt.injector.revert("fault-1")
        holding.cancel()

    try:
        asyncio.run(conduct())
        assert states_in(tmp_path / "run-1") == {"fault-1": State.STUCK}
        assert not attempt.edge("revert").confirmed
        assert proxies()[REDIS]["toxics"] != []
    finally:
        guard.release()
    assert proxies()[REDIS]["toxics"] == []
    assert states_in(tmp_path / "run-1") == {"fault-1": State.VERIFIED}


# --- the Toxiproxy itself breaks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("comes_back", [True, False], ids=["restarted", "dead"])
@pytest.mark.parametrize("fault", [LATENCY, DOWN], ids=["latency", "down"])
def test_a_toxiproxy_that_ends_in_the_middle_of_a_fault_is_made_whole(
    target: ProcessesTarget, tmp_path: Path, fault: Fault, comes_back: bool
) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(fault))

    async def conduct() -> None:
        await attempt.injector.prepare()
        await attempt.injector.inject("fault-1")
        await target.kill("toxiproxy")
        if comes_back:
            await target.start("toxiproxy")
        await attempt.injector.revert("fault-1")

    asyncio.run(conduct())

    assert states_in(tmp_path / "run-1") == {"fault-1": State.VERIFIED}


def test_a_frozen_control_api_is_an_unknown_outcome_and_ends_in_a_new_toxiproxy(
    target: ProcessesTarget, tmp_path: Path
) -> None:
    other = planned(_latency(WEB), id="latency-2")
    attempt = Attempt(target, tmp_path / "run-1", planned(LATENCY), other)
    first = target.identity("toxiproxy")

    async def conduct() -> list[str]:
        await attempt.injector.prepare()
        await asyncio.gather(attempt.injector.inject("fault-1"), attempt.injector.inject("latency-2"))
        await target.pause("toxiproxy")
        await attempt.injector.revert("fault-1")
        kept = [toxic["name"] for toxic in proxies()[WEB]["toxics"]]
        await attempt.injector.revert("latency-2")
        return kept

    kept = asyncio.run(conduct())

    assert kept == ["run-1-latency-2"]
    assert target.identity("toxiproxy") not in (None, first)
    assert set(states_in(tmp_path / "run-1").values()) == {State.VERIFIED}
