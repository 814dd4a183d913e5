"""What the command line says of itself."""

import sys
from importlib import metadata
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness import cli
from harness.cli import app
from harness.errors import ExitCode, ExperimentError
from harness.target.loopback import loopback_address
from tests.harness.loading.an_experiment import ROOT


def test_it_tells_its_version() -> None:
    told = CliRunner().invoke(app, ["--version"])

    assert (told.exit_code, told.stdout) == (0, f"gameday {metadata.version('gameday-harness')}\n")


@pytest.mark.parametrize(("words", "hint"), [(["--versoin"], "--version"), (["rum"], "run"), ([], "Usage")])
def test_what_it_does_not_understand_is_wrong_usage_with_a_hint(words: list[str], hint: str) -> None:
    told = CliRunner().invoke(app, words)

    assert told.exit_code == 2
    assert hint in told.output


@pytest.mark.parametrize("address", ["0.0.0.0", "10.1.2.3", "localhost", "::1", "x/../../../y", "127.0.0.1 ", "127.1"])
def test_nothing_is_started_where_others_could_reach_it(address: str) -> None:
    with pytest.raises(ExperimentError, match=r"no loopback address\. Expected: 127\.0\.0\.1"):
        loopback_address(address)
    for words in (["up"], ["down"], ["status"], ["run", "x.yaml"]):
        told = CliRunner().invoke(app, [*words, "--loopback", address])
        assert isinstance(told.exception, ExperimentError), words


def test_a_loopback_address_is_taken_as_it_is() -> None:
    assert [loopback_address(text) for text in ("127.0.0.1", "127.0.3.52")] == ["127.0.0.1", "127.0.3.52"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "runs/x/journal.jsonl"), "runs/x/journal.jsonl: Permission denied"),
        (OSError(28, "No space left on device"), "gameday: No space left on device"),
        (ValueError("cannot convert float NaN to integer"), "gameday itself is broken"),
    ],
)
def test_what_nobody_has_thought_of_is_no_failed_system(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(cli, "app", broken)

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 5
    assert told in capsys.readouterr().err


def test_a_plan_says_in_words_what_is_expected() -> None:
    told = CliRunner().invoke(app, ["plan", str(ROOT / "experiments" / "broken_redis.yaml"), "--short"])

    words = " ".join(told.output.split())
    assert told.exit_code == 0
    assert "expect slo: phase baseline; p99 150ms; error_ratio 1%; within 1s" in words
    assert "expect recovery: rto 15s; " in words
    assert not {"'", "(", "{"} & set(words.partition("expect ")[2]), "nothing of how Python writes it"


def test_what_the_runtime_cannot_do_is_wrong_usage_and_the_runtime_that_can_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "console", Console())
    monkeypatch.setattr(sys, "argv", ["gameday", "plan", str(ROOT / "experiments" / "crashed_database.yaml")])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == ExitCode.USAGE
    told = " ".join(capsys.readouterr().err.split())
    assert "crash-1: the processes runtime cannot crash a service; run it with --runtime docker." in told


def test_a_plan_says_how_the_rate_changes_where_it_does(tmp_path: Path) -> None:
    for folder in ("loadprofiles", "reference_system"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    text = (ROOT / "experiments" / "overload_sheds_by_priority.yaml").read_text()
    ramped = tmp_path / "experiments" / "ramped.yaml"
    ramped.parent.mkdir()
    ramped.write_text(text.replace("{shape: step, at: 0s, to: 126/s}", "{shape: ramp, at: 0s, over: 5s, to: 126/s}"))

    words = " ".join(CliRunner().invoke(app, ["plan", str(ramped), "--short"]).output.split())

    assert "18s 23s rate 84/s → 126/s" in words
    assert "78s 98s rate 84/s load" in words, "the last row, and nothing behind the rate that stays"


def test_a_plan_tells_what_users_do_instead_while_all_is_disturbed() -> None:
    told = CliRunner().invoke(app, ["plan", str(ROOT / "experiments" / "everybody_logs_in.yaml")]).output

    assert "1 shard: home 72 %, profile 26 %, login 2 %" in told.replace("\n", " ")
    assert "in disturbed instead: return_login 35 %, return_home 65 %" in told.replace("\n", " ")
