"""What only shows when an experiment and its profile are put together."""

from pathlib import Path

import pytest

from harness.errors import ExperimentError
from harness.gameday import make_plan

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def steady(target: Path = EXPERIMENTS.parent / "reference_system") -> str:
    """An experiment of the repository, to be written elsewhere."""
    text = (EXPERIMENTS / "steady_state.yaml").read_text().replace("../reference_system", str(target))
    return text.replace("twitter_day", str(EXPERIMENTS.parent / "loadprofiles" / "twitter_day.py"))


def test_final_reads_need_operations_that_do_them(tmp_path: Path) -> None:
    text = steady()
    path = tmp_path / "steady.yaml"
    path.write_text(text.replace("phases: {", "phases: {final_reads: 5s, "))
    line = 1 + next(number for number, one in enumerate(text.splitlines()) if one.startswith("phases:"))

    with pytest.raises(
        ExperimentError, match=rf"steady\.yaml:{line}, \$\.phases\.final_reads: twitter_day\.py has no op"
    ):
        make_plan(path)


def test_what_a_check_says_of_an_operation_that_nobody_does_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "steady.yaml"
    text = steady(Path(__file__).parent / "files").replace("one_region.yaml", "target.yaml")
    path.write_text(text + "  - {check: caching, still_shown: {posts: 0s}}\n")

    with pytest.raises(ExperimentError, match=r"still_shown\.posts: .posts. is not an operation of twitter_day\.py"):
        make_plan(path)


def test_an_experiment_that_is_about_a_defect_starts_the_target_with_it() -> None:
    path = EXPERIMENTS / "a_leaking_replica.yaml"

    assert make_plan(path).defect == "leaks_connections"
    assert make_plan(path, defect="leaks_connections").defect == "leaks_connections"
    with pytest.raises(ExperimentError, match=r'"no_banner" cannot be planted as well: .* the defect "leaks_conn'):
        make_plan(path, defect="no_banner")
    assert make_plan(EXPERIMENTS / "steady_state.yaml", defect="no_banner").defect == "no_banner"
