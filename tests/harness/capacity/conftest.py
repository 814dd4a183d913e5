"""The command line, in this process."""

import sys
from collections.abc import Callable

import pytest
from rich.console import Console

from harness import cli

Gameday = Callable[..., tuple[int, str, str]]


@pytest.fixture
def gameday(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Gameday:
    """Runs `gameday` with arguments and gives its exit code, and what it wrote to stdout and to stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gameday", *arguments])
        monkeypatch.setattr(cli, "console", Console(width=80))  # `main` turns it to stderr when there is an error
        with pytest.raises(SystemExit) as ended:
            cli.main()
        sys.stdout.flush()
        out, err = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, out, err

    return run
