"""What the command line says of itself."""

from importlib import metadata

import pytest
from typer.testing import CliRunner

from harness.cli import app


def test_it_tells_its_version() -> None:
    told = CliRunner().invoke(app, ["--version"])

    assert (told.exit_code, told.stdout) == (0, f"gameday {metadata.version('gameday-harness')}\n")


@pytest.mark.parametrize(("words", "hint"), [(["--versoin"], "--version"), (["rum"], "run"), ([], "Usage")])
def test_what_it_does_not_understand_is_wrong_usage_with_a_hint(words: list[str], hint: str) -> None:
    told = CliRunner().invoke(app, words)

    assert told.exit_code == 2
    assert hint in told.output
