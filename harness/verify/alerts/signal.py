"""One alert of one controller, scrape by scrape: whether its input was beyond the bound, and whether it fired.

Where an evaluation was not seen (a hole in the scrapes, a controller that was away or started anew) what is known of
before ends: after it an alert may have waited, or fired, for any time.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.target.promises import AlertPromise
from harness.verify import windows
from harness.verify.figures import at
from harness.verify.windows import Bools, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """By scrape. An input that nobody knows (NaN) is not beyond a bound; `measured`: it ever was a number."""

    service: str
    promise: AlertPromise
    at_s: Floats
    evaluation: Floats
    beyond: Bools
    firing: Bools
    measured: bool = True

    def pieces(self) -> Iterator["Signal"]:
        """Without holes: each scrape shows the same evaluation as the one before, or the next one."""
        cuts = np.flatnonzero(~np.isin(np.diff(self.evaluation), (0.0, 1.0))) + 1
        for places in np.split(np.arange(len(self.at_s)), cuts):
            if len(places):
                yield Signal(
                    service=self.service,
                    promise=self.promise,
                    at_s=self.at_s[places],
                    evaluation=self.evaluation[places],
                    beyond=self.beyond[places],
                    firing=self.firing[places],
                )

    @property
    def followed(self) -> int:
        """How many scrapes are known to show the evaluation of the one before, or the next one."""
        return int(np.isin(np.diff(self.evaluation), (0.0, 1.0)).sum())

    def fired_s(self, start_s: float, end_s: float) -> Floats:
        """The scrapes within the window that showed it firing."""
        result: Floats = self.at_s[self.firing & (self.at_s >= start_s) & (self.at_s < end_s)]
        return result


def signals_of(run: Run, promises: tuple[AlertPromise, ...]) -> tuple[list[Signal], list[str]]:
    """Of every controller and promised alert that it shows, with its input, for as long as it shows both; and what is
    not shown, or not until the end of the run, in words."""
    names, end_s = run.plan.target.metrics, windows.end_of_run_s(run)
    found, missing = [], []
    for service in windows.services_with_role(run, "controller"):
        inputs = windows.by_label(run, service, names.alert_input, "input")
        alerts = windows.by_label(run, service, names.alert_firing, "alert").reindex(inputs.index)
        evaluations = windows.series(run, service, names.alert_evaluations).set_index("at_s")["value"]
        evaluation = evaluations[~evaluations.index.duplicated()].reindex(inputs.index).to_numpy(dtype=np.float64)
        at_s, input_until_s = inputs.index.to_numpy(dtype=np.float64), _inputs_until_s(run, service)
        for promise in promises:
            firing = alerts.get(promise.alert, pd.Series(np.nan, inputs.index)).to_numpy(dtype=np.float64)
            shown = np.isin(firing, (0.0, 1.0)) & (at_s <= input_until_s.get(promise.input, -np.inf))
            if not shown.any():
                missing.append(f"{promise.alert} of {service}")
                continue
            counted = shown & ~np.isnan(evaluation)
            until_s = float(at_s[counted if counted.any() else shown][-1])
            if end_s - until_s > windows.UNSEEN_S:
                missing.append(f"{promise.alert} of {service} after {at(until_s)}")
            value, there = inputs[promise.input].to_numpy(dtype=np.float64), at_s <= until_s
            found.append(
                Signal(
                    service=service,
                    promise=promise,
                    at_s=at_s[there],
                    evaluation=evaluation[there],
                    beyond=_beyond(promise, value[there]),
                    firing=firing[there] == 1,
                    measured=not np.isnan(value).all(),
                )
            )
    return found, missing


def _inputs_until_s(run: Run, service: str) -> dict[str, float]:
    """When each input was last shown, as a number or as unknown."""
    samples = windows.series(run, service, run.plan.target.metrics.alert_input)
    words = samples["labels"].astype(str).map(lambda labels: windows.label(labels, "input"))
    return {str(word): float(last_s) for word, last_s in samples.groupby(words)["at_s"].max().items()}


def others_fired(run: Run, promises: tuple[AlertPromise, ...], *, from_s: float) -> list[tuple[float, str, str]]:
    """When, which and of whom: the first time that each alert fired of which nothing is promised."""
    known = {promise.alert for promise in promises}
    found = []
    for service in windows.services_with_role(run, "controller"):
        alerts = windows.by_label(run, service, run.plan.target.metrics.alert_firing, "alert")
        for alert in alerts.columns.difference(list(known)):
            fired_s = alerts.index[(alerts[alert] == 1) & (alerts.index >= from_s)]
            found += [(float(at_s), str(alert), service) for at_s in fired_s[:1]]
    return found


def _beyond(promise: AlertPromise, value: Floats) -> Bools:
    low = -np.inf if promise.below is None else promise.below
    high = np.inf if promise.above is None else promise.above
    result: Bools = (value < low) | (value > high)
    return result
