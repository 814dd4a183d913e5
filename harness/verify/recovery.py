"""How long the system took to be itself again after the last disturbance was taken away.

Itself: goodput has the baseline's share of the offered load, the level is not worse than the baseline's, and answers
come from where they came from then (not from a fallback); all for `hold` seconds on end. Measured in windows of one
second from the moment the last revert was done and the load had its last rate, so the time is known to a second and no
better. A recovery has to last: a relapse ends it, and so does flapping, after which less of the load is served than
before although no bad moment is a long one. Goodput alone is what hysteresis is about: a system that a short overload
leaves in a state in which it serves fewer of the same load has found a second equilibrium (metastable).
"""

from dataclasses import dataclass

import numpy as np

from harness.experiment.expectations.recovery import RecoveryCheck
from harness.record.reader import Run
from harness.record.rows import Outcome as Ending
from harness.target.promises import DegradationPromise
from harness.verify import figures, lateness, windows
from harness.verify.figures import at, say
from harness.verify.ladder import level_name
from harness.verify.level_trace import LevelTrace, never_shown, promise_of, traces_of
from harness.verify.verdict import Evidence, Figure, Interval, Outcome, Verdict
from harness.verify.windows import Bools, Floats, Window, column, is_word

WINDOW_S = 1.0
FALLBACK_SLACK = 0.05  # share of requests
# Of the load offered in the baseline. A steady system fails one request in a hundred at most, and where the plan offers
# as much as it promises to take, it may shed a few more; what else is lost there came too late. Whoever loses a tenth
# before anything was done to it is sick, and to be like that again is no recovery.
LEAST_USUAL = 0.9
AFTERWARDS = "goodput from the recovery to the end of the load"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """Second by second from the end of the disturbance to the end of the load: whether goodput and level are the
    baseline's, as far as anybody showed the level. `usual` is the share of offered that was goodput in the baseline."""

    from_s: float
    until_s: float
    usual: float
    goodput: Floats  # share of offered, NaN where nothing was offered
    fallback: Floats  # share of offered that was answered from a fallback
    good: Bools
    level: Floats  # NaN where nobody showed it any more

    def recovered_after(self, hold: int) -> int | None:
        """The first second from which all is well for `hold` seconds."""
        for start in range(len(self.good) - hold + 1):
            if self.good[start : start + hold].all():
                return start
        return None

    def relapsed_after(self, recovered: int, hold: int) -> int | None:
        """The first second of a stretch of `hold` bad seconds after the recovery."""
        for start in range(recovered + hold, len(self.good) - hold + 1):
            if not self.good[start : start + hold].any():
                return start
        return None


def name_of(check: RecoveryCheck) -> str:
    return f"recovery{' of goodput' if check.goodput_alone else ''} within {check.rto}"


def check_recovery(run: Run, check: RecoveryCheck) -> Verdict:
    name = name_of(check)
    baseline = windows.phase_window(run.plan, "baseline")
    from_s, doubt = windows.disturbance_over_s(run)
    if baseline is None or from_s is None:
        return figures.verdict_of("recovery", name, [_nothing(doubt or "the run has no baseline")], passed="")
    usual = float(_goodput(run, check, baseline.start_s, 1, baseline.length_s)[0])
    if not usual >= LEAST_USUAL:  # NaN, where nothing was offered, is not
        return figures.verdict_of("recovery", name, [_sick_before(run, baseline, usual)], passed="")
    course = _course(run, check, from_s, baseline, usual)
    late = lateness.late_in(run, Window(name="after", start_s=from_s, end_s=course.until_s))
    unseen = [] if check.goodput_alone else _unseen(run)
    found = [*(lateness.excused(figure, late) for figure in _figures(run, check, course)), *unseen]
    return figures.verdict_of(
        "recovery", name, found, _evidence(run, check, course, found), passed=_passed(check, course, found)
    )


def _course(run: Run, check: RecoveryCheck, from_s: float, baseline: Window, usual: float) -> _Course:
    until_s = windows.end_of_load_s(run)
    seconds = max(0, int(until_s - from_s))
    goodput = _goodput(run, check, from_s, seconds, WINDOW_S)
    traces = traces_of(run)
    level = _worst_levels(traces, from_s, seconds)
    usual_level = _worst_levels(traces, baseline.start_s, int(baseline.length_s))
    enough = np.isnan(goodput) | (goodput >= check.goodput_share * usual)
    calm = ~(level > np.fmax.reduce(usual_level, initial=0.0))
    fallback = _fallback(run, from_s, seconds, WINDOW_S)
    usual_share = _fallback(run, baseline.start_s, 1, baseline.length_s)[0]
    at_home = np.isnan(fallback) | (fallback <= usual_share + FALLBACK_SLACK)
    good = enough if check.goodput_alone else enough & calm & at_home
    return _Course(
        from_s=from_s, until_s=until_s, usual=usual, goodput=goodput, fallback=fallback, good=good, level=level
    )


