"""Every fault ends when its runner dies: by its guard, or by whoever comes next."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.experiment.faults import DestroyFault, LatencyFault
from harness.faults import procfs, salvage
from harness.faults.journal import State
from harness.faults.revert import leftovers, revert_leftovers
from harness.target.data_folder import data_folder_of
from harness.target.processes_target import ProcessesTarget
from harness.units import Seconds
from tests.e2e.faults.other_runner import Runner
from tests.harness.faults.a_target import (
    SPEC,
    WEB,
    Attempt,
    is_open,
    planned,
    proxies,
    snapshot,
    states_in,
    until,
)

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AT, LASTS = Seconds(0), Seconds(60)


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
    latency = LatencyFault(link=WEB, at=AT, lasts=LASTS, latency=Seconds(0.1))
    attempt = Attempt(target, tmp_path / "run-1", planned(latency))
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
