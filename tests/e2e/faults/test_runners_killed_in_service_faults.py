"""A runner that is killed in a fault of a service or a region, at each moment of its journal: soon all is as before."""

from pathlib import Path

import pytest

from harness.target.processes_target import ProcessesTarget
from tests.e2e.faults.other_runner import CRASHES, kill_one_and_expect_what_was

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize(
    ("kind", "crash"),
    [("kill", crash) for crash in ["starting", *CRASHES]]
    + [("stop", crash) for crash in ("after ARMED", "before INJECTED", "after INJECTED", "after REVERTING")]
    + [("pause", crash) for crash in ("after ARMED", "after INJECTED")]
    + [("destroy", crash) for crash in ("after ARMED", "losing", "before INJECTED", "after REVERTING")]
    + [("region_outage", crash) for crash in ("after ARMED", "after INJECTED", "after REVERTING", "before VERIFIED")],
)
def test_everything_is_as_before_after_a_runner_was_killed(
    target: ProcessesTarget, state_dir: Path, tmp_path: Path, kind: str, crash: str
) -> None:
    kill_one_and_expect_what_was(target, state_dir, tmp_path, kind, crash)
