"""The whole check on built runs: what had to fire, what must not, and when."""

from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.alerts import AlertsCheck
from harness.record.reader import Run
from harness.target.promises import AlertPromise
from harness.units import Seconds
from harness.verify.alerts.check import check_alerts
from harness.verify.judge import judge
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import CONTROLLER, the_target
from tests.harness.verify.a_full_run import figure, guilty

LATENCY = AlertPromise(alert="latency", input="p99", above=300.0, fires_after=Seconds(5), resolves_after=Seconds(5))
HITS = AlertPromise(alert="hits", input="hit_ratio", below=0.9, fires_after=Seconds(5), resolves_after=Seconds(5))
CHECK = AlertsCheck(fire=("latency",), within=Seconds(10), resolve_within=Seconds(10))
QUIET = AlertsCheck()
Stretch = tuple[float, float]
# The fault of the runs here begins at 30 s and is over at 40 s.
BEYOND: Stretch = (31.0, 41.0)
FIRING: Stretch = (36.5, 46.5)


def _run(
    *,
    slow: Stretch | None = BEYOND,
    firing: Stretch | None = FIRING,
    few_hits: Stretch | None = None,
    fault: bool = True,
) -> RunBuilder:
    """`firing` is that of the alert on latency; the one on hits fires six seconds after its input has been low."""
    low = None if few_hits is None else (few_hits[0] + 5.5, few_hits[1] + 5.5)

    def shown(frame: pd.DataFrame) -> pd.DataFrame:
        scrapes = frame[(frame["service"] == CONTROLLER) & (frame["metric"] == "degradation_evaluations_total")]
        at_s = scrapes["at_s"]
        rows = [
            scrapes.assign(metric="alert_evaluations_total"),
            scrapes.assign(metric="alert_input", labels='input="p99"', value=30.0 + 400.0 * _in(at_s, slow)),
            scrapes.assign(metric="alert_input", labels='input="hit_ratio"', value=0.95 - 0.5 * _in(at_s, few_hits)),
            scrapes.assign(metric="alert_firing", labels='alert="latency"', value=1.0 * _in(at_s, firing)),
            scrapes.assign(metric="alert_firing", labels='alert="hits"', value=1.0 * _in(at_s, low)),
        ]
        kept = frame[frame["metric"] != "alert_firing"]
        return pd.concat([kept, *rows], ignore_index=True)

    target = the_target()
    promises = msgspec.structs.replace(target.promises, alerts=(LATENCY, HITS))
    built = a_run().with_target(msgspec.structs.replace(target, promises=promises)).altering_metrics(shown)
    return built.with_fault() if fault else built


def _in(at_s: pd.Series, stretch: Stretch | None) -> pd.Series:
    return at_s.between(*stretch) if stretch else pd.Series(data=False, index=at_s.index)


def test_an_alert_that_fires_for_its_fault_and_resolves_after_it() -> None:
    verdict = check_alerts(_run().built(), CHECK)

    assert verdict.outcome is Outcome.PASS
    assert figure(verdict, "latency fired after").value == pytest.approx(6.5, abs=0.6)
    assert figure(verdict, "latency resolved after").value == pytest.approx(6.5, abs=0.6)


def test_a_quiet_run_in_which_nothing_fires() -> None:
    assert check_alerts(_run(slow=None, firing=None, fault=False).built(), QUIET).outcome is Outcome.PASS


REDS = [
    ("never fires", _run(firing=None), CHECK, ["times that an alert did not", "latency fired after"]),
    (
        "fires late",
        _run(slow=(31, 52), firing=(45, 57)),
        CHECK,
        ["times that", "latency fired after", "latency resolved"],
    ),
    ("too late for what was asked", _run(), AlertsCheck(fire=("latency",), within=Seconds(4)), ["latency fired after"]),
    ("never resolves", _run(firing=(36.5, 99.0)), CHECK, ["times that an alert did not", "latency resolved after"]),
    ("nobody named it", _run(), QUIET, ["false alarms"]),
    ("fires before the fault", _run(slow=(12, 41), firing=(17.5, 46.5)), CHECK, ["false alarms"]),
    ("another one fires", _run(few_hits=(12.0, 30.0)), CHECK, ["false alarms"]),
]


@pytest.mark.parametrize(("run", "check", "red"), [row[1:] for row in REDS], ids=[row[0] for row in REDS])
def test_what_turns_it_red(run: RunBuilder, check: AlertsCheck, red: list[str]) -> None:
    verdict = check_alerts(run.built(), check)

    assert verdict.outcome is Outcome.FAIL
    assert [name[: len(begins)] for name, begins in zip(guilty(verdict), red, strict=True)] == red


