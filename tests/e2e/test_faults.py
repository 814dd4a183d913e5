"""Every fault on real servers behind a real Toxiproxy: its dose, its undo, and its end when its runner dies."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.errors import FaultError, TargetError, UncleanError
from harness.experiment import (
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
)
from harness.faults import procfs, salvage
from harness.faults.journal import State, last_states, read_journal
from harness.faults.lease import Guard
from harness.faults.revert import leftovers, revert_leftovers
from harness.target.data_folder import data_folder_of
from harness.target.processes_target import ProcessesTarget
from harness.units import BytesPerSecond, Ratio, Seconds
from tests.harness.faults.a_target import (
    LOOPBACK,
    POSTGRES,
    REDIS,
    SPEC,
    WEB,
    Attempt,
    a_running_target,
    is_open,
    planned,
    proxies,
    snapshot,
    toxiproxy,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AT, LASTS = Seconds(0), Seconds(60)
LATENCY = LatencyFault(link=REDIS, at=AT, lasts=LASTS, latency=Seconds(0.1))
DOWN = DownFault(link=REDIS, at=AT, lasts=LASTS)
WITHIN_S = 10.0  # everything is as before within this after the runner has died


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def running(state_dir: Path) -> Iterator[ProcessesTarget]:
    target = asyncio.run(a_running_target(state_dir))
    try:
        yield target
    finally:
        asyncio.run(target.down())


@pytest.fixture
def target(running: ProcessesTarget) -> Iterator[ProcessesTarget]:
    """The target, which has to be after a test what it was before it."""
    before = snapshot(running)
    assert set(before["services"].values()) == {"healthy"}
    yield running
    try:
        until(lambda: snapshot(running) == before, f"as before: {before}", within_s=WITHIN_S)
    finally:
        make_whole(running)


def make_whole(target: ProcessesTarget) -> None:
    for service in SPEC.services:
        asyncio.run(target.resume(service))
        asyncio.run(target.start(service))
    for name, proxy in proxies().items():
        for toxic in proxy["toxics"]:
            toxiproxy("DELETE", f"/proxies/{name.replace('>', '%3E')}/toxics/{toxic['name']}")
        toxiproxy("PATCH", f"/proxies/{name.replace('>', '%3E')}", {"enabled": True})


def states_in(folder: Path) -> dict[str, State]:
    return {fault: entry.state for fault, entry in last_states(read_journal(folder / "journal.jsonl")).items()}


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


# --- the runner dies -------------------------------------------------------------------------------------------------


RUNNER = "tests.harness.faults.runner_process"


class Runner:
    """The other process, and what it says."""

    def __init__(self, state_dir: Path, folder: Path, kind: str, crash: str, *, lasts_s: float = 60.0) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", RUNNER, str(state_dir), str(folder), kind, crash, str(lasts_s)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.guard_pid = int(self.expect("guard").split()[1])

    def expect(self, word: str) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(word), line
        return line

    def guard_has_ended(self) -> bool:
        return not psutil.pid_exists(self.guard_pid) or psutil.Process(self.guard_pid).status() == "zombie"

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        until(self.guard_has_ended, "the guard ends with its runner", within_s=20.0)


CRASHES = ["before ARMED", "half ARMED", "after ARMED", "before INJECTED", "after INJECTED", "after REVERTING"]
CRASHES += ["before REVERTED", "after REVERTED", "before VERIFIED", "after VERIFIED"]


@pytest.mark.parametrize(
    ("kind", "crash"),
    [("latency", crash) for crash in ["after PLANNED", *CRASHES]]
    + [("kill", crash) for crash in CRASHES]
    + [(kind, crash) for kind in ("down", "pause", "blackhole", "reset") for crash in ("after ARMED", "after INJECTED")]
    + [("kill", "starting")]
    + [("destroy", crash) for crash in ("after ARMED", "losing", "before INJECTED", "after REVERTING")]
    + [("region_outage", crash) for crash in ("after ARMED", "after INJECTED", "after REVERTING", "before VERIFIED")],
)
def test_everything_is_as_before_after_a_runner_was_killed(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path, kind: str, crash: str
) -> None:
    before = snapshot(target)
    runner = Runner(state_dir, tmp_path / "run-1", kind, crash)
    try:
        assert runner.process.wait(20.0) == -signal.SIGKILL
        took_s = until(lambda: snapshot(target) == before and runner.guard_has_ended(), f"as {before}")
    finally:
        runner.end()

    assert took_s < WITHIN_S
    assert set(states_in(runner.folder).values()) <= {State.VERIFIED, State.PLANNED}
    assert leftovers(tmp_path) == []
    listeners = [one for one in psutil.net_connections("tcp4") if one.status == "LISTEN"]
    assert sum(one.laddr == (LOOPBACK, SPEC.services["redis"].port) for one in listeners) == 1


def test_a_destroyed_service_comes_back_on_nothing_and_others_keep_what_they_have(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path
) -> None:
    data = data_folder_of(state_dir)
    for service in ("postgres", "redis"):
        (data / service / "mark").touch()
    attempt = Attempt(target, tmp_path / "run-1", planned(DestroyFault(service="postgres", at=AT, lasts=LASTS)))

    async def conduct() -> None:
        await attempt.injector.prepare()
        with pytest.raises(TargetError, match="are not taken from under it"):
            await target.lose_data("postgres")
        await attempt.injector.inject("fault-1")
        assert not (data / "postgres").exists()
        await attempt.injector.revert("fault-1")

    asyncio.run(conduct())

    assert attempt.edge("inject").confirmed
    assert attempt.edge("revert").confirmed
    assert (data / "postgres" / "data").is_dir()
    assert not (data / "postgres" / "mark").exists()
    assert (data / "redis" / "mark").exists()


def test_data_that_are_not_lost_are_noticed(
    target: ProcessesTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep(service: str) -> None:
        """A removal that does nothing."""

    monkeypatch.setattr(target, "lose_data", keep)
    attempt = Attempt(target, tmp_path / "run-1", planned(DestroyFault(service="postgres", at=AT, lasts=LASTS)))

    async def conduct() -> None:
        await attempt.injector.prepare()
        await attempt.injector.inject("fault-1")
        await attempt.injector.revert("fault-1")

    asyncio.run(conduct())

    assert not attempt.edge("inject").confirmed
    assert "does not read back" in attempt.edge("inject").detail


def test_a_run_that_ends_well_releases_its_guard_at_once(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path
) -> None:
    runner = Runner(state_dir, tmp_path / "run-1", "latency", "none")
    try:
        for word in ("injected", "reverted", "released"):
            runner.expect(word)
        assert runner.process.wait(10.0) == 0
        assert runner.guard_has_ended()
    finally:
        runner.end()


def test_a_stopped_runner_loses_its_lease_and_notices(target: ProcessesTarget, state_dir: Path, tmp_path: Path) -> None:
    before = snapshot(target)
    runner = Runner(state_dir, tmp_path / "run-1", "latency", "hold")
    try:
        runner.expect("injected")
        runner.process.send_signal(signal.SIGSTOP)
        took_s = until(lambda: snapshot(target) == before, "reverted without the runner")
        assert took_s > 2.0
        runner.process.send_signal(signal.SIGCONT)
        assert "has taken over" in runner.expect("aborted")
        runner.expect("reverted")
        runner.expect("released")
    finally:
        runner.end()


def test_a_runner_that_was_stopped_between_its_journal_and_the_act_undoes_the_act(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path
) -> None:
    before = snapshot(target)
    runner = Runner(state_dir, tmp_path / "run-1", "latency", "stop after ARMED")
    try:
        until(lambda: states_in(runner.folder).get("fault-1") is State.VERIFIED, "the guard found nothing to revert")
        runner.process.send_signal(signal.SIGCONT)
        assert "has taken over" in runner.expect("aborted")
        runner.expect("reverted")
        assert snapshot(target) == before
    finally:
        runner.end()
    assert states_in(runner.folder) == {"fault-1": State.VERIFIED}


def test_a_runner_whose_guard_was_killed_aborts_and_reverts(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path
) -> None:
    runner = Runner(state_dir, tmp_path / "run-1", "latency", "hold")
    try:
        runner.expect("injected")
        os.kill(runner.guard_pid, signal.SIGKILL)
        assert "has ended" in runner.expect("aborted")
        runner.expect("reverted")
        runner.expect("released")
    finally:
        runner.end()


@pytest.mark.parametrize("kind", ["latency", "kill", "pause"])
def test_what_runner_and_guard_left_when_both_died_is_found_and_reverted(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path, kind: str
) -> None:
    before = snapshot(target)
    runner = Runner(state_dir, tmp_path / "run-1", kind, "hold")
    try:
        runner.expect("injected")
        assert leftovers(tmp_path) == []  # somebody looks after it
        os.kill(runner.guard_pid, signal.SIGKILL)
    finally:
        runner.end()

    (left,) = leftovers(tmp_path)
    report = revert_leftovers(tmp_path)

    assert (left.state, report.stuck) == (State.INJECTED, ())
    assert snapshot(target) == before
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("harm", [signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "dead"])
def test_the_guard_revives_a_toxiproxy(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path, harm: signal.Signals
) -> None:
    before = snapshot(target)
    broken = target.identity("toxiproxy")
    assert broken is not None
    runner = Runner(state_dir, tmp_path / "run-1", "latency", "hold")
    try:
        runner.expect("injected")
        os.kill(broken.pid, harm)
        runner.process.kill()
        until(runner.guard_has_ended, "the guard is done")
    finally:
        runner.end()

    assert snapshot(target) == before
    assert target.identity("toxiproxy") not in (None, broken)
    assert set(states_in(runner.folder).values()) == {State.VERIFIED}


def test_a_fault_that_its_runner_forgets_ends_at_its_deadline(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path
) -> None:
    before = snapshot(target)
    runner = Runner(state_dir, tmp_path / "run-1", "latency", "hold", lasts_s=0.5)
    try:
        runner.expect("injected")
        until(lambda: snapshot(target) == before, "reverted at its deadline")
        assert runner.process.poll() is None
        faults = salvage.Log(runner.folder / "journal.jsonl", by="guard").lines()
        assert not [line for line in faults if line["line"] == "guard" and line["action"] == "taken_over"]
    finally:
        runner.end()


def test_two_runs_at_once_revert_their_own_faults_only(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path
) -> None:
    attempt = Attempt(target, tmp_path / "run-1", planned(_latency(WEB)))
    runner = Runner(state_dir, tmp_path / "run-2", "kill", "hold")
    try:
        runner.expect("injected")

        async def conduct() -> list[str]:
            await attempt.injector.prepare()
            await attempt.injector.inject("fault-1")
            runner.process.kill()
            await asyncio.to_thread(until, runner.guard_has_ended, "the other guard is done")
            kept = [toxic["name"] for toxic in proxies()[WEB]["toxics"]]
            await attempt.injector.revert_all()
            return kept

        assert asyncio.run(conduct()) == ["run-1-fault-1"]
    finally:
        runner.end()
    assert is_open(SPEC.services["redis"].port)


def test_processes_are_told_apart_by_their_start(target: ProcessesTarget) -> None:
    identity = target.identity("redis")
    assert identity is not None
    found = procfs.stat_of(identity.pid)

    assert found is not None
    assert procfs.started_at(found.start_ticks) == pytest.approx(identity.started_at, abs=1.0)
    assert not procfs.is_running(identity.pid, found.start_ticks + 1)
