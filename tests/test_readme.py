"""What the README shows can be done."""

import re
from pathlib import Path

from harness.gameday import make_plan

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text()


def test_the_first_experiment_of_ones_own_can_be_planned(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    text = blocks[0].replace("../reference_system", str(PROJECT / "reference_system"))
    text = text.replace("profile: twitter_day", f"profile: {PROJECT / 'loadprofiles/twitter_day.py'}")
    path = tmp_path / "slow_posts.yaml"
    path.write_text(text)

    plan = make_plan(path)

    assert [fault.id for fault in plan.faults] == ["latency-1"]
    assert plan.duration_s == 70


def test_every_file_it_points_to_exists() -> None:
    named = re.findall(r"`((?:docs|experiments)/[\w./-]+)`", README) + re.findall(r"\]\(([\w./-]+)\)", README)

    missing = [name for name in named if not (PROJECT / name).exists()]
    assert named
    assert not missing
