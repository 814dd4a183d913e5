"""What a journal says is undone from its data alone: what is wrong now, and only that."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.faults import procfs, salvage, undo
from harness.faults.guard import REVERT_LIMIT_S, _is_overdue
from harness.faults.revert import leftovers, revert_leftovers
from harness.target.identity import ProcessIdentity
from harness.target.running_state import StateFolder
from tests.harness.faults.a_target import until
from tests.harness.faults.fake_toxiproxy import FakeToxiproxy, serving

TOXIC = {"name": "run-1-latency-1", "type": "latency", "stream": "downstream", "toxicity": 1.0, "attributes": {}}


@pytest.fixture
def fake() -> Iterator[FakeToxiproxy]:
    with serving(FakeToxiproxy("a->b")) as running:
        yield running


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def remove_toxic(fake: FakeToxiproxy, toxic: str = "run-1-latency-1") -> dict[str, Any]:
    return {"kind": "remove_toxic", "url": fake.url, "proxy": "a->b", "toxic": toxic}


def restore_proxy(fake: FakeToxiproxy) -> dict[str, Any]:
    where = {"listen": "127.0.0.14:1", "upstream": "127.0.0.14:2"}
    return {"kind": "restore_proxy", "url": fake.url, "proxy": "a->b", "enabled": True, **where}


def resume(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    found = procfs.stat_of(process.pid)
    assert found is not None
    return {"kind": "resume", "service": "redis", "pid": process.pid, "start_ticks": found.start_ticks}


def a_journal(folder: Path, *undos: dict[str, Any], states: tuple[str, ...] = ("INJECTED",)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "journal.jsonl"
    path.touch()
    log = salvage.Log(path, by="runner")
    log.append({"line": "opened", "run": folder.name, "boot_id": salvage._boot_id()})
    arming: dict[str, Any] = {"state": "ARMED", "place": "a->b", "deadline_ns": None, "undo": undos}
    log.append({"line": "fault", "by": "runner", "fault": "latency-1", **arming, "probes": [], "detail": ""})
    for state in states:
        log.transition("latency-1", state)
    return path


def states_of(path: Path) -> list[str]:
    return [line["state"] for line in salvage.Log(path, by="guard").lines() if line["line"] == "fault"]


def test_a_toxic_is_removed_and_others_are_left(fake: FakeToxiproxy) -> None:
    fake.proxies["a->b"]["toxics"] = [dict(TOXIC), {**TOXIC, "name": "run-1-latency-10"}]

    assert undo.wrong_now(remove_toxic(fake)) == "toxic run-1-latency-1 is on a->b"
    undo.execute(remove_toxic(fake))

    assert undo.wrong_now(remove_toxic(fake)) == ""
    assert [toxic["name"] for toxic in fake.proxies["a->b"]["toxics"]] == ["run-1-latency-10"]


def test_a_toxic_ends_with_its_toxiproxy() -> None:
    assert undo.wrong_now({"kind": "remove_toxic", "url": "http://127.0.0.14:9", "proxy": "a", "toxic": "t"}) == ""


@pytest.mark.parametrize(("harm", "told"), [("missing", "missing"), ("disabled", "enabled=False")])
def test_a_proxy_is_restored(fake: FakeToxiproxy, harm: str, told: str) -> None:
    if harm == "missing":
        fake.proxies.clear()
    else:
        fake.proxies["a->b"]["enabled"] = False

    assert told in undo.wrong_now(restore_proxy(fake))
    undo.execute(restore_proxy(fake))

    assert undo.wrong_now(restore_proxy(fake)) == ""
    assert fake.proxies["a->b"]["listen"] == "127.0.0.14:1"


def test_a_stopped_process_goes_on_and_a_later_one_of_that_number_is_spared(child: subprocess.Popen[bytes]) -> None:
    ours, later = resume(child), {**resume(child), "start_ticks": 1}
    os.kill(child.pid, signal.SIGSTOP)
    until(lambda: undo.wrong_now(ours), "stopped")

    assert undo.wrong_now(later) == ""
    undo.execute(later)
    assert undo.wrong_now(ours) != ""
    undo.execute(ours)
    until(lambda: not undo.wrong_now(ours), "goes on")


def test_a_service_is_started_once_and_keeps_its_identity_where_the_runtime_looks(tmp_path: Path) -> None:
    identities = tmp_path / "identities.json"
    identities.write_text('{"other": {"pid": 1, "started_at": 1.0}}')
    start: dict[str, Any] = {
        "argv": ["/bin/sleep", "60.5"],
        "env": {"GAMEDAY": "1"},
        "cwd": str(tmp_path),
        "log_path": str(tmp_path / "log"),
        "identity_path": str(identities),
    }
    ended = {"kind": "start_service", "service": "redis", "host": "127.0.0.14", "port": 9, "pid": 1, "start_ticks": 1}
    data = {**ended, "start": start}

    assert undo.wrong_now(data) == "redis does not run"
    undo.execute(data)
    undo.execute(data)

    kept = json.loads(identities.read_text())
    pid = kept["redis"]["pid"]
    try:
        assert undo.wrong_now(data) == ""
        assert procfs.find_command(start) == pid
        assert set(kept) == {"other", "redis"}
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert undo.wrong_now(data) == "redis does not run"


def test_the_same_service_of_another_system_is_not_taken_for_one_that_died(tmp_path: Path) -> None:
    start: dict[str, Any] = {"argv": ["/bin/sleep", "60.25"], "cwd": str(tmp_path), "log_path": str(tmp_path / "log")}
    ended = {"kind": "start_service", "service": "web", "host": "127.0.0.14", "port": 9, "pid": 1, "start_ticks": 1}
    start_there = {**start, "env": {"HOST": "127.0.0.15"}}
    here, there = {**ended, "start": {**start, "env": {"HOST": "127.0.0.14"}}}, {**ended, "start": start_there}

    pid = procfs.launch("web", start_there)
    try:
        assert undo.wrong_now(there) == ""
        assert undo.wrong_now(here) == "web does not run"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_service_that_never_died_is_left_alone(child: subprocess.Popen[bytes]) -> None:
    start: dict[str, Any] = {"argv": ["x"], "env": {}, "cwd": "/", "log_path": "/dev/null", "identity_path": None}
    data = {**resume(child), "kind": "start_service", "host": "127.0.0.14", "port": 9, "start": start}

    assert undo.wrong_now(data) == ""


RESTORE = {
    "kind": "restore_proxy", "url": "http://h:1", "proxy": "a->b", "listen": "h:2", "upstream": "h:3", "enabled": True
}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"kind": "remove_toxic", "url": "http://h:1", "proxy": "a->b", "toxic": "t"}, "curl -X DELETE"),
        (RESTORE, """-d '{"enabled": true}' http://h:1/proxies/a-%3Eb || curl"""),
        (RESTORE, """"upstream": "h:3", "enabled": true}' http://h:1/proxies"""),
        ({"kind": "resume", "pid": 7, "start_ticks": 1}, "kill -CONT 7"),
    ],
)
def test_every_undo_can_be_typed_by_hand(data: dict[str, Any], words: str) -> None:
    assert words in undo.command(data)


