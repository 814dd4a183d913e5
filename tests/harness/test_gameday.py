"""What only shows when an experiment and its profile are put together."""

from pathlib import Path

import pytest

from harness.errors import ExperimentError
from harness.gameday import make_plan

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_final_reads_need_operations_that_do_them(tmp_path: Path) -> None:
    text = (EXPERIMENTS / "steady_state.yaml").read_text()
    text = text.replace("../reference_system", str(EXPERIMENTS.parent / "reference_system"))
    text = text.replace("twitter_day", str(EXPERIMENTS.parent / "loadprofiles" / "twitter_day.py"))
    path = tmp_path / "steady.yaml"
    path.write_text(text.replace("phases: {", "phases: {final_reads: 5s, "))
    line = 1 + next(number for number, one in enumerate(text.splitlines()) if one.startswith("phases:"))

    with pytest.raises(
        ExperimentError, match=rf"steady\.yaml:{line}, \$\.phases\.final_reads: twitter_day\.py has no op"
    ):
        make_plan(path)
