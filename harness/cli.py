"""Arguments in, exit code out; no logic."""

import sys
import traceback
from importlib import metadata
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from harness.commands import capacity_plans, diagnosis, faults, plans, records, running, search, suites, targets
from harness.errors import ExitCode, GamedayError
from harness.experiment.experiment import Suite
from harness.gameday import Place
from harness.target.loopback import loopback_address
from harness.target.runtimes import Choice

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run chaos and load experiments and judge them from their record.\n\n"
    "Exit codes: 0 pass, 1 fail, 2 wrong usage, 3 inconclusive, 4 stopped and clean, 5 could not be driven, 6 unclean.",
)
console = Console()

ExperimentFile = Annotated[Path, typer.Argument(help="An experiment file.", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder.")]
Short = Annotated[bool, typer.Option("--short", help="Use the file's shorter variables.")]
Overrides = Annotated[list[str], typer.Option("--set", metavar="NAME=VALUE", help="Override a variable of the file.")]
Defect = Annotated[str | None, typer.Option(help="Start the target with a planted defect.")]
Runtime = Annotated[str, typer.Option(help="Where the target runs: processes or docker.")]
Engine = Annotated[str | None, typer.Option(help="A Docker Engine of this machine other than the usual, unix://…")]
Loopback = Annotated[
    str,
    typer.Option(
        callback=loopback_address, help="Loopback address of the target; another one for each concurrent system."
    ),
]
Runs = Annotated[Path, typer.Option(help="Folder of the records.")]
Target = Annotated[Path, typer.Option(help="The target's declaration.")]
HarnessDefect = Annotated[str | None, typer.Option(hidden=True)]

DEFAULT_RUNS = Path("runs")
DEFAULT_SEARCHES = Path("searches")
DEFAULT_TARGET = Path("reference_system/target.yaml")
LATEST = DEFAULT_RUNS / "latest"


def _show_version(asked: bool) -> None:
    if asked:
        console.print(f"gameday {metadata.version('gameday-harness')}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    del version


@app.command()
def plan(
    experiment: ExperimentFile,
    short: Short = False,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    defect: Defect = None,
    runtime: Runtime = "processes",
    as_json: Annotated[bool, typer.Option("--json", help="Print plan.json.")] = False,
) -> None:
    """Check an experiment and print what it would do."""
    _end(plans.show_plan(console, plans.plan_of(experiment, short, overrides, defect, runtime), as_json=as_json))


@app.command()
def run(
    experiment: ExperimentFile,
    short: Short = False,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    defect: Defect = None,
    runtime: Runtime = "processes",
    loopback: Loopback = "127.0.0.1",
    engine: Engine = None,
    runs: Runs = DEFAULT_RUNS,
    harness_defect: HarnessDefect = None,
) -> None:
    """Run an experiment, judge its record and write the report."""
    _end(
        running.run(
            console,
            plans.plan_of(experiment, short, overrides, defect, runtime),
            place=Place(runs=runs, loopback=loopback, engine=engine),
            harness_defect=harness_defect,
        )
    )


@app.command()
def suite(
    name: Annotated[Suite, typer.Argument(help="Which suite.", show_default=False)],
    runtime: Runtime = "processes",
    loopback: Loopback = "127.0.0.1",
    engine: Engine = None,
    runs: Runs = DEFAULT_RUNS,
    experiments: Annotated[Path, typer.Option(help="Folder of the experiments.")] = Path("experiments"),
) -> None:
    """Run all experiments of a suite in their short form, one after the other; the worst exit code is its own."""
    place = Place(runs=runs, loopback=loopback, engine=engine)
    _end(suites.suite(console, name, folder=experiments, runtime=runtime, place=place))


@app.command()
def knee(
    experiment: ExperimentFile,
    within: Annotated[str, typer.Option(metavar="LOW..HIGH", help="Between which arrival rates, e.g. 100/s..400/s.")],
    judged_by: Annotated[str, typer.Option(help="By which expectation: slo or recovery.")] = "slo",
    phase: Annotated[str, typer.Option(help="The phase whose slo counts, and that is measured.")] = "baseline",
    capacity: Annotated[
        str | None, typer.Option(metavar="RATE", help="What the target is known to do: the answer as a share of it.")
    ] = None,
    resolution: Annotated[str, typer.Option(help="How narrow the answer has to be, as a share of it.")] = "2%",
    at_most: Annotated[int, typer.Option(help="Runs, at most.")] = 16,
    short: Short = False,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    defect: Defect = None,
    runtime: Runtime = "processes",
    loopback: Loopback = "127.0.0.1",
    engine: Engine = None,
    runs: Runs = DEFAULT_RUNS,
    searches: Annotated[Path, typer.Option(help="Folder of the results of searches.")] = DEFAULT_SEARCHES,
) -> None:
    """Find the highest arrival rate at which an experiment's expectation still holds, by running it again and again."""
    _end(
        search.knee(
            console,
            experiment,
            short=short,
            overrides=overrides,
            defect=defect,
            search=search.search_of(within, resolution=resolution, at_most=at_most),
            judged_by=judged_by,
            phase=phase,
            capacity=capacity,
            place=Place(runs=runs, loopback=loopback, engine=engine),
            runtime=runtime,
            searches=searches,
        )
    )


@app.command()
def judge(run_folder: RunFolder = LATEST) -> None:
    """Judge a record again and write its reports."""
    _end(records.judge(console, run_folder))


@app.command()
def report(run_folder: RunFolder = LATEST) -> None:
    """Write a judged run's reports again."""
    _end(records.report(console, run_folder))


@app.command("post-mortem")
def post_mortem(run_folder: RunFolder = LATEST) -> None:
    """Print the beginnings of a post-mortem: what the record knows, as Markdown, and what is left to people."""
    _end(records.post_mortem(console, run_folder))


@app.command()
def selftest(
    run_folder: Annotated[
        Path | None, typer.Argument(help="A run's folder; without one a small history of our own.", show_default=False)
    ] = None,
) -> None:
    """Break a history in every way that a consistency check has to notice, and show which one did."""
    _end(records.selftest(console, run_folder))


@app.command()
def revert(target: Target = DEFAULT_TARGET, runs: Runs = DEFAULT_RUNS) -> None:
    """Undo whatever dead runs left behind: the panic button."""
    _end(faults.revert(console, target, runs))


@app.command("runs")
def list_runs(runs: Runs = DEFAULT_RUNS) -> None:
    """List the records."""
    _end(records.list_runs(console, runs))


@app.command()
def series(
    run_folders: Annotated[list[Path], typer.Argument(help="Folders of runs of one experiment.", show_default=False)],
) -> None:
    """Say what several runs of one experiment prove together about its fail-overs."""
    _end(records.series(console, run_folders))


@app.command()
def up(
    target: Target = DEFAULT_TARGET,
    runtime: Runtime = "processes",
    loopback: Loopback = "127.0.0.1",
    engine: Engine = None,
    defect: Defect = None,
) -> None:
    """Start the target alone."""
    choice = Choice(runtime=runtime, loopback=loopback, engine=engine)
    _end(targets.up(console, target, choice=choice, defect=defect))


@app.command()
def down(target: Target = DEFAULT_TARGET, loopback: Loopback = "127.0.0.1") -> None:
    """Stop the target."""
    _end(targets.down(console, target, loopback))


@app.command()
def status(target: Target = DEFAULT_TARGET, loopback: Loopback = "127.0.0.1", runs: Runs = DEFAULT_RUNS) -> None:
    """Show the target's services and levels, and whether every fault is reverted."""
    _end(targets.status(console, target, loopback, runs))


@app.command()
def inject(
    fault: Annotated[
        str, typer.Argument(help="A fault as in an experiment, e.g. '{kind: pause, service: us-east-api-1}'.")
    ],
    lasts: Annotated[str, typer.Option(help="How long, with its unit.")] = "10s",
    target: Target = DEFAULT_TARGET,
    loopback: Loopback = "127.0.0.1",
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Inject one fault by hand into a running target, and revert it."""
    _end(faults.inject(console, fault, lasts=lasts, target=target, loopback=loopback, runs=runs))


@app.command()
def diagnose(
    run_folder: Annotated[
        Path | None,
        typer.Argument(
            help="A run's folder, the latest one if left out. With --live: what is usual.", show_default=False
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Watch the running target instead of reading a record.")] = False,
    watch: Annotated[str, typer.Option("--for", help="How long to watch, with its unit.")] = "15s",
    target: Target = DEFAULT_TARGET,
    loopback: Loopback = "127.0.0.1",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Follow the target's runbook from symptoms to causes, on a record or on the running target."""
    if live:
        _end(diagnosis.diagnose_live(console, target, loopback, watch=watch, usual=run_folder, as_json=as_json))
    _end(diagnosis.diagnose(console, run_folder or LATEST, as_json=as_json))


@app.command()
def capacity(
    inputs: Annotated[Path | None, typer.Option(metavar="FILE", help="Inputs in place of the defaults.")] = None,
    years: Annotated[int, typer.Option(help="Years to come, with growth; a row each.")] = 0,
    rps_per_server: Annotated[
        str | None, typer.Option(metavar="RATE", help="What one API server does, e.g. 1234/s, instead of the assumed.")
    ] = None,
    measured: Annotated[
        Path | None, typer.Option(metavar="KNEE.JSON", help="The same, as `gameday knee` has measured it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan with all its inputs as JSON.")] = False,
) -> None:
    """Say how many servers, cache nodes and terabytes so many users need."""
    _end(
        capacity_plans.capacity(
            console, inputs, years=years, rps_per_server=rps_per_server, measured=measured, as_json=as_json
        )
    )


@app.command()
def schema() -> None:
    """Print the JSON Schema of experiment files, for editors."""
    _end(plans.print_schema())


def _end(code: ExitCode) -> None:
    raise typer.Exit(int(code))


def main() -> None:
    """The console script: every error a person can meet becomes one message and its exit code. What nobody has thought
    of is never taken for a system that failed."""
    try:
        app()
    except GamedayError as error:
        _report(str(error), error.exit_code)
    except OSError as error:
        _report(f"{error.filename or 'gameday'}: {error.strerror or error}", ExitCode.BROKEN)
    except Exception:
        traceback.print_exc()
        _report("gameday itself is broken: the lines above say where.", ExitCode.BROKEN)


def _report(sentence: str, code: ExitCode) -> NoReturn:
    Console(stderr=True).print(f"[red]error:[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    sys.exit(int(code))


if __name__ == "__main__":
    main()
