"""The target's runbook, followed on a record or on the running target."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness import gameday
from harness.commands.json_output import print_json
from harness.display.diagnosis import show_diagnosis
from harness.errors import ExitCode, ExperimentError
from harness.loader import load_target
from harness.units import Seconds

if TYPE_CHECKING:
    from harness.judging import Diagnosed  # loads the scientific libraries


def diagnose(console: Console, folder: Path, *, as_json: bool) -> ExitCode:
    from harness.judging import diagnose_run  # noqa: PLC0415 - loads the scientific libraries

    return _show_diagnosis(console, diagnose_run(folder), as_json=as_json)


def diagnose_live(
    console: Console, target: Path, loopback: str, *, watch: str, usual: Path | None, as_json: bool
) -> ExitCode:
    from harness.judging import diagnose_samples  # noqa: PLC0415 - loads the scientific libraries

    spec = load_target(target)
    try:
        for_s = Seconds.parse(watch)
    except ValueError as error:
        raise ExperimentError(f"--for: {error}") from None
    samples = gameday.watch(spec, target, loopback, for_s=for_s)
    return _show_diagnosis(console, diagnose_samples(samples, spec, for_s=for_s, usual=usual), as_json=as_json)


def _show_diagnosis(console: Console, found: "Diagnosed", *, as_json: bool) -> ExitCode:
    if as_json:
        print_json(found.findings)
    else:
        show_diagnosis(found, console)
    return ExitCode.PASS
