"""Whether caches had what they promise to have and nothing else, were never too old, made things once, and showed
nothing that was gone.

Each of these is a file of this folder. Hit ratios, builds and commands are by the target's own counters, ages and
layers by its answers; what pages showed is by their content alone.
"""

from harness.experiment.expectations.caching import CachingCheck
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.caching import ages, at_once, commands, hit_ratio, keepers, stampede, taken_away
from harness.verify.caching.emptied import after_emptying
from harness.verify.figures import say
from harness.verify.verdict import Evidence, Figure, Verdict


def check_caching(run: Run, check: CachingCheck) -> Verdict:
    promise = run.plan.target.promises.caching
    if promise is None:
        nothing = figures.unknown("caches", unit="", accept="some", reason="the target promises nothing of them")
        return figures.verdict_of("caching", name_of(check), [nothing], passed="")
    evidence: list[Evidence] = []
    found: list[Figure] = []
    window = windows.phase_window(run.plan, check.phase)
    if window is not None:
        found += hit_ratio.figures_of(run, [one for one in promise.layers if one.layer in check.layers], window)
    elif check.layers:
        found.append(figures.unknown("hit ratios", unit="ratio", accept="some", reason=f"there is no {check.phase}"))
    emptied = after_emptying(run, check, promise)
    found += stampede.figures_of(emptied, check, evidence)
    found += at_once.figures_of(emptied, check, evidence)
    found += taken_away.figures_of(run, check, evidence)
    for layer in promise.layers:
        found += ages.figures_of(run, layer, asked=layer.layer in check.layers, evidence=evidence)
    if all(figure.accept == figures.REPORTED for figure in found):
        why = "no layer said how old its answers were, or could have become too old in this run"
        found.append(figures.unknown("answers that could be too old", unit="", accept="some", reason=why))
    found += keepers.figures_of(run, promise, evidence)
    found += commands.figures_of(run, promise, evidence)
    return figures.verdict_of("caching", name_of(check), found, evidence, passed=_passed(found))


def name_of(check: CachingCheck) -> str:
    words = []
    if check.layers:
        words.append(f"hits of {', '.join(check.layers)} in {check.phase}")
    if check.builds_per_key or check.builds_at_once:
        words.append("no stampede")
    if check.still_shown:
        words.append(f"nothing shown after {', '.join(check.still_shown)}")
    return f"caching: {'; '.join(words) or 'ages'}"


def _passed(found: list[Figure]) -> str:
    told = [
        f"{figure.name} {say(figure.value, figure.unit)}"
        for figure in found
        if figure.value is not None and figure.accept != figures.REPORTED
    ]
    return f"Caches kept their promises: {'; '.join(told)}."
