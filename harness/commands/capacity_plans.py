"""How many servers, cache nodes and terabytes so many users need."""

from pathlib import Path

from rich.console import Console

from harness.capacity.inputs import Inputs, TimelineApiInputs, why_out_of_range
from harness.capacity.plan import MAX_YEARS
from harness.capacity.plan import plan as capacity_plan
from harness.capacity.timeline_api import ServerRate
from harness.commands.json_output import print_json
from harness.display.capacity import show_capacity
from harness.errors import ExitCode, ExperimentError
from harness.loader import load_capacity_inputs
from harness.search.bisection import Ending, standing
from harness.search.knee import read_knee
from harness.units import PerSecond


def capacity(
    console: Console,
    inputs: Path | None,
    *,
    years: int,
    rps_per_server: str | None,
    measured: Path | None,
    as_json: bool,
) -> ExitCode:
    if not 0 <= years <= MAX_YEARS:
        raise ExperimentError(f"--years {years}: must be from 0 to {MAX_YEARS}.")
    if measured is not None and rps_per_server is not None:
        raise ExperimentError("--measured and --rps-per-server both say what a server does. Give one of them.")
    server = None if rps_per_server is None else _server_rate(rps_per_server)
    server = server if measured is None else _measured(measured)
    plan = capacity_plan(Inputs() if inputs is None else load_capacity_inputs(inputs), years=years, server=server)
    if as_json:
        print_json(plan)
    else:
        show_capacity(plan, console)
    return ExitCode.PASS


def _measured(path: Path) -> ServerRate:
    """The rate of a replica from a search for the knee of latency and errors; ExperimentError where it is none."""
    knee = read_knee(path)
    if knee.subject.judged_by != "slo":
        raise ExperimentError(
            f"{path}: was searched by {knee.subject.judged_by}. A server's capacity is how much it serves in time: "
            "search by slo."
        )
    if knee.subject.defect is not None:
        raise ExperimentError(f"{path}: was searched with the defect {knee.subject.defect}, which is no server's rate.")
    if knee.ending is not Ending.FOUND or knee.per_replica is None:
        raise ExperimentError(f"{path}: knows no server's rate. {knee.sentence}")
    wrong = why_out_of_range(TimelineApiInputs, "rps_per_server", knee.per_replica)
    if wrong:
        raise ExperimentError(f"{path}: {knee.per_replica} a replica: {wrong}.")
    source = f"measured by {knee.subject.experiment} on {knee.subject.target}, {', '.join(knee.subject.objectives)}"
    if not standing([point.trial for point in knee.points]).confirmed:
        source += "; no second run has confirmed it"
    return ServerRate(rps=knee.per_replica, source=source)


def _server_rate(text: str) -> ServerRate:
    try:
        rps = PerSecond.parse(text)
    except ValueError as error:
        raise ExperimentError(f"--rps-per-server: {error}.") from None
    wrong = why_out_of_range(TimelineApiInputs, "rps_per_server", rps)
    if wrong:
        raise ExperimentError(f"--rps-per-server {text}: {wrong}.")
    return ServerRate(rps=rps, source="given with --rps-per-server")
