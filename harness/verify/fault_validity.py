"""Whether every fault was shown to bite, and to be gone: by confirmed calls and by canaries on the data path."""

from harness.experiment import MomentaryFault
from harness.plan import PlannedFault
from harness.record import rows
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.figures import at
from harness.verify.verdict import Evidence, Figure

# Of the readings during a fault: one probe may meet a connection that the fault does not touch, or a busy machine.
AGREEING_SHARE = 0.9


def figures_of(run: Run) -> list[Figure]:
    found = []
    for planned in run.plan.faults:
        found += [_untouched_before(run, planned), _bites(run, planned), _gone(run, planned)]
    return found


def moments_of(run: Run) -> list[Evidence]:
    """When each fault began and ended, as its calls were recorded."""
    listed = []
    for fault in windows.fault_windows(run):
        end = "never reverted" if fault.revert_s is None else f"reverted at {at(fault.revert_s)}"
        sentence = f"{fault.fault} ({fault.kind} on {fault.attacked}) injected; {end}."
        listed.append(Evidence(at_s=fault.inject_s, until_s=fault.revert_s, sentence=sentence, source="events"))
    return listed


def _untouched_before(run: Run, planned: PlannedFault) -> Figure:
    readings = _readings(run, planned, "before")
    wrong = [reading for reading in readings if not reading.agrees]
    return figures.condition(
        f"{planned.id}: path healthy before", float(len(readings) - len(wrong)), unit="readings", samples=len(readings),
        accept="all readings", holds=not wrong, reason=wrong[0].detail if wrong else "",
    )  # fmt: skip


def _bites(run: Run, planned: PlannedFault) -> Figure:
    readings = _readings(run, planned, "during")
    agreeing = sum(reading.agrees for reading in readings)
    doses = [reading.dose for reading in readings if reading.dose is not None]
    unit = readings[0].dose_unit if readings and doses else "readings"
    value = sum(doses) / len(doses) if doses else float(agreeing)
    wanted = next((reading.wanted_dose for reading in readings if reading.wanted_dose is not None), None)
    shown = bool(readings) and agreeing >= AGREEING_SHARE * len(readings)
    # A restart is over when it is done: there is no "during" that a probe could meet.
    holds = _confirmed(run, planned, "inject") and (
        shown or (isinstance(planned.fault, MomentaryFault) and not readings)
    )
    return figures.condition(
        f"{planned.id}: shown to bite", value, unit=unit, samples=len(readings),
        accept="confirmed, and seen by the canary" + ("" if wanted is None else f" ({wanted:g} {unit} wanted)"),
        holds=holds, reason=_why_not(run, planned, "inject", readings, agreeing),
    )  # fmt: skip


def _gone(run: Run, planned: PlannedFault) -> Figure:
    readings = _readings(run, planned, "after")
    agrees = bool(readings) and readings[-1].agrees
    reverted = _confirmed(run, planned, "revert")
    if isinstance(planned.fault, MomentaryFault) and not _edges(run, planned, "revert"):
        reverted = _confirmed(run, planned, "inject")
        agrees = agrees or not readings
    return figures.condition(
        f"{planned.id}: shown to be gone", float(sum(reading.agrees for reading in readings)), unit="readings",
        samples=len(readings), accept="reverted, confirmed, and the last reading says so", holds=reverted and agrees,
        reason=_why_not(run, planned, "revert", readings, int(agrees)),
    )  # fmt: skip


def _why_not(run: Run, planned: PlannedFault, action: str, readings: list[rows.CanaryReading], agreeing: int) -> str:
    done = "injected" if action == "inject" else "reverted"
    edges = _edges(run, planned, action)
    if not edges:
        return f"{planned.id} was never {done}"
    if not edges[-1].confirmed:
        return f"that {planned.id} was {done} was not confirmed: {edges[-1].detail or 'no detail'}"
    if not readings:
        return "no canary took a reading"
    dissenting = [reading for reading in readings if not reading.agrees]
    detail = f": {dissenting[-1].detail}" if dissenting and dissenting[-1].detail else ""
    return f"{agreeing} of {len(readings)} canary readings on {readings[0].path} agree{detail}"


def _edges(run: Run, planned: PlannedFault, action: str) -> list[rows.FaultEdge]:
    return [
        edge for edge in windows.events_of(run, rows.FaultEdge) if edge.fault == planned.id and edge.action == action
    ]


def _confirmed(run: Run, planned: PlannedFault, action: str) -> bool:
    edges = _edges(run, planned, action)
    return bool(edges) and edges[-1].confirmed


def _readings(run: Run, planned: PlannedFault, stage: str) -> list[rows.CanaryReading]:
    return [
        reading
        for reading in windows.events_of(run, rows.CanaryReading)
        if reading.fault == planned.id and reading.stage == stage
    ]
