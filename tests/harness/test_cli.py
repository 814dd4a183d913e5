"""What the command line says of itself."""

from importlib import metadata

import pytest
from typer.testing import CliRunner

from harness.cli import app
from tests.harness.loading.an_experiment import ROOT


def test_it_tells_its_version() -> None:
    told = CliRunner().invoke(app, ["--version"])

    assert (told.exit_code, told.stdout) == (0, f"gameday {metadata.version('gameday-harness')}\n")


@pytest.mark.parametrize(("words", "hint"), [(["--versoin"], "--version"), (["rum"], "run"), ([], "Usage")])
def test_what_it_does_not_understand_is_wrong_usage_with_a_hint(words: list[str], hint: str) -> None:
    told = CliRunner().invoke(app, words)

    assert told.exit_code == 2
    assert hint in told.output


def test_a_plan_says_in_words_what_is_expected() -> None:
    told = CliRunner().invoke(app, ["plan", str(ROOT / "experiments" / "broken_redis.yaml"), "--short"])

    words = " ".join(told.output.split())
    assert told.exit_code == 0
    assert "expect slo: phase baseline; p99 150ms; error_ratio 1%; within 1s" in words
    assert "expect recovery: rto 15s; " in words
    assert not {"'", "(", "{"} & set(words.partition("expect ")[2]), "nothing of how Python writes it"
