"""Whether the alerts that had to fire did, in time, and resolved; that no other did; and that each followed its rule.

What an alert is decided by is taken as the controller shows it: whether it shows the truth is for `degradation` and
`slo` to say. Times lie between two scrapes, which is their error. What a controller does not show is not known.
"""

from harness.experiment.expectations.alerts import AlertsCheck
from harness.record.reader import Run
from harness.verify import figures, moments, windows
from harness.verify.alerts.rule import breaches
from harness.verify.alerts.signal import Signal, others_fired, signals_of
from harness.verify.figures import at, say
from harness.verify.moments import Moment, lapse
from harness.verify.verdict import Evidence, Figure, Outcome, Verdict


def check_alerts(run: Run, check: AlertsCheck) -> Verdict:
    name = f"alerts: {', '.join(check.fire) or 'none'}"
    signals, missing = signals_of(run, run.plan.target.promises.alerts)
    if not signals:
        nothing = figures.unknown("alerts", unit="", accept="some", reason="no controller showed its alerts")
        return figures.verdict_of("alerts", name, [nothing], passed="")
    evidence: list[Evidence] = []
    found = [_followed_rules(signals, evidence)]
    if missing:
        why = f"nobody shows {missing[0]}, or its input" + (f"; nor {len(missing) - 1} others" if missing[1:] else "")
        found.append(figures.unknown("alerts that are shown", unit="", accept="all", reason=why))
    found += _unmeasured(signals)
    for alert in check.fire:
        mine = [signal for signal in signals if signal.promise.alert == alert]
        found.append(_fired(run, check, alert, mine, evidence))
        if check.resolve_within is not None:
            found.append(_resolved(run, check, alert, mine))
    found.append(_false_alarms(run, check, signals, evidence))
    return figures.verdict_of("alerts", name, found, evidence, passed=_passed(check, found))


def _followed_rules(signals: list[Signal], evidence: list[Evidence]) -> Figure:
    broken = sorted((breach for signal in signals for breach in breaches(signal)), key=lambda breach: breach.at_s)
    evidence += [Evidence(at_s=breach.at_s, sentence=f"{breach.sentence}.", source="metrics") for breach in broken[:3]]
    first = f"{broken[0].sentence} at {at(broken[0].at_s)}" if broken else ""
    followed = sum(signal.followed for signal in signals)
    return figures.never("times that an alert did not follow its rule", len(broken), followed, reason=first)


def _unmeasured(signals: list[Signal]) -> list[Figure]:
    """An alert is right not to fire on what nobody can measure; whoever reads the report has to know of it."""
    unmeasured = [f"{signal.promise.alert} of {signal.service}" for signal in signals if not signal.measured]
    if not unmeasured:
        return []
    return [
        figures.stated(
            "alerts whose input was never known", float(len(unmeasured)), unit="", samples=len(signals),
            accept=figures.REPORTED, outcome=Outcome.PASS, reason=", ".join(unmeasured),
        )
    ]  # fmt: skip


def _fired(run: Run, check: AlertsCheck, alert: str, mine: list[Signal], evidence: list[Evidence]) -> Figure:
    """From the start of the disturbance until the first controller shows it firing."""
    name, accept = f"{alert} fired after", f"at most {check.within}"
    began_s = windows.first_disturbance_s(run)
    if began_s == float("inf") or not mine:
        why = "no controller shows it" if not mine else "nothing disturbed the run"
        return figures.unknown(name, unit="s", accept=accept, reason=why)
    fired = [(float(signal.fired_s(began_s, run.plan.duration_s).min(initial=float("inf"))), signal) for signal in mine]
    first_s, signal = min(fired, key=lambda each: each[0])
    if first_s == float("inf"):
        watched_s = min(float(signal.at_s[-1]) for signal in mine) - began_s
        return moments.never_within(
            name, float(check.within), watched_s=watched_s, samples=len(mine), why="it never fired"
        )
    evidence.append(Evidence(at_s=first_s, sentence=f"{alert} of {signal.service} fires.", source="metrics"))
    took = lapse(_began(run, began_s), _before(signal, first_s))
    return moments.timed(name, took, float(check.within), samples=len(mine))