def test_all_of_a_stopped_service_is_woken_by_hand() -> None:
    script = "/bin/sleep 60 & /bin/sleep 60"
    with subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True) as parent:
        try:
            until(lambda: len(procfs.family(parent.pid)) == 3, "it has its children")
            os.killpg(parent.pid, signal.SIGSTOP)
            until(lambda: len(procfs.stopped_family(parent.pid, resume(parent)["start_ticks"])) == 3, "all stand still")
            assert len(undo.command(resume(parent)).split()) == len(["kill", "-CONT", "one", "two", "three"])
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


@pytest.mark.slow
def test_what_a_dead_run_left_is_found_reverted_and_then_no_more(fake: FakeToxiproxy, tmp_path: Path) -> None:
    fake.proxies["a->b"]["toxics"] = [dict(TOXIC)]
    path = a_journal(tmp_path / "run-1", remove_toxic(fake), restore_proxy(fake))

    (left,) = leftovers(tmp_path)
    assert (left.run, left.fault, left.place, left.state) == ("run-1", "latency-1", "a->b", "INJECTED")
    assert "curl -X DELETE" in left.commands[0]
    report = revert_leftovers(tmp_path)

    assert ([one.fault for one in report.reverted], report.stuck) == (["latency-1"], ())
    assert leftovers(tmp_path) == []
    assert revert_leftovers(tmp_path).reverted == ()
    assert fake.proxies["a->b"]["toxics"] == []
    assert states_of(path) == ["ARMED", "INJECTED", "REVERTING", "REVERTED", "VERIFIED"]