def test_what_may_fire_may_do_so_at_any_time() -> None:
    check = msgspec.structs.replace(CHECK, may_fire=("hits",))

    assert check_alerts(_run(few_hits=(12.0, 30.0)).built(), check).outcome is Outcome.PASS


def test_in_the_warm_up_nothing_is_a_false_alarm() -> None:
    assert check_alerts(_run(few_hits=(-9.0, -2.0)).built(), CHECK).outcome is Outcome.PASS


def test_the_first_of_several_controllers_counts_and_the_last_one_to_resolve() -> None:
    def another(frame: pd.DataFrame) -> pd.DataFrame:
        """A controller that shows the same two seconds later."""
        mine = frame[(frame["service"] == CONTROLLER) & frame["metric"].str.startswith("alert_")]
        return pd.concat([frame, mine.assign(service="europe-controller", at_s=mine["at_s"] + 2.0)], ignore_index=True)

    run = _with_controller("europe-controller", _run().altering_metrics(another).built())
    verdict = check_alerts(run, CHECK)

    assert verdict.outcome is Outcome.PASS
    assert figure(verdict, "latency fired after").value == pytest.approx(6.5, abs=0.6)
    assert figure(verdict, "latency resolved after").value == pytest.approx(8.5, abs=0.6)


def _with_controller(name: str, run: Run) -> Run:
    target = run.plan.target
    services = {**target.services, name: target.services[CONTROLLER]}
    plan = msgspec.structs.replace(run.plan, target=msgspec.structs.replace(target, services=services))
    return replace(run, plan=plan)