def _resolved(run: Run, check: AlertsCheck, alert: str, mine: list[Signal]) -> Figure:
    """From the end of the disturbance until no controller shows it firing any more."""
    assert check.resolve_within is not None
    name, limit_s = f"{alert} resolved after", float(check.resolve_within)
    accept = f"at most {check.resolve_within}"
    over_s, doubt = windows.disturbance_over_s(run)
    if over_s is None:
        return figures.unknown(name, unit="s", accept=accept, reason=doubt)
    unseen = [signal.service for signal in mine if not (signal.at_s >= over_s).any()]
    if unseen or not mine:
        why = f"{', '.join(unseen) or 'no controller'} did not show it after {at(over_s)}"
        return figures.unknown(name, unit="s", accept=accept, reason=why)
    fires_still = [signal for signal in mine if signal.firing[-1]]
    if fires_still:
        watched_s = max(float(signal.at_s[-1]) for signal in fires_still) - over_s
        why = f"that of {fires_still[0].service} fires at the end of the run"
        return moments.never_within(name, limit_s, watched_s=watched_s, samples=len(mine), why=why)
    over = Moment.exactly(over_s, "events")
    resolved = [_after(signal, over_s) for signal in mine]
    return moments.timed(name, lapse(over, max(resolved, key=lambda each: each.at_s)), limit_s, samples=len(mine))


def _began(run: Run, began_s: float) -> Moment:
    """The first fault was in effect when its injection was done; a change of the load is at once."""
    in_effect_s = [fault.in_effect_s for fault in windows.fault_windows(run) if fault.inject_s == began_s]
    return Moment(at_s=began_s, earliest_s=began_s, latest_s=max([began_s, *in_effect_s]), source="events")


def _before(signal: Signal, shown_s: float) -> Moment:
    """What a scrape shows began after the one before."""
    earlier_s = float(signal.at_s[signal.at_s < shown_s].max(initial=float("-inf")))
    earliest_s = earlier_s if earlier_s != float("-inf") else shown_s
    return Moment(at_s=shown_s, earliest_s=earliest_s, latest_s=shown_s, source="metrics")


def _after(signal: Signal, over_s: float) -> Moment:
    """It fired at one scrape and did not at the next one; at once where it did not fire any more."""
    fired_s = signal.fired_s(over_s, float("inf"))
    if not len(fired_s):
        return Moment.exactly(over_s, "metrics")
    last_s = float(fired_s[-1])
    next_s = float(signal.at_s[signal.at_s > last_s].min())
    return Moment(at_s=next_s, earliest_s=last_s, latest_s=next_s, source="metrics")


def _false_alarms(run: Run, check: AlertsCheck, signals: list[Signal], evidence: list[Evidence]) -> Figure:
    """What nothing led one to expect: another alert than the named ones, or one that has to fire before its reason.

    In the warm-up everything is cold, and whoever starts a system is not called for it.
    """
    warm_up = windows.phase_window(run.plan, "warm_up")
    from_s = warm_up.end_s if warm_up else 0.0
    judged = [signal for signal in signals if signal.promise.alert not in check.may_fire]
    others = others_fired(run, run.plan.target.promises.alerts, from_s=from_s)
    alarms = [(at_s, f"{alert} of {service}") for at_s, alert, service in others if alert not in check.may_fire]
    for signal in judged:
        until_s = windows.first_disturbance_s(run) if signal.promise.alert in check.fire else run.plan.duration_s
        fired_s = signal.fired_s(from_s, min(until_s, run.plan.duration_s))
        if len(fired_s):
            alarms.append((float(fired_s[0]), f"{signal.promise.alert} of {signal.service}"))
    alarms.sort()
    evidence += [Evidence(at_s=at_s, sentence=f"{who} fires.", source="metrics") for at_s, who in alarms[:3]]
    first = f"{alarms[0][1]} fired at {at(alarms[0][0])}" if alarms else ""
    return figures.never("false alarms", len(alarms), len(judged), reason=first)


def _passed(check: AlertsCheck, found: list[Figure]) -> str:
    times = [
        f"{figure.name} {say(figure.value, 's')}" for figure in found if figure.unit == "s" and figure.value is not None
    ]
    said = f" {'; '.join(times)}." if times else ""
    which = "only those fired that were expected" if check.fire else "none fired that must not"
    return f"Each alert followed its rule, and {which}.{said}"
