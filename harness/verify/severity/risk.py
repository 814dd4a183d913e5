"""What might have become an incident though nobody was affected: alerts, levels, refused extras, parts that were away.

Looks at what came after the warm-up, in which everything is cold. No judgement.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.record import rows
from harness.record.reader import Run
from harness.verify import windows
from harness.verify.severity.affected import Came, refused_extras


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    at_s: float | None  # None: at several times
    sentence: str


def risks_of(run: Run, came: Came) -> tuple[Risk, ...]:
    warm_up = windows.phase_window(run.plan, "warm_up")
    from_s = warm_up.end_s if warm_up else 0.0
    found = [*_alerts(run, from_s), *_levels(run, from_s), *_away(run, from_s), *_refused(run), *_went_wrong(came)]
    return tuple(sorted(found, key=lambda risk: float("inf") if risk.at_s is None else risk.at_s))


def are_known(run: Run) -> bool:
    """Whether every controller showed what is promised of it after the warm-up; without that, that no alert fired and
    no level was entered proves nothing."""
    warm_up = windows.phase_window(run.plan, "warm_up")
    from_s = warm_up.end_s if warm_up else 0.0
    metrics, promises = run.plan.target.metrics, run.plan.target.promises
    wanted = [metrics.level] * (promises.degradation is not None) + [metrics.alert_firing] * bool(promises.alerts)
    shown = [
        bool((windows.series(run, service, name)["at_s"] >= from_s).any())
        for service in windows.services_with_role(run, "controller")
        for name in wanted
    ]
    return bool(shown) and all(shown)


def _alerts(run: Run, from_s: float) -> Iterator[Risk]:
    """The first time that each fires, of all controllers."""
    seen: dict[str, float] = {}
    for service in windows.services_with_role(run, "controller"):
        shown = windows.series(run, service, run.plan.target.metrics.alert_firing)
        firing = shown[(shown["value"] > 0) & (shown["at_s"] >= from_s)]
        for labels, at_s in zip(firing["labels"], firing["at_s"], strict=True):
            alert = windows.label(str(labels), "alert")
            seen[alert] = min(seen.get(alert, at_s), at_s)
    yield from (Risk(at_s=at_s, sentence=f"the alert {alert} fired") for alert, at_s in seen.items())


def _levels(run: Run, from_s: float) -> Iterator[Risk]:
    """The worst level of each controller, and when it was first shown."""
    promise = run.plan.target.promises.degradation
    names = {} if promise is None else {level.value: level.name for level in promise.levels}
    for service in windows.services_with_role(run, "controller"):
        shown = windows.series(run, service, run.plan.target.metrics.level)
        raised = shown[(shown["value"] > 0) & (shown["at_s"] >= from_s)]
        if len(raised):
            worst = raised["value"].max()
            at_s = float(raised["at_s"][raised["value"] == worst].iloc[0])
            level = names.get(int(worst), f"level {worst:g}")
            yield Risk(at_s=at_s, sentence=f"{service} showed {level}")


def _away(run: Run, from_s: float) -> Iterator[Risk]:
    """Parts that ended or were ill, or still were from before: without them there was nothing in reserve."""
    seen: dict[str, float] = {}
    ill: dict[str, float] = {}
    for event in sorted(run.events, key=lambda event: event.at_ns):
        at_s = windows.run_time_s(run, event.at_ns)
        if not isinstance(event, rows.ServiceExited | rows.HealthChanged) or at_s >= run.plan.duration_s:
            continue
        is_well = isinstance(event, rows.HealthChanged) and event.healthy
        if at_s >= from_s and not is_well:
            seen.setdefault(event.service, at_s)
        elif at_s < from_s and is_well:
            ill.pop(event.service, None)
        elif at_s < from_s:
            ill[event.service] = at_s
    yield from (Risk(at_s=at_s, sentence=f"{service} was away") for service, at_s in {**seen, **ill}.items())


def _refused(run: Run) -> Iterator[Risk]:
    many = refused_extras(run)
    if many:
        yield Risk(at_s=None, sentence=f"{many:,} requests of the lowest priority were refused")


def _went_wrong(came: Came) -> Iterator[Risk]:
    many = int(came.hurt.sum())
    if many:
        yield Risk(at_s=None, sentence=f"{many:,} requests failed, were refused or were late, of no user many at once")
