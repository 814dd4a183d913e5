"""Whether the alerts that had to fire did, in time, and resolved; that no other did; and that each followed its rule.

What an alert is decided by is taken as the controller shows it: whether it shows the truth is for `degradation` and
`slo` to say. Times are those of scrapes, so they are known to half a second or so.
"""

from harness.experiment.expectations.alerts import AlertsCheck
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.alerts.rule import breaches
from harness.verify.alerts.signal import Signal, signals_of
from harness.verify.figures import at, say
from harness.verify.verdict import Evidence, Figure, Outcome, Verdict


def check_alerts(run: Run, check: AlertsCheck) -> Verdict:
    name = f"alerts: {', '.join(check.fire) or 'none'}"
    signals = signals_of(run, run.plan.target.promises.alerts)
    if not signals:
        nothing = figures.unknown("alerts", unit="", accept="some", reason="no controller showed its alerts")
        return figures.verdict_of("alerts", name, [nothing], passed="")
    evidence: list[Evidence] = []
    found = [_followed_rules(signals, evidence)]
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
    scrapes = sum(len(signal.at_s) for signal in signals)
    return figures.never("times that an alert did not follow its rule", len(broken), scrapes, reason=first)


def _fired(run: Run, check: AlertsCheck, alert: str, mine: list[Signal], evidence: list[Evidence]) -> Figure:
    """From the start of the disturbance until the first controller shows it firing."""
    name, accept = f"{alert} fired after", f"at most {check.within}"
    began_s = windows.first_disturbance_s(run)
    if began_s == float("inf"):
        return figures.unknown(name, unit="s", accept=accept, reason="nothing disturbed the run")
    fired = [(float(signal.fired_s(began_s, run.plan.duration_s).min(initial=float("inf"))), signal) for signal in mine]
    first_s, signal = min(fired, key=lambda each: each[0])
    if first_s == float("inf"):
        return figures.stated(
            name, None, unit="s", samples=len(mine), accept=accept, outcome=Outcome.FAIL, reason="it never fired"
        )
    evidence.append(Evidence(at_s=first_s, sentence=f"{alert} of {signal.service} fires.", source="metrics"))
    return figures.bounded(
        name, first_s - began_s, check.within, unit="s", samples=len(mine), reason=f"it fired at {at(first_s)}"
    )


def _resolved(run: Run, check: AlertsCheck, alert: str, mine: list[Signal]) -> Figure:
    """From the end of the disturbance until no controller shows it firing any more."""
    assert check.resolve_within is not None
    name, unit = f"{alert} resolved after", "s"
    over_s, doubt = windows.disturbance_over_s(run)
    if over_s is None:
        return figures.unknown(name, unit=unit, accept=f"at most {check.resolve_within}", reason=doubt)
    last = [float(signal.fired_s(over_s, run.plan.duration_s).max(initial=over_s)) for signal in mine]
    fires_still = [signal.service for signal in mine if len(signal.firing) and signal.firing[-1]]
    if fires_still:
        return figures.stated(
            name, None, unit=unit, samples=len(mine), accept=f"at most {check.resolve_within}", outcome=Outcome.FAIL,
            reason=f"that of {fires_still[0]} fires at the end of the run",
        )  # fmt: skip
    return figures.bounded(
        name, max(last) - over_s, check.resolve_within, unit=unit, samples=len(mine), reason="it went on firing"
    )


def _false_alarms(run: Run, check: AlertsCheck, signals: list[Signal], evidence: list[Evidence]) -> Figure:
    """What nothing led one to expect: another alert than the named ones, or one that has to fire before its reason.

    In the warm-up everything is cold, and whoever starts a system is not called for it.
    """
    warm_up = windows.phase_window(run.plan, "warm_up")
    from_s = warm_up.end_s if warm_up else 0.0
    judged = [signal for signal in signals if signal.promise.alert not in check.may_fire]
    alarms = []
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
