"""Whether the system was healthy before it was disturbed, and whether its parts stayed alive by themselves."""

from harness.record import rows
from harness.record.reader import Run
from harness.record.rows import Outcome as Ending
from harness.verify import figures, windows
from harness.verify.figures import at, say
from harness.verify.level_trace import never_shown, promise_of, traces_of
from harness.verify.verdict import Evidence, Figure
from harness.verify.windows import Window, column, is_word

MAX_ERROR_RATIO = 0.01
# Share of the target rate up to which arrivals by chance do not reach it over the promise's window.
CALM_SHARE = 0.8


def figures_of(run: Run) -> list[Figure]:
    baseline = windows.phase_window(run.plan, "baseline")
    disturbed = bool(run.plan.faults) or windows.phase_window(run.plan, "disturbed") is not None
    if baseline is None:
        missing = figures.condition(
            "steady state before the disturbance", None, unit="", samples=0, accept="a baseline", holds=False,
            reason="the plan has no baseline, so nobody knows what the system was like before",
        )  # fmt: skip
        return [_exits(run), *([missing] if disturbed else [])]
    return [_exits(run), *_level(run, baseline), _errors(run, baseline), *_shed(run, baseline)]


def moments_of(run: Run) -> list[Evidence]:
    return [
        Evidence(
            at_s=windows.run_time_s(run, event.at_ns),
            sentence=f"{event.service} ended, and no fault of this run did it: {event.detail or 'no detail'}.",
            source="events",
        )
        for event in windows.events_of(run, rows.ServiceExited)
        if not event.expected
    ]


def _exits(run: Run) -> Figure:
    exits = _unexpected(run)
    reason = f"{exits[0].service} at {at(windows.run_time_s(run, exits[0].at_ns))}" if exits else ""
    return figures.condition(
        "services that ended by themselves", float(len(exits)), unit="", samples=len(run.plan.target.services),
        accept="0", holds=not exits, reason=reason,
    )  # fmt: skip


def _unexpected(run: Run) -> list[rows.ServiceExited]:
    exits = windows.events_of(run, rows.ServiceExited)
    return [event for event in exits if not event.expected and not event.by_somebody]


def _level(run: Run, baseline: Window) -> list[Figure]:
    promise = promise_of(run)
    if promise is None:
        return []
    lowest = min(level.value for level in promise.levels)
    traces = traces_of(run)
    degraded_s = sum(
        trace.held_s(level.value, baseline.start_s, baseline.end_s)
        for trace in traces
        for level in promise.levels
        if level.value != lowest
    )
    unseen = never_shown(run, traces)
    unseen += [trace.ends_early for trace in traces if trace.known_until_s < baseline.end_s]
    doubts = ["the system was degraded before it was disturbed"] if degraded_s else unseen
    return [
        figures.condition(
            "degraded time in the baseline", degraded_s if traces else None, unit="s", samples=len(traces),
            accept="0 s", holds=bool(traces) and not doubts, reason="; ".join(doubts) or "no level was recorded",
        )
    ]  # fmt: skip


def _errors(run: Run, baseline: Window) -> Figure:
    outcome = run.requests.loc[baseline.holds(column(run.requests, "scheduled_s")), "outcome"]
    bad = int(is_word(outcome, Ending.FAILED, Ending.UNKNOWN).sum())
    share = bad / len(outcome) if len(outcome) else None
    return figures.condition(
        "error ratio in the baseline", share, unit="ratio", samples=len(outcome),
        accept=f"at most {say(MAX_ERROR_RATIO, 'ratio')}", holds=share is not None and share <= MAX_ERROR_RATIO,
        reason=f"{bad:,} of {len(outcome):,} requests failed before anything was disturbed",
    )  # fmt: skip


def _shed(run: Run, baseline: Window) -> list[Figure]:
    """Nothing is shed, unless the plan itself offers about as much as the system promises to take."""
    promise = run.plan.target.promises.shedding
    if promise is None:
        return []
    replicas = len(windows.services_with_role(run, "api"))
    planned_per_s = windows.planned_arrivals(run.plan, baseline.start_s, baseline.end_s) / baseline.length_s
    if planned_per_s > CALM_SHARE * replicas * promise.target_rate_per_replica:
        return []
    outcome = run.requests.loc[baseline.holds(column(run.requests, "scheduled_s")), "outcome"]
    shed = int(is_word(outcome, Ending.SHED).sum())
    return [
        figures.condition(
            "shed in the baseline", float(shed), unit="", samples=len(outcome), accept="0", holds=shed == 0,
            reason=f"{shed:,} requests were shed at {planned_per_s:.3g}/s",
        )
    ]  # fmt: skip
