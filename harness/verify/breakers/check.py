"""Whether circuit breakers do what they are for, and whether anything is left over of what they were open for.

When they changed is taken from the replicas' logs, how often they probed from their counters, too.
"""

from harness.experiment.expectations.breakers import BreakersCheck
from harness.record.reader import Run
from harness.verify import figures
from harness.verify.breakers import episode, leftovers, probing
from harness.verify.breakers.history import Breaker, breakers_of
from harness.verify.figures import say
from harness.verify.verdict import Evidence, Figure, Verdict


def check_breakers(run: Run, check: BreakersCheck) -> Verdict:
    name = f"breakers: {', '.join(check.dependencies) or 'nothing left over'}"
    found: list[Figure] = []
    evidence: list[Evidence] = []
    everyone: list[Breaker] = []
    for dependency in check.dependencies:
        breakers, silent = breakers_of(run, dependency)
        everyone += breakers
        if silent:
            found.append(episode.doubt(dependency, f"{', '.join(silent)} shows none"))
        found += _figures_of(run, check, dependency, breakers, evidence)
    promise = run.plan.target.promises.breakers
    if promise is not None and check.dependencies:
        found.append(probing.in_step(promise, everyone, evidence))
    found.append(leftovers.leaked(run, check, evidence))
    if check.late is not None:
        found.append(leftovers.late(run, check.late))
    return figures.verdict_of("breakers", name, found, evidence, passed=_passed(check, found))


def _figures_of(
    run: Run, check: BreakersCheck, dependency: str, breakers: list[Breaker], evidence: list[Evidence]
) -> list[Figure]:
    if not breakers:
        return [episode.doubt(dependency, "no replica shows a breaker for it")]
    episodes = episode.episodes_of(run, dependency, breakers)
    if not episodes:
        return [episode.doubt(dependency, "no fault cut it off")]
    found = [figure for each in episodes for figure in episode.figures_of(run, check, dependency, each)]
    evidence += [moment for each in episodes for moment in episode.evidence_of(each)]
    promise = run.plan.target.promises.breakers
    if promise is not None:
        found.append(probing.few(promise, dependency, breakers, run.plan.duration_s))
    return found


def _passed(check: BreakersCheck, found: list[Figure]) -> str:
    said = [f"{figure.name} {say(figure.value, figure.unit)}" for figure in found if figure.value is not None]
    begins = "Breakers opened, probed gently and closed, and nothing" if check.dependencies else "Nothing"
    return f"{begins} was left over: {'; '.join(said)}."
