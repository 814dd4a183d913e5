"""Several runs judged together, from their folders."""

import shutil
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from harness.commands import records
from harness.errors import ExitCode, ExperimentError
from harness.experiment.expectations.check import Check
from harness.experiment.expectations.failover import FailoverCheck
from harness.judging import judge_series
from harness.plan import Plan
from harness.units import Seconds, dec_hook, enc_hook
from harness.verify.failover.series import Series

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"


def _copy(into: Path, *expect: Check) -> Path:
    """The golden run, as if it had expected something else; its seal shows that it did not."""
    shutil.copytree(GOLDEN, into)
    plan = msgspec.json.decode((into / "plan.json").read_bytes(), type=Plan, dec_hook=dec_hook)
    (into / "plan.json").write_bytes(
        msgspec.json.encode(msgspec.structs.replace(plan, expect=expect), enc_hook=enc_hook)
    )
    return into


def test_runs_that_decide_nothing_prove_nothing(tmp_path: Path) -> None:
    check = FailoverCheck(cohort="us-east", rto=Seconds(15.0))
    runs = [_copy(tmp_path / "one", check), _copy(tmp_path / "two", check)]
    console = Console(record=True, width=200)

    assert judge_series(runs) == [(check, Series(in_time=0, late=0, unknown=2))]
    assert records.series(console, runs) is ExitCode.INCONCLUSIVE
    assert console.export_text() == "users of us-east: No fail-over was decided. 2 could not be decided.\n"
    assert not (tmp_path / "one" / "verdicts.json").exists()


def test_runs_without_a_fail_over_are_no_series() -> None:
    with pytest.raises(ExperimentError, match="expect no fail-over"):
        judge_series([GOLDEN])


def test_runs_that_expect_different_things_are_no_series(tmp_path: Path) -> None:
    runs = [
        _copy(tmp_path / name, FailoverCheck(cohort="us-east", rto=Seconds(rto_s)))
        for name, rto_s in (("one", 15.0), ("two", 30.0))
    ]

    with pytest.raises(ExperimentError, match=r"does not expect what .*one"):
        judge_series(runs)
