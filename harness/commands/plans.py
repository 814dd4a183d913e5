"""An experiment before it is run: its plan, and the schema of all such files."""

from pathlib import Path

from rich.console import Console

from harness import gameday
from harness.commands.json_output import print_json
from harness.display import runs as display
from harness.errors import ExitCode, ExperimentError
from harness.loading.schema import json_schema
from harness.plan import Plan


def plan_of(experiment: Path, short: bool, overrides: list[str], defect: str | None, runtime: str) -> Plan:
    return gameday.make_plan(experiment, short=short, overrides=assignments(overrides), defect=defect, runtime=runtime)


def assignments(overrides: list[str]) -> dict[str, str]:
    for text in overrides:
        if "=" not in text:
            raise ExperimentError(f'--set {text}: write it as NAME=VALUE, like "--set baseline=10s".')
    return dict(text.split("=", 1) for text in overrides)


def show_plan(console: Console, plan: Plan, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json(plan)
    else:
        display.show_plan(plan, console)
    return ExitCode.PASS


def print_schema() -> ExitCode:
    print_json(json_schema())
    return ExitCode.PASS
