"""Verdicts written by hand, and runs in the states that a report must be able to show."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
import pandas as pd

from harness.experiment.expectations.slo import SloCheck
from harness.record import rows
from harness.record.reader import Run
from harness.report.counts import columns_of, good_mask
from harness.report.series import Series, series_of
from harness.report.summary import Summary, summarise
from harness.units import Ratio, Seconds
from harness.verify.verdict import (
    Act,
    Arrow,
    Evidence,
    Figure,
    Guarantee,
    Interval,
    Outcome,
    Scene,
    Verdict,
    Verdicts,
    Visibility,
    worst,
)
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import CONTROLLER, at, the_target

HOSTILE = """</script><script>alert("1")</script> <img src=x onerror=alert(2)> & "quoted" 'single' {{ 7777 * 7777 }}"""


def a_verdict(outcome: Outcome = Outcome.PASS, *, check: str = "slo", name: str = "", sentence: str = "") -> Verdict:
    figure = Figure(
        name="p99",
        unit="s",
        value=0.121,
        interval=Interval(low=0.112, high=0.139, level=0.95, method="blocks of 1 s"),
        samples=2000,
        blocks=20,
        accept="at most 150 ms",
        outcome=outcome,
        reason="" if outcome is Outcome.PASS else "the reason of the figure",
        needed_samples=4711 if outcome is Outcome.INCONCLUSIVE else None,
    )
    evidence = (Evidence(at_s=30.0, until_s=40.0, sentence="look here", source="requests"),)
    return Verdict(
        check=check,
        name=name or f"{check} that is a {outcome.value}",
        outcome=outcome,
        sentence=sentence or f"The sentence of a {outcome.value}.",
        figures=(figure,),
        evidence=evidence,
    )


def a_scene(sentence: str = "Session 1 wrote p1 and did not see it.", *, promised: bool = True) -> Scene:
    wrote = Act(session=1, region="us-east", kind="write", start_s=31.0, end_s=31.02, words="wrote p1")
    missed = Act(session=1, region="europe", kind="read", start_s=32.0, end_s=32.01, words="missed p1")
    arrow = Arrow(source=0, target=1, missing=True)
    title = "Somebody did not see what they had just written"
    return Scene(title=title, sentence=sentence, promised=promised, acts=(wrote, missed), arrows=(arrow,))


def inconsistent(*scenes: Scene) -> Verdict:
    """A verdict on consistency, with these scenes."""
    rows = (
        Guarantee(name="read your writes", cohort="sticky", promised=True, observed=1200, violations=1),
        Guarantee(name="read your writes", cohort="moved", promised=False, observed=80, violations=7),
        Guarantee(name="lost", cohort="europe", promised=True, observed=450, violations=0),
    )
    verdict = a_verdict(Outcome.FAIL, check="consistency")
    return msgspec.structs.replace(verdict, guarantees=rows, scenes=scenes or (a_scene(),))


def consistent(*found: Visibility) -> Verdict:
    """A verdict on consistency that tells how soon others saw what was written."""
    return msgspec.structs.replace(a_verdict(check="consistency"), visibility=found)


def some_verdicts(*others: Verdict, valid: bool = True, stopped: bool = False, clean: bool = True) -> Verdicts:
    """Validity and the others; the worst counts."""
    outcome = Outcome.PASS if valid else Outcome.INCONCLUSIVE
    sentence = "The run is valid." if valid else "The generator was late."
    validity = Verdict(check="validity", name="validity of the run", outcome=outcome, sentence=sentence)
    everything = (validity, *others)
    return Verdicts(
        run_id="2026-11-22T051108Z-synthetic-7f3a",
        outcome=worst([verdict.outcome for verdict in everything]),
        stopped=stopped,
        clean=clean,
        verdicts=everything,
    )


def of_each_kind() -> Verdicts:
    return some_verdicts(a_verdict(Outcome.PASS), a_verdict(Outcome.FAIL), a_verdict(Outcome.INCONCLUSIVE))


def a_full_run() -> RunBuilder:
    """A run with something of everything: overload, a fault that bites, degradation, errors."""
    return (
        a_run()
        .with_fault(at_s=30, lasts_s=10)
        .with_overload(from_s=28, to_s=45, per_s=300)
        .with_inputs(from_s=31, to_s=38, latency_p99_ms=450)
        .with_errors(from_s=33, to_s=36, share=0.1)
        .expecting(SloCheck(phase="disturbed", p99=Seconds(0.4), goodput_ratio=Ratio(0.5), within=Seconds(0.5)))
    )


def of_four_regions() -> RunBuilder:
    """Four controllers; that of europe goes to SURVIVAL at T+30 s and is back at NORMAL at T+50 s."""
    target = the_target()
    here = target.services[CONTROLLER]
    others = {
        f"{region}-controller": msgspec.structs.replace(here, region=region) for region in ("us-west", "europe", "asia")
    }

    def all_controllers(metrics: pd.DataFrame) -> pd.DataFrame:
        mine = metrics[metrics["service"] == CONTROLLER]
        copies = [mine.assign(service=name) for name in others]
        frame = pd.concat([metrics, *copies], ignore_index=True)
        lost = (frame["service"] == "europe-controller") & (frame["metric"] == target.metrics.level)
        frame.loc[lost & frame["at_s"].between(30.0, 49.9), "value"] = 4.0
        return frame.sort_values("at_s", ignore_index=True)

    wider = msgspec.structs.replace(target, services={**target.services, **others})
    return a_run().with_target(wider).altering_metrics(all_controllers)


def an_empty_run() -> Run:
    """A run of which nothing but the plan was recorded."""
    return (
        a_run()
        .with_fault()
        .altering_requests(lambda frame: frame.iloc[:0])
        .altering_metrics(lambda frame: frame.iloc[:0])
        .altering_events(lambda events: [])
        .altering_controller_log(lambda lines: [])
        .unsealed("The requests are missing.")
        .built()
    )


def a_dead_run(*, at_s: float = 33.0) -> Run:
    """A run whose harness died: readable up to then, never sealed."""
    return (
        a_run()
        .with_fault(at_s=30, lasts_s=10)
        .altering_requests(lambda frame: frame[frame["finished_s"] < at_s])
        .altering_metrics(lambda frame: frame[frame["at_s"] < at_s])
        .altering_events(lambda events: [event for event in events if event.at_ns < at(at_s)])
        .unsealed("The run was never sealed.")
        .built()
    )


def a_stopped_run(by: Literal["operator", "stop_condition", "error"] = "stop_condition", *, at_s: float = 40.0) -> Run:
    def stop(events: list[rows.Event]) -> list[rows.Event]:
        before = [event for event in events if event.at_ns < at(at_s)]
        reason = "error_ratio was above 90% for 5 s"
        stopped = rows.RunStopped(at_ns=at(at_s), by=by, reason=reason)
        return [*before, stopped, rows.RunEnded(at_ns=at(at_s + 2), clean=True)]

    def cut(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["scheduled_s"] < at_s]

    return a_run().with_fault(at_s=30, lasts_s=5).altering_requests(cut).altering_events(stop).built()


def a_hostile_run() -> Run:
    """A run whose every written word tries to break out of the page."""
    run = a_full_run().altering_controller_log(_with_hostile_alert).altering_events(_with_hostile_details).built()
    plan = msgspec.structs.replace(
        run.plan,
        experiment=HOSTILE,
        title=HOSTILE,
        hypothesis=HOSTILE,
        source=HOSTILE,
        variables={HOSTILE: HOSTILE},
        target=msgspec.structs.replace(run.plan.target, name=HOSTILE),
        phases=tuple(msgspec.structs.replace(span, name=HOSTILE + span.name) for span in run.plan.phases),
    )
    made = msgspec.structs.replace(run.environment, run_id=HOSTILE, command=(HOSTILE,), versions={HOSTILE: HOSTILE})
    return replace(run, plan=plan, environment=made, damage=(HOSTILE,))


def hostile_verdicts() -> Verdicts:
    sour = a_verdict(Outcome.FAIL, check=HOSTILE, name=HOSTILE, sentence=HOSTILE)
    figures = (msgspec.structs.replace(sour.figures[0], name=HOSTILE, accept=HOSTILE, reason=HOSTILE, unit=HOSTILE),)
    evidence = (Evidence(at_s=1.0, sentence=HOSTILE, source="logs"),)
    sour = msgspec.structs.replace(sour, figures=figures, evidence=evidence)
    bad_act = Act(session=1, region=HOSTILE, kind="write", start_s=1.0, end_s=2.0, words=HOSTILE)
    scene = Scene(title=HOSTILE, sentence=HOSTILE, promised=True, acts=(bad_act,), arrows=())
    row = Guarantee(name=HOSTILE, cohort=HOSTILE, promised=True, observed=1, violations=1)
    sour = msgspec.structs.replace(sour, scenes=(scene,), guarantees=(row,))
    return msgspec.structs.replace(some_verdicts(sour), run_id=HOSTILE)


def _with_hostile_alert(lines: list[dict[str, object]]) -> list[dict[str, object]]:
    return [*lines, {"at_s": 31.0, "event": "alert_fired", "alert": HOSTILE}]


def _with_hostile_details(events: list[rows.Event]) -> list[rows.Event]:
    changed: list[rows.Event] = []
    for event in events:
        spoken = isinstance(event, rows.FaultEdge | rows.CanaryReading)
        changed.append(msgspec.structs.replace(event, detail=HOSTILE) if spoken else event)
    return changed


def summary_of(run: Run, verdicts: Verdicts | None = None) -> Summary:
    return summarise(run, verdicts or some_verdicts(a_verdict()))


def series_in(run: Run, *, within_s: float = 1.0) -> Series:
    columns = columns_of(run.requests)
    return series_of(run, columns, good_mask(columns, within_s), end_s=run.plan.duration_s)


def in_folder(run: Run, folder: Path) -> Run:
    return replace(run, folder=folder)
