"""The sentences at the top: what happened, why one may believe it or not, and what has to be done now.

They repeat what the verdicts say and what the record shows; nothing is judged here.
"""

from harness.record import rows
from harness.record.reader import Run
from harness.report import story, wording
from harness.report.counts import Slice
from harness.report.story import FaultStory
from harness.verify.verdict import Outcome, Verdict, Verdicts

MOST_CHARACTERS = 220  # of one verdict's sentence at the top of the page


def happened(run: Run, verdicts: Verdicts) -> str:
    """What happened, in a sentence or two: the end of the run where it was not the planned one, then the worst."""
    said = [_ending(run, verdicts), _worst(verdicts)]
    return " ".join(sentence for sentence in said if sentence)


def _ending(run: Run, verdicts: Verdicts) -> str:
    at = wording.moment(story.reached_s(run))
    stop = story.stopped(run)
    if stop is not None:
        by = {"operator": "the operator", "stop_condition": "a stop condition", "error": "an error"}[stop.by]
        return f"Stopped at {at} by {by}: {_sentence(stop.reason)}"
    if story.ended(run) is None:
        return f"The run died: its record ends at {at} of {wording.moment(run.plan.duration_s)}."
    return "" if not verdicts.stopped else f"Stopped at {at}."


def _worst(verdicts: Verdicts) -> str:
    expectations = [verdict for verdict in verdicts.verdicts if verdict.check != "validity"]
    failed = [verdict for verdict in expectations if verdict.outcome is Outcome.FAIL]
    undecided = [verdict for verdict in expectations if verdict.outcome is Outcome.INCONCLUSIVE]
    many = wording.plural(len(expectations), "expectation")
    validity = _validity(verdicts)
    if failed:
        return f"{len(failed)} of {many} broke: {_named(failed[0])}"
    if validity is not None and validity.outcome is not Outcome.PASS:
        return "The run does not count, so nothing is decided."
    if undecided:
        return f"Nothing was seen to break, but {len(undecided)} of {many} could not be decided: {_named(undecided[0])}"
    if not expectations:
        return "Nothing was judged."
    return "The one expectation held." if len(expectations) == 1 else f"All {many} held."


def _named(verdict: Verdict) -> str:
    return f"{_sentence(verdict.name)} {_short(verdict.sentence)}"


def _short(text: str) -> str:
    """What fits at the top, with a capital; the whole stands with its verdict."""
    text = _sentence(text[:1].upper() + text[1:])
    if len(text) <= MOST_CHARACTERS:
        return text
    return text[: text.rfind(" ", 0, MOST_CHARACTERS)].rstrip(",;: ") + " …"


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def _validity(verdicts: Verdicts) -> Verdict | None:
    return next((verdict for verdict in verdicts.verdicts if verdict.check == "validity"), None)


def trusted(run: Run, verdicts: Verdicts) -> bool:
    validity = _validity(verdicts)
    valid = validity is not None and validity.outcome is Outcome.PASS
    return valid and run.sealed and not run.damage and verdicts.clean


def trust(run: Run, verdicts: Verdicts, whole: Slice, faults: tuple[FaultStory, ...]) -> str:
    """Why one may believe this, or why not; facts of the record, not praise."""
    validity = _validity(verdicts)
    if not trusted(run, verdicts):
        return f"Do not rely on it: {_distrust(run, verdicts, validity)}"
    facts = [
        "the record is sealed and undamaged",
        f"{wording.count(whole.offered)} requests were offered and each is accounted for",
    ]
    lag_s = max((event.lag_s_p99 for event in run.events if isinstance(event, rows.ShardHealth)), default=None)
    if lag_s is not None:
        late = wording.duration(lag_s)
        facts.append(f"even in its worst second the generator sent 99 % of its requests at most {late} late")
    if faults:
        bitten = sum(fault.inject.confirmed and fault.revert.confirmed for fault in faults)
        facts.append(f"{bitten} of {wording.plural(len(faults), 'fault')} shown to bite and to be gone after")
    return "Why trust it: " + "; ".join(facts) + "."


def _distrust(run: Run, verdicts: Verdicts, validity: Verdict | None) -> str:
    if not verdicts.clean:
        return "a fault could not be shown to be reverted."
    if run.damage:
        return _sentence(run.damage[0])
    if not run.sealed:
        return "the record was never sealed."
    if validity is None:
        return "the validity of the run was not judged."
    return _short(validity.sentence)


def told(fault: FaultStory) -> str:
    """A fault in one line: what, where, when, and how much of it arrived."""
    what = f"{fault.id} ({fault.kind} on {fault.where}{', ' + fault.settings if fault.settings else ''})"
    if fault.inject.asked_s is None:
        return f"{what}: never injected."
    until_s = fault.revert.done_s if fault.revert.confirmed else None
    end = "" if until_s is not None else f", not shown to be reverted{_which(fault)}"
    dose = wording.quantity(fault.dose, fault.dose_unit)
    wanted = wording.quantity(fault.wanted_dose, fault.dose_unit)
    arrived = fault.delivered or (f"dose {dose} of {wanted}" if fault.dose is not None else "no dose measured")
    return f"{what}: {wording.span(fault.inject.asked_s, until_s)}{end}; {arrived}."


def _which(fault: FaultStory) -> str:
    """The parts of a fault that are not shown to be reverted, where it has parts."""
    return f" ({fault.not_reverted})" if fault.not_reverted else ""


def warnings(run: Run, verdicts: Verdicts, faults: tuple[FaultStory, ...]) -> tuple[str, ...]:
    said = list(run.damage)
    if not run.sealed and not run.damage:
        said.append("The record was never sealed: it is read up to its last flush.")
    if not verdicts.clean:
        left = [fault for fault in faults if fault.inject.asked_s is not None and not fault.revert.confirmed]
        names = ", ".join(f"{fault.id}{_which(fault)}" for fault in left) or "see the journal"
        said.append(f"Not shown to be reverted: {names}. Run: gameday revert. Until then no run will start.")
    if run.plan.defect:
        said.append(f'The target ran with the planted defect "{run.plan.defect}".')
    if run.environment.harness_defect:
        said.append(f'The harness ran with the planted defect "{run.environment.harness_defect}".')
    return tuple(said)
