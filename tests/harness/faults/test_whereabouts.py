"""That the faults of a run which died are found, wherever it kept its record."""

from pathlib import Path

import pytest

from harness.faults import salvage
from harness.faults.revert import leftovers
from harness.faults.whereabouts import linked
from tests.harness.faults.test_undo import a_journal

UNDO = {"kind": "resume", "service": "redis", "pid": 1, "start_ticks": 1}


def test_what_a_dead_run_left_is_found_by_who_keeps_records_elsewhere(tmp_path: Path) -> None:
    def die() -> None:
        with linked(tmp_path / "state", tmp_path / "some" / "run-1"):
            a_journal(tmp_path / "some" / "run-1", UNDO)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()

    (left,) = leftovers(tmp_path / "others", tmp_path / "state")
    assert (left.run, left.journal) == ("run-1", tmp_path / "some" / "run-1" / "journal.jsonl")


def test_a_run_that_has_ended_clean_leaves_no_link(tmp_path: Path) -> None:
    with linked(tmp_path / "state", tmp_path / "run-1"):
        journal = a_journal(tmp_path / "run-1", UNDO)
        assert len(leftovers(tmp_path / "state")) == 1
        salvage.Log(journal, by="runner").transition("latency-1", "VERIFIED")

    assert leftovers(tmp_path / "state") == []
    assert [*(tmp_path / "state" / "unfinished").iterdir()] == []