@pytest.mark.slow
def test_what_cannot_be_reverted_is_stuck_and_stays_a_leftover(fake: FakeToxiproxy, tmp_path: Path) -> None:
    fake.proxies["a->b"]["toxics"] = [dict(TOXIC)]
    fake.answers = [(404, b"")] * 99
    path = a_journal(tmp_path / "run-1", remove_toxic(fake))

    report = revert_leftovers(tmp_path)

    assert ([one.fault for one in report.stuck], report.reverted) == (["latency-1"], ())
    assert states_of(path)[-1] == "STUCK"
    assert [one.fault for one in leftovers(tmp_path)] == ["latency-1"]


def test_a_fault_whose_undo_cannot_be_read_is_a_leftover_and_stuck(fake: FakeToxiproxy, tmp_path: Path) -> None:
    path = a_journal(tmp_path / "run-1", remove_toxic(fake))
    path.write_text(path.read_text().replace('"ARMED"', '"ARM', 1))

    (left,) = leftovers(tmp_path)
    assert (left.fault, left.state, left.commands) == ("latency-1", "INJECTED", ())
    assert [one.fault for one in revert_leftovers(tmp_path).stuck] == ["latency-1"]
    assert states_of(path)[-1] == "STUCK"


@pytest.mark.parametrize("damage", ['"kind": "undone_by_a_later_version"', '"kinds": "remove_toxic"'])
def test_a_journal_that_cannot_be_read_is_told_and_hides_no_other(
    fake: FakeToxiproxy, tmp_path: Path, damage: str
) -> None:
    fake.proxies["a->b"]["toxics"] = [dict(TOXIC)]
    path = a_journal(tmp_path / "run-1", remove_toxic(fake))
    path.write_text(path.read_text().replace('"kind": "remove_toxic"', damage))
    a_journal(tmp_path / "run-2", remove_toxic(fake))

    report = revert_leftovers(tmp_path)

    assert [one.run for one in report.reverted] == ["run-2"]
    (stuck,) = report.stuck
    assert (stuck.run, stuck.journal) == ("run-1", path)
    assert "cannot be read (KeyError: " in stuck.sentence()


def test_no_runs_leave_nothing(tmp_path: Path) -> None:
    assert leftovers(tmp_path) == []
    assert leftovers(tmp_path / "none") == []


def test_a_journal_whose_guard_is_alive_is_nobodys_leftover(
    fake: FakeToxiproxy, tmp_path: Path, child: subprocess.Popen[bytes]
) -> None:
    path = a_journal(tmp_path / "run-1", remove_toxic(fake))
    guard = {"line": "guard", "action": "started", "pid": child.pid, "detail": ""}
    salvage.Log(path, by="guard").append({**guard, "start_ticks": resume(child)["start_ticks"]})

    assert leftovers(tmp_path) == []
    child.kill()
    child.wait()
    assert len(leftovers(tmp_path)) == 1


def test_journals_are_found_in_the_state_folder_too(fake: FakeToxiproxy, tmp_path: Path) -> None:
    a_journal(tmp_path / "state" / "by-hand", remove_toxic(fake))

    assert len(leftovers(tmp_path / "runs", tmp_path / "state")) == 1