def _goodput(run: Run, check: RecoveryCheck, from_s: float, count: int, length_s: float) -> Floats:
    """Share of the requests scheduled in each window that were answered correctly in time."""
    frame = run.requests
    good = is_word(frame["outcome"], Ending.OK) & (column(frame, "latency_s") <= check.within)
    return _share_of(run, good, from_s=from_s, count=count, length_s=length_s)


def _fallback(run: Run, from_s: float, count: int, length_s: float) -> Floats:
    """Share of the requests scheduled in each window that were answered without the cache they need."""
    promise = run.plan.target.promises.caching
    hits = is_word(run.requests["cache"], *(promise.fallback if promise else ()))
    return _share_of(run, hits, from_s=from_s, count=count, length_s=length_s)


def _share_of(run: Run, hits: Bools, *, from_s: float, count: int, length_s: float) -> Floats:
    """Of the requests scheduled in each of `count` windows; NaN where none were."""
    number = np.floor((column(run.requests, "scheduled_s") - from_s) / length_s).astype(np.int64)
    inside = (number >= 0) & (number < count)
    offered = np.bincount(number[inside], minlength=count).astype(np.float64)
    hit = np.bincount(number[inside & hits], minlength=count).astype(np.float64)
    with np.errstate(invalid="ignore"):
        result: Floats = hit / offered
    return result


def _worst_levels(traces: list[LevelTrace], from_s: float, count: int) -> Floats:
    """The worst level that any controller had in force in each second; 0 without controllers, NaN where none of them
    showed it any more."""
    worst = np.full(count, np.nan if traces else 0.0)
    starts_s = from_s + np.arange(count, dtype=np.float64)
    for trace in traces:
        for level in np.unique(trace.level):
            there = trace.in_force(int(level), starts_s, starts_s + WINDOW_S) & (starts_s <= trace.known_until_s)
            worst = np.where(there, np.fmax(worst, level), worst)
    return worst


# --- figures --------------------------------------------------------------------------------------------------------


def _figures(run: Run, check: RecoveryCheck, course: _Course) -> list[Figure]:
    hold = max(1, round(check.hold / WINDOW_S))
    recovered = course.recovered_after(hold)
    if recovered is None:
        return [_never_recovered(check, course)]
    relapsed = course.relapsed_after(recovered, hold)
    found = [_recovery_time(check, course, recovered)]
    found.append(
        figures.stated(
            "relapses",
            0.0 if relapsed is None else 1.0,
            unit="",
            samples=len(course.good) - recovered,
            accept=f"no {hold} bad seconds on end",
            outcome=Outcome.PASS if relapsed is None else Outcome.FAIL,
            reason="" if relapsed is None else f"bad again from {at(course.from_s + relapsed)}",
        )
    )
    found.append(_afterwards(run, check, course, recovered))
    return found


def _recovery_time(check: RecoveryCheck, course: _Course, recovered: int) -> Figure:
    """Between the start of the last bad second and the end of the first good one lies the moment itself."""
    bar = Interval(low=max(0.0, recovered - WINDOW_S), high=recovered + WINDOW_S, level=1.0, method="1 s windows")
    low, high = max(0.0, recovered - WINDOW_S), recovered + WINDOW_S
    if high <= check.rto:
        outcome, why = Outcome.PASS, ""
    elif low > check.rto:
        outcome, why = Outcome.FAIL, "too late"
    else:
        outcome, why = Outcome.INCONCLUSIVE, "the error bar reaches over the limit"
    return Figure(
        name="recovery time", unit="s", value=float(recovered), interval=bar, samples=len(course.good),
        accept=f"at most {say(check.rto, 's')}", outcome=outcome, reason=why,
    )  # fmt: skip


def _afterwards(run: Run, check: RecoveryCheck, course: _Course, recovered: int) -> Figure:
    """A system that flaps may never be bad for long, and still serves less than before."""
    rest = Window(name=AFTERWARDS, start_s=course.from_s + recovered, end_s=course.until_s)
    offered = int(rest.holds(column(run.requests, "scheduled_s")).sum())
    least = check.goodput_share * course.usual
    of_usual = f"{say(check.goodput_share, 'ratio')} of the baseline's {say(course.usual, 'ratio')}"
    accept = f"at least {say(least, 'ratio')} ({of_usual})"
    if not offered:
        return figures.unknown(AFTERWARDS, unit="ratio", accept=accept, reason="nothing was offered after it")
    share = float(_goodput(run, check, rest.start_s, 1, rest.length_s)[0])
    bad = np.flatnonzero(~course.good[recovered:])
    why = ""
    if share < least:
        first = f", the first from {at(rest.start_s + float(bad[0]))}" if len(bad) else ""
        why = f"{len(bad)} of {len(course.good) - recovered} seconds were bad{first}"
    return figures.stated(
        AFTERWARDS, share, unit="ratio", samples=offered, accept=accept,
        outcome=Outcome.FAIL if why else Outcome.PASS, reason=why,
    )  # fmt: skip


