"""The journal survives what a dying machine does to it."""

import json
from pathlib import Path

import pytest

from harness.errors import FaultError
from harness.faults import salvage
from harness.faults.journal import (
    Entry,
    GuardLine,
    Journal,
    Opened,
    RemoveToxic,
    State,
    last_states,
    read_journal,
)

UNDO = RemoveToxic(url="http://127.0.0.14:1", proxy="a->b", toxic="run-1-latency-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_what_was_written_reads_back_and_says_whose_it_is(path: Path) -> None:
    journal = Journal(path, run="run-1")
    journal.transition("latency-1", State.ARMED, place="a->b", deadline_ns=7, undo=(UNDO,))
    journal.close()

    opened, armed = read_journal(path)

    assert isinstance(opened, Opened)
    assert opened.run == "run-1"
    assert isinstance(armed, Entry)
    assert (armed.fault, armed.state, armed.undo, armed.by) == ("latency-1", State.ARMED, (UNDO,), "runner")


def test_a_journal_is_named_after_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "2026-run"
    folder.mkdir()

    assert Journal(folder / "journal.jsonl").run == "2026-run"


@pytest.mark.parametrize("cut", range(2, 60, 7))
def test_a_half_written_last_line_is_skipped_and_the_next_writer_begins_a_line(path: Path, cut: int) -> None:
    journal = Journal(path, run="run-1")
    journal.transition("latency-1", State.PLANNED)
    whole = len(read_journal(path))
    journal.transition("latency-1", State.ARMED, undo=(UNDO,))
    path.write_bytes(path.read_bytes()[:-cut])

    assert len(read_journal(path)) == whole
    assert salvage.open_faults(salvage.Log(path, by="guard").lines()) == {}
    journal.transition("latency-1", State.ARMED, undo=(UNDO,))
    assert last_states(read_journal(path))["latency-1"].state is State.ARMED
    assert set(salvage.open_faults(salvage.Log(path, by="guard").lines())) == {"latency-1"}


def test_the_guards_lines_are_lines_of_the_journal(path: Path) -> None:
    journal = Journal(path, run="run-1")
    journal.transition("latency-1", State.ARMED, undo=(UNDO,))
    guard = salvage.Log(path, by="guard")
    guard.transition("latency-1", "REVERTING")
    guard.append({"line": "guard", "action": "taken_over", "pid": 1, "start_ticks": 2, "detail": "the runner died"})

    lines = journal.lines()

    assert last_states(lines)["latency-1"].state is State.REVERTING
    assert isinstance(lines[-1], GuardLine)
    assert journal.taken_over() == "the runner died"


def test_nobody_has_taken_over_at_first(path: Path) -> None:
    assert Journal(path).taken_over() is None


def test_a_full_disk_is_an_error_and_not_a_silent_gap() -> None:
    with pytest.raises(FaultError, match="cannot be written"):
        Journal(Path("/dev/full")).transition("latency-1", State.ARMED)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="cannot be opened"):
        Journal(tmp_path / "none" / "journal.jsonl")


@pytest.mark.parametrize(
    ("states", "is_open"),
    [
        ([], False),
        (["PLANNED"], False),
        (["PLANNED", "ARMED"], True),
        (["PLANNED", "ARMED", "INJECTED"], True),
        (["PLANNED", "ARMED", "INJECTED", "REVERTING"], True),
        (["PLANNED", "ARMED", "INJECTED", "REVERTING", "REVERTED"], True),
        (["PLANNED", "ARMED", "INJECTED", "REVERTING", "REVERTED", "VERIFIED"], False),
        (["PLANNED", "ARMED", "INJECTED", "REVERTING", "STUCK"], True),
        (["PLANNED", "ARMED", "INJECTED", "REVERTING", "STUCK", "VERIFIED"], False),
    ],
)
def test_a_fault_is_open_from_armed_until_verified(path: Path, states: list[str], is_open: bool) -> None:
    journal = Journal(path)
    for state in states:
        journal.transition("latency-1", State(state), undo=(UNDO,) if state == "ARMED" else ())

    assert bool(salvage.open_faults(salvage.Log(path, by="guard").lines())) is is_open


def test_a_journal_can_only_be_read_by_its_owner_because_environments_hold_secrets(path: Path) -> None:
    Journal(path)

    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text())["line"] == "opened"