def test_a_target_that_has_ended_takes_its_faults_with_it(tmp_path: Path, child: subprocess.Popen[bytes]) -> None:
    start: dict[str, Any]
    start = {"argv": ["/bin/false"], "env": {}, "cwd": "/", "log_path": "/dev/null", "identity_path": None}
    dead = {"kind": "start_service", "service": "redis", "host": "127.0.0.14", "port": 9, "pid": 1, "start_ticks": 1}
    path = a_journal(tmp_path / "run-1", {**dead, "start": start})
    other = {"service": "other", "pid": child.pid, "start_ticks": resume(child)["start_ticks"]}
    salvage.Log(path, by="runner").append({"line": "snapshot", "toxiproxies": [], "services": [other]})

    assert not salvage.target_is_gone(salvage.Log(path, by="guard").lines())
    child.kill()
    child.wait()
    assert revert_leftovers(tmp_path).stuck == ()
    assert states_of(path) == ["ARMED", "INJECTED", "VERIFIED"]


def test_another_boot_has_ended_everything(tmp_path: Path) -> None:
    assert salvage.target_is_gone([{"line": "opened", "boot_id": "another"}])
    assert not salvage.target_is_gone([{"line": "opened", "boot_id": salvage._boot_id()}])
    assert not salvage.target_is_gone([])


@pytest.mark.parametrize(
    ("state", "deadline_ns", "is_overdue"),
    [
        ("ARMED", None, False),
        ("ARMED", 50, True),
        ("INJECTED", 50, True),
        ("INJECTED", 200, False),
        ("STUCK", 50, False),
        ("REVERTED", 50, False),
        ("REVERTING", 50, False),  # the runner is at it, for less than it may take
    ],
)
def test_a_fault_is_overdue_after_its_deadline_unless_it_is_being_reverted(
    state: str, deadline_ns: int | None, is_overdue: bool
) -> None:
    assert _is_overdue({"state": state, "state_at_ns": 10, "deadline_ns": deadline_ns}, 100) is is_overdue


def test_reverting_for_too_long_is_overdue_too() -> None:
    fault: dict[str, object] = {"state": "REVERTING", "state_at_ns": 10, "deadline_ns": 50}

    assert _is_overdue(fault, 11 + int(REVERT_LIMIT_S * 1e9))


def test_services_that_are_started_at_once_all_keep_their_identity(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    folder.identities_path.write_text("{}")
    names = [f"service-{number}" for number in range(20)]

    def keep(name: str) -> None:
        procfs.keep_identity(name, os.getpid(), str(folder.identities_path))
        folder.started(f"{name}-by-the-runner", ProcessIdentity(pid=1, started_at=1.0))

    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(keep, names))

    assert set(folder.identities()) == {*names, *(f"{name}-by-the-runner" for name in names)}


def test_a_starter_that_was_stopped_while_it_wrote_holds_nobody_up_for_long(tmp_path: Path) -> None:
    path = tmp_path / "identities.json"
    path.write_text("{}")
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        procfs.keep_identity("redis", os.getpid(), str(path), within_s=0.02)
    finally:
        os.close(held)

    assert json.loads(path.read_text())["redis"]["pid"] == os.getpid()


@pytest.mark.slow
def test_the_guard_needs_nothing_but_the_standard_library() -> None:
    program = (
        "import sys; sys.path.insert(0, '.'); import harness.faults.guard; "
        "print(*(name for name in sys.modules if name.split('.')[0] not in sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True, timeout=20
    )

    assert set(done.stdout.split()) - {"__main__"} == {
        "harness",
        "harness.faults",
        "harness.faults.engine_api",
        "harness.faults.guard",
        "harness.faults.probes",
        "harness.faults.procfs",
        "harness.faults.salvage",
        "harness.faults.undo",
        "harness.faults.undo_container",
    }