def _never_recovered(check: RecoveryCheck, course: _Course) -> Figure:
    watched_s = len(course.good)
    long_enough = watched_s >= check.rto + check.hold + WINDOW_S
    last = course.level[-1] if watched_s else 0.0
    share = float(course.goodput[-1]) if watched_s else 0.0
    at_level = "a level that nobody showed" if np.isnan(last) else f"level {last:g}"
    why = f"after {watched_s} s goodput was {say(share, 'ratio')} of the offered load at {at_level}"
    if watched_s and course.fallback[-1] > FALLBACK_SLACK:
        why += f", and {say(float(course.fallback[-1]), 'ratio')} was answered from a fallback"
    if not long_enough:
        why += "; the run ended too early to say more"
    return Figure(
        name="recovery time", unit="s", value=None, interval=Interval(low=float(watched_s), high=None, level=1.0,
        method="1 s windows"), samples=watched_s, accept=f"at most {say(check.rto, 's')}",
        outcome=Outcome.FAIL if long_enough else Outcome.INCONCLUSIVE, reason=why,
    )  # fmt: skip


# --- words ----------------------------------------------------------------------------------------------------------


def _unseen(run: Run) -> list[Figure]:
    """A level that was not shown is neither the baseline's nor another one."""
    traces = traces_of(run)
    unseen = [*(never_shown(run, traces) if promise_of(run) else ())]
    unseen += [trace.ends_early for trace in traces if trace.ends_early]
    if not unseen:
        return []
    name = "controllers that show their level"
    return [figures.unknown(name, unit="", accept="all, until the end", reason="; ".join(unseen))]


def _nothing(why: str) -> Figure:
    return figures.stated(
        "recovery time", None, unit="s", samples=0, accept="some", outcome=Outcome.INCONCLUSIVE, reason=why
    )


def _sick_before(run: Run, baseline: Window, usual: float) -> Figure:
    offered = int(baseline.holds(column(run.requests, "scheduled_s")).sum())
    accept = f"at least {say(LEAST_USUAL, 'ratio')} of what was offered"
    why = "before anything was done to it the system was not well, so nobody knows what it should come back to"
    return figures.condition(
        "goodput in the baseline", usual if offered else None, unit="ratio", samples=offered, accept=accept,
        holds=False, reason=why if offered else "no request was scheduled in the baseline",
    )  # fmt: skip


def _passed(check: RecoveryCheck, course: _Course, found: list[Figure]) -> str:
    value, afterwards = found[0].value or 0.0, found[-1].value or 0.0
    return (
        f"The disturbance was over at {at(course.from_s)}; {_what(check)} the baseline's after {value:g} s (± 1 s), "
        f"expected within {say(check.rto, 's')}. From then to the end of the load {say(afterwards, 'ratio')} of what "
        f"was offered was goodput, in the baseline {say(course.usual, 'ratio')}."
    )


def _level(promise: DegradationPromise | None, level: float) -> str:
    if np.isnan(level):
        return "unknown"
    return level_name(promise, int(level)) if promise else f"{level:g}"


def _what(check: RecoveryCheck) -> str:
    return "goodput was" if check.goodput_alone else "goodput and level were"


def _evidence(run: Run, check: RecoveryCheck, course: _Course, found: list[Figure]) -> list[Evidence]:
    listed = [Evidence(at_s=course.from_s, sentence="The last disturbance was over.", source="events")]
    recovered = found[0].value
    if recovered is not None:
        sentence = f"From here {_what(check)} the baseline's for {say(check.hold, 's')} on end."
        listed.append(Evidence(at_s=course.from_s + recovered, sentence=sentence, source="requests"))
    bad = np.flatnonzero(~course.good)
    if len(bad):
        last = int(bad[-1])
        named = _level(promise_of(run), float(course.level[last]))
        sentence = (
            f"The last bad second: goodput {say(float(course.goodput[last]), 'ratio')} of offered, level {named}, "
            f"{say(float(course.fallback[last]), 'ratio')} from a fallback."
        )
        listed.append(
            Evidence(at_s=course.from_s + last, until_s=course.from_s + last + 1, sentence=sentence, source="requests")
        )
    return listed
