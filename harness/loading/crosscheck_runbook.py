"""What types alone cannot say of a runbook: names that exist, bounds that bound, steps that end at a cause.

Pure, as `crosscheck.py` is.
"""

from collections.abc import Iterator, Mapping

from harness.experiment.expectations.diagnosis import DiagnosisCheck
from harness.experiment.experiment import Experiment
from harness.loading.crosscheck_regions import Mistake
from harness.loading.mistakes import did_you_mean, shortened
from harness.loading.yaml_file import Where
from harness.target.runbook import QuotientSignal, Runbook, Step, Symptom
from harness.target.target import TargetSpec

BOUNDS = ("above", "below", "rises_to", "falls_to")


def runbook_mistakes(target: TargetSpec) -> Iterator[Mistake]:
    runbook = target.runbook
    if runbook is None:
        return
    yield from _signals(runbook, {service.role for service in target.services.values()})
    for name, symptom in runbook.symptoms.items():
        where: Where = ("runbook", "symptoms", name)
        yield from _bounds(symptom, where, runbook)
        for step_name, step in symptom.steps.items():
            yield from _bounds(step, (*where, "steps", step_name), runbook)
        yield from _ways(symptom, where)


def diagnosis_mistakes(
    check: DiagnosisCheck, where: Where, experiment: Experiment, target: TargetSpec
) -> Iterator[Mistake]:
    del experiment
    if target.runbook is None:
        yield where, f"{target.name} has no runbook, so there is nothing to follow.", ""
        return
    symptoms = target.runbook.symptoms
    if (check.symptom is None) != (check.cause is None):
        yield where, "a symptom and its cause belong together.", "Leave both out where no symptom may show."
    named: list[tuple[Where, str]] = [((*where, "may_show", n), word) for n, word in enumerate(check.may_show)]
    if check.symptom is not None:
        named.append(((*where, "symptom"), check.symptom))
    for place, word in named:
        if word not in symptoms:
            yield place, f"{shortened(word)} is not a symptom of {target.name}.", did_you_mean(word, symptoms)
    symptom = symptoms.get(check.symptom or "")
    if symptom is not None and check.cause is not None and check.cause not in symptom.causes:
        sentence = f"{shortened(check.cause)} is not a cause of {check.symptom}."
        yield (*where, "cause"), sentence, did_you_mean(check.cause, symptom.causes)


def _signals(runbook: Runbook, roles: set[str]) -> Iterator[Mistake]:
    measured = [name for name, signal in runbook.signals.items() if not isinstance(signal, QuotientSignal)]
    for name, signal in runbook.signals.items():
        where: Where = ("runbook", "signals", name)
        if isinstance(signal, QuotientSignal):
            for key in ("of", "by"):
                word = getattr(signal, key)
                if word not in measured:
                    sentence = f"{shortened(word)} is neither a gauge nor a rate, nor a quotient that is written above."
                    yield (*where, key), sentence, did_you_mean(word, measured)
            measured.append(name)
        elif signal.role is not None and signal.role not in roles:
            yield (
                (*where, "role"),
                f"no service has the role {shortened(signal.role)}.",
                did_you_mean(signal.role, roles),
            )


def _bounds(bounded: Step | Symptom, where: Where, runbook: Runbook) -> Iterator[Mistake]:
    if bounded.signal not in runbook.signals:
        sentence = f"{shortened(bounded.signal)} is not one of the signals."
        yield (*where, "signal"), sentence, did_you_mean(bounded.signal, runbook.signals)
    if all(getattr(bounded, key) is None for key in BOUNDS):
        yield where, "has no bound.", f"Known: {', '.join(sorted(BOUNDS))}."


def _ways(symptom: Symptom, where: Where) -> Iterator[Mistake]:
    """Every way from the first step on ends at a cause, and nothing is written that no way leads to."""
    for both in symptom.steps.keys() & symptom.causes.keys():
        yield (*where, "steps", both), f"{shortened(both)} is a cause, too.", "A step and a cause need different names."
    known = {**symptom.steps, **symptom.causes}
    ends: list[tuple[Where, str]] = [((*where, "first"), symptom.first)]
    for name, step in symptom.steps.items():
        ends += [((*where, "steps", name, key), getattr(step, key)) for key in ("then", "otherwise")]
    wrong = [(place, word) for place, word in ends if word not in known]
    for place, word in wrong:
        yield place, f"{shortened(word)} is neither a step nor a cause.", did_you_mean(word, known)
    if wrong:
        return
    reached: set[str] = set()
    circle = _circle(symptom.steps, symptom.first, (), reached)
    if circle:
        yield (*where, "steps", circle[0]), f"leads back to itself: {' → '.join(circle)}.", ""
        return
    for kind, names in (("steps", symptom.steps), ("causes", symptom.causes)):
        for name in names:
            if name not in reached:
                yield (*where, kind, name), "no step leads to it.", ""


def _circle(steps: Mapping[str, Step], place: str, way: tuple[str, ...], reached: set[str]) -> tuple[str, ...]:
    """The first way found that comes back to where it has been, or nothing; notes all that is reached."""
    if place in way:
        return (*way[way.index(place) :], place)
    reached.add(place)
    step = steps.get(place)
    if step is None:
        return ()
    return _circle(steps, step.then, (*way, place), reached) or _circle(steps, step.otherwise, (*way, place), reached)
