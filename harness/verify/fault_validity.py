"""Whether every fault was shown to bite, and to be gone: by confirmed calls and by canaries on the data path.

A fault on a region is one fault: it counts only if each of its parts was shown to bite and to be gone.
"""

from typing import Literal

from harness.record import rows
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.delivery import AGREEING_SHARE, Delivery, Part, agreeing, deliveries
from harness.verify.figures import at, say
from harness.verify.verdict import Evidence, Figure


def figures_of(run: Run) -> list[Figure]:
    found = []
    for delivery in deliveries(run):
        found.append(_untouched_before(delivery))
        if delivery.whole.is_on_region:
            found += [_all_bite(delivery), _all_gone(delivery)]
        else:
            found += [_bites(delivery.parts[0]), _gone(delivery.parts[0])]
    return found


def moments_of(run: Run) -> list[Evidence]:
    """When each fault began and ended, as its calls were recorded."""
    listed = []
    for fault in windows.fault_windows(run):
        end = "never reverted" if fault.revert_s is None else f"reverted at {at(fault.revert_s)}"
        spread = f", all of it {say(fault.spread_s, 's')} later" if fault.parts > 1 and fault.spread_s else ""
        sentence = f"{fault.fault} ({fault.kind} on {fault.attacked}) injected{spread}; {end}."
        listed.append(Evidence(at_s=fault.inject_s, until_s=fault.revert_s, sentence=sentence, source="events"))
    return listed


def _untouched_before(delivery: Delivery) -> Figure:
    readings = [reading for part in delivery.parts for reading in part.before]
    wrong = [reading for reading in readings if not reading.agrees]
    where = f"{wrong[0].path}: " if wrong and delivery.whole.is_on_region else ""
    return figures.condition(
        f"{delivery.whole.id}: path healthy before", float(len(readings) - len(wrong)), unit="readings",
        samples=len(readings), accept="all readings", holds=not wrong,
        reason=f"{where}{wrong[0].detail}" if wrong else "",
    )  # fmt: skip


# --- a fault on one link or service ---------------------------------------------------------------------------------


def _bites(part: Part) -> Figure:
    readings = part.during
    doses = [reading.dose for reading in readings if reading.dose is not None]
    unit = readings[0].dose_unit if readings and doses else "readings"
    value = sum(doses) / len(doses) if doses else float(agreeing(readings))
    wanted = next((reading.wanted_dose for reading in readings if reading.wanted_dose is not None), None)
    return figures.condition(
        f"{part.planned.id}: shown to bite", value, unit=unit, samples=len(readings),
        accept="confirmed, and seen by the canary" + ("" if wanted is None else f" ({wanted:g} {unit} wanted)"),
        holds=part.bites(share=AGREEING_SHARE), reason=_why_not(part, "injected"),
    )  # fmt: skip


def _gone(part: Part) -> Figure:
    return figures.condition(
        f"{part.planned.id}: shown to be gone", float(agreeing(part.after)), unit="readings",
        samples=len(part.after), accept="reverted, confirmed, and the last reading says so", holds=part.is_gone,
        reason=_why_not(part, "reverted"),
    )  # fmt: skip


# --- a fault on a region --------------------------------------------------------------------------------------------


def _all_bite(delivery: Delivery) -> Figure:
    """Every part confirmed and seen by its canary, and all readings together as much in agreement as any fault's."""
    shown, many = delivery.shown, len(delivery.parts)
    readings = tuple(reading for part in delivery.parts for reading in part.during)
    missing = [part for part in delivery.parts if part not in shown]
    together = agreeing(readings) >= AGREEING_SHARE * len(readings)
    reason = f"{agreeing(readings)} of {len(readings)} canary readings agree"
    if missing:
        reason = f"not shown for {delivery.names(missing)}: {_why_not(missing[0], 'injected')}"
    return figures.condition(
        f"{delivery.whole.id}: shown to bite", float(len(shown)), unit=f"of {many} {delivery.noun}",
        samples=len(readings), accept=f"all {many} {delivery.noun}, each confirmed and seen by its canary",
        holds=not missing and together, reason=reason,
    )  # fmt: skip


def _all_gone(delivery: Delivery) -> Figure:
    many = len(delivery.parts)
    left = [part for part in delivery.parts if not part.is_gone]
    reason = f"not shown for {delivery.names(left)}: {_why_not(left[0], 'reverted')}" if left else ""
    return figures.condition(
        f"{delivery.whole.id}: shown to be gone", float(many - len(left)), unit=f"of {many} {delivery.noun}",
        samples=sum(len(part.after) for part in delivery.parts),
        accept=f"all {many} {delivery.noun}, each reverted, confirmed, and its last reading says so",
        holds=not left, reason=reason,
    )  # fmt: skip


def _why_not(part: Part, done: Literal["injected", "reverted"]) -> str:
    edges = part.injects if done == "injected" else part.reverts
    readings = part.during if done == "injected" else part.after
    if not edges:
        return f"{part.planned.id} was never {done}"
    if not edges[-1].confirmed:
        return f"that {part.planned.id} was {done} was not confirmed: {edges[-1].detail or 'no detail'}"
    if not readings:
        return "no canary took a reading"
    last: rows.CanaryReading | None = next((reading for reading in reversed(readings) if not reading.agrees), None)
    detail = f": {last.detail}" if last is not None and last.detail else ""
    agree = agreeing(readings) if done == "injected" else int(readings[-1].agrees)
    return f"{agree} of {len(readings)} canary readings on {readings[0].path} agree{detail}"
