"""What docs/capacity.md shows is what the command does."""

import re
import shlex
from pathlib import Path

import pytest

from harness.capacity.inputs import Inputs
from harness.loader import load_capacity_inputs
from tests.harness.capacity.conftest import Gameday

PAGE = (Path(__file__).parents[3] / "docs" / "capacity.md").read_text()
FILES = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = re.findall(r"```\n\$ gameday (.*?)\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_first_file_names_every_input_with_its_default(tmp_path: Path) -> None:
    path = tmp_path / "inputs.yaml"
    path.write_text(FILES[0])

    assert load_capacity_inputs(path) == Inputs()
    assert all(f"  {name}: " in FILES[0] for section in Inputs.__struct_fields__ for name in names_of(section))


def names_of(section: str) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(Inputs(), section).__struct_fields__
    return names


def test_the_example_prints_what_is_shown(gameday: Gameday, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (command, shown), *others = COMMANDS
    (tmp_path / "small.yaml").write_text(FILES[1])
    monkeypatch.chdir(tmp_path)

    code, out, _ = gameday(*shlex.split(command))

    assert not others
    assert code == 0
    assert out == shown, out