def test_a_controller_that_shows_no_alerts_proves_nothing() -> None:
    run = _run().altering_metrics(lambda frame: frame[~frame["metric"].str.startswith("alert_")]).built()

    verdict = check_alerts(run, CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no controller showed its alerts" in verdict.sentence


def _with_value(value: float, words: str) -> RunBuilder:
    """Samples whose metric or labels say so all have this value."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        said = frame["metric"].astype(str) + " " + frame["labels"].astype(str)
        return frame.assign(value=frame["value"].mask(said.str.contains(words), value))

    return _run(slow=None, firing=None, fault=False).altering_metrics(changed)


def _without(words: str, *, from_s: float = -9.0) -> RunBuilder:
    """Samples whose metric or labels say so are not there."""

    def kept(frame: pd.DataFrame) -> pd.DataFrame:
        said = frame["metric"].astype(str) + " " + frame["labels"].astype(str)
        return frame[~(said.str.contains(words) & (frame["at_s"] >= from_s))]

    return _run(slow=None, firing=None, fault=False).altering_metrics(kept)


MISSING = [
    ("no alert at all", _without("alert_firing"), "no controller showed its alerts"),
    ("an alert", _without('alert_firing alert="hits"'), "nobody shows hits of us-east-controller, or its input"),
    ("an input", _without('alert_input input="hit_ratio"'), "nobody shows hits of us-east-controller, or its input"),
    ("which evaluation it was", _without("alert_evaluations_total"), "nothing measured"),
    (
        "whether it fires, as 0 or 1",
        _with_value(float("nan"), 'alert_firing alert="hits"'),
        "nobody shows hits of us-east-controller, or its input",
    ),
    (
        "an alert from 60 s on",
        _without('alert_firing alert="hits"', from_s=60.0),
        "nobody shows hits of us-east-controller after T+59.5 s, or its input",
    ),
    (
        "an input from 60 s on",
        _without('alert_input input="hit_ratio"', from_s=60.0),
        "nobody shows hits of us-east-controller after T+59.5 s, or its input",
    ),
    (
        "which evaluation it was from 60 s on",
        _without("alert_evaluations_total", from_s=60.0),
        "nobody shows latency of us-east-controller after T+59.5 s, or its input; nor 1 others",
    ),
    (
        "all alerts from 60 s on",
        _without("alert_", from_s=60.0),
        "nobody shows latency of us-east-controller after T+59.5 s, or its input; nor 1 others",
    ),
]


@pytest.mark.parametrize(("run", "why"), [row[1:] for row in MISSING], ids=[row[0] for row in MISSING])
def test_what_no_controller_shows_is_never_a_pass(run: RunBuilder, why: str) -> None:
    verdict = check_alerts(run.built(), QUIET)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert why in verdict.sentence


def test_nobody_is_blamed_for_an_alert_that_is_shown_no_more() -> None:
    """Its input goes on, beyond its bound."""
    run = _run().altering_metrics(
        lambda f: f[~((f["labels"] == 'alert="latency"') & (f["metric"] == "alert_firing") & (f["at_s"] > 33))]
    )

    assert figure(check_alerts(run.built(), QUIET), "times that an alert did not").outcome is Outcome.PASS


def test_an_input_that_nobody_can_measure_is_told() -> None:
    """As it is with replication in a single region."""
    verdict = check_alerts(_with_value(float("nan"), 'alert_input input="hit_ratio"').built(), QUIET)
    found = figure(verdict, "alerts whose input was never known")

    assert verdict.outcome is Outcome.PASS
    assert (found.value, found.reason) == (1.0, "hits of us-east-controller")


def test_an_alert_that_is_shown_several_times_is_not_the_last_of_them() -> None:
    """It fires for one host, and not for the one that comes after it in the text."""

    def by_host(frame: pd.DataFrame) -> pd.DataFrame:
        shown = (frame["metric"] == "alert_firing").to_numpy()
        calm = frame[shown].assign(labels=frame["labels"][shown].astype(str) + ',host="b"', value=0.0)
        named = frame.assign(labels=frame["labels"].astype(str).mask(shown, frame["labels"].astype(str) + ',host="a"'))
        return pd.concat([named, calm], ignore_index=True)

    (verdict,) = judge(_run().altering_metrics(by_host).expecting(QUIET).built()).verdicts[1:]

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "shows alert_firing more than once at a time for one alert" in verdict.sentence


def test_one_of_two_controllers_that_shows_nothing_leaves_it_open() -> None:
    quiet = _run(slow=None, firing=None, fault=False).built()

    verdict = check_alerts(_with_controller("europe-controller", quiet), QUIET)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nobody shows latency of europe-controller, or its input; nor 1 others" in verdict.sentence


def test_an_alert_of_which_nothing_is_promised_is_a_false_alarm_too() -> None:
    def another(frame: pd.DataFrame) -> pd.DataFrame:
        shown = frame[(frame["metric"] == "alert_firing") & (frame["labels"] == 'alert="hits"')]
        return pd.concat([frame, shown.assign(labels='alert="disk"', value=1.0 * (shown["at_s"] > 12.0))])

    run = _run(slow=None, firing=None, fault=False).altering_metrics(another).built()

    assert guilty(check_alerts(run, QUIET)) == ["false alarms"]
    assert check_alerts(run, AlertsCheck(may_fire=("disk",))).outcome is Outcome.PASS


def _until(end_s: float, run: RunBuilder) -> Run:
    return run.altering_metrics(lambda frame: frame[frame["at_s"] < end_s]).built()


def test_a_run_that_ends_too_early_to_see_it_resolve() -> None:
    """The fault is over at 40.1 s, and ten seconds are allowed."""
    short = _until(48.0, _run(firing=(36.5, 99.0), slow=(31.0, 99.0)))

    found = figure(check_alerts(short, CHECK), "latency resolved after")

    assert found.outcome is Outcome.INCONCLUSIVE
    assert "the run ended too early" in found.reason


def test_a_controller_that_was_not_asked_after_the_fault() -> None:
    found = figure(check_alerts(_until(39.0, _run()), CHECK), "latency resolved after")

    assert (found.outcome, found.value) == (Outcome.INCONCLUSIVE, None)


@pytest.mark.parametrize(
    ("limit_s", "fired", "resolved"),
    [
        (5.9, Outcome.FAIL, Outcome.FAIL),
        (6.0, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),
        (6.3, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),
        (6.7, Outcome.PASS, Outcome.PASS),
    ],
)
def test_times_are_known_to_a_scrape(limit_s: float, fired: Outcome, resolved: Outcome) -> None:
    """Seen at 36.05 and 36.55 s, after 30.0 to 30.1 s; at 46.05 and 46.55 s, after 40.1 s."""
    check = AlertsCheck(fire=("latency",), within=Seconds(limit_s), resolve_within=Seconds(limit_s))
    verdict = check_alerts(_run().built(), check)

    assert figure(verdict, "latency fired after").outcome is fired
    assert figure(verdict, "latency resolved after").outcome is resolved


def test_nobody_knows_when_it_resolved_after_a_fault_that_was_not_shown_to_be_over() -> None:
    verdict = check_alerts(_run(fault=False).with_fault(reverted=False).built(), CHECK)

    assert figure(verdict, "latency resolved after").outcome is Outcome.INCONCLUSIVE


def test_an_alert_for_a_fault_that_never_came_is_not_blamed_on_the_system() -> None:
    verdict = check_alerts(_run(slow=None, firing=None, fault=False).built(), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nothing disturbed the run" in verdict.sentence
