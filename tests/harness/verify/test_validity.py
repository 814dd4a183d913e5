"""Each condition of a valid run, broken alone; none of them blames the system."""

from collections.abc import Callable

import msgspec
import pandas as pd
import pytest

from harness.clock import NS_PER_S
from harness.experiment.faults import KillFault, RestartFault
from harness.experiment.load import Arrivals
from harness.record import rows
from harness.units import Seconds
from harness.verify.validity import check_validity
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import CONTROLLER, REPLICAS, at, with_run_time
from tests.harness.verify.a_full_run import a_full_run, figure, guilty

Events = list[rows.Event]


def _late(*, by_ms: float, share: float, from_s: float = 0.0, to_s: float = 99.0) -> Callable[..., pd.DataFrame]:
    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        hit = (frame.index % round(1 / share) == 0) & frame["scheduled_s"].between(from_s, to_s)
        frame.loc[hit, ["sent_ns", "finished_ns"]] += int(by_ms * 1e6)
        return with_run_time(frame)

    return changed


def _unsent(share: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        hit = frame.index % round(1 / share) == 0
        frame.loc[hit, "sent_ns"] = rows.NOT_SENT_NS
        frame.loc[hit, ["outcome", "error"]] = ["not_sent", "client_limit"]
        frame.loc[hit, ["level", "status"]] = [-1, 0]
        frame["served_by"] = frame["served_by"].astype(object).mask(hit, "")
        return with_run_time(frame)

    return changed


def _no_scrapes(service: str, from_s: float, to_s: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame[~((frame["service"] == service) & frame["at_s"].between(from_s, to_s))]


def _with(*added: rows.Event) -> Callable[[Events], Events]:
    return lambda events: sorted([*events, *added], key=lambda event: event.at_ns)


def _without(kind: type[rows.Event]) -> Callable[[Events], Events]:
    return lambda events: [event for event in events if not isinstance(event, kind)]


def _readings(stage: str, *, agrees: bool) -> Callable[[Events], Events]:
    def changed(events: Events) -> Events:
        return [
            msgspec.structs.replace(event, agrees=agrees)
            if isinstance(event, rows.CanaryReading) and event.stage == stage
            else event
            for event in events
        ]

    return changed


def _set_back(log: list[dict[str, object]]) -> list[dict[str, object]]:
    """From the second line on the wall clock is an hour behind."""
    return [{**line, "at_s": float(str(line["at_s"])) - 3600.0 * bool(index)} for index, line in enumerate(log)]


def test_a_healthy_run_is_valid() -> None:
    validity = check_validity(a_full_run().built())

    assert validity.verdict.outcome is Outcome.PASS, validity.verdict.sentence
    assert (validity.evidence_holds, validity.was_steady) == (True, True)


@pytest.mark.parametrize("seed", range(5))
def test_random_arrivals_are_on_schedule(seed: int) -> None:
    run = a_run().with_rate(3.0, Arrivals.POISSON).with_seed(seed).built()

    assert not [name for name in guilty(check_validity(run).verdict) if "arrivals" in name or "offered" in name]


def _sent_again(attempt: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A tenth of all requests twice, the second one as this attempt."""
    return lambda frame: (
        pd.concat([frame, frame.iloc[::10].assign(attempt=attempt)])
        .sort_values("scheduled_ns", kind="stable", ignore_index=True)
        .astype({"attempt": frame["attempt"].dtype})
    )


@pytest.mark.parametrize(("attempt", "holds"), [(2, True), (1, False)])
def test_what_visitors_send_again_is_no_part_of_the_plan(attempt: int, holds: bool) -> None:
    run = a_run().altering_requests(_sent_again(attempt)).built()

    assert check_validity(run).evidence_holds is holds


FAULTED = a_run().with_fault()
KILLED = a_run().with_fault(KillFault(service=CONTROLLER, at=Seconds(5.0), lasts=Seconds(10.0)))  # from 30 s to 40 s


@pytest.mark.parametrize(
    ("why", "run", "culprit"),
    [
        ("late", a_run().altering_requests(_late(by_ms=20, share=0.05)), "generator lag p99"),
        ("unsent", a_run().altering_requests(_unsent(0.01)), "requests the generator could not send"),
        (
            "a second without requests",
            a_run().altering_requests(lambda f: f[~f["scheduled_s"].between(40, 41)]),
            "seconds with other arrivals than planned",
        ),
        ("a shard's requests lost", a_run().altering_requests(lambda f: f[f.index % 2 == 0]), "requests offered"),
        ("an empty record", a_run().altering_requests(lambda f: f.iloc[:0]), "requests with an outcome"),
        ("shard never done", a_run().altering_events(_without(rows.ShardState)), "load shards done"),
        (
            "shard died",
            a_run().altering_events(_with(rows.ShardState(at_ns=at(50), shard=0, state="died", detail="killed"))),
            "load shards done",
        ),
        (
            "somebody killed a service",
            a_run().altering_events(
                _with(
                    rows.ServiceExited(
                        at_ns=at(50), service=REPLICAS[0], expected=False, detail="exit code 137", by_somebody=True
                    )
                )
            ),
            "services that somebody else ended",
        ),
        (
            "scrape hole",
            a_run().altering_metrics(_no_scrapes(REPLICAS[0], 40, 45)),
            f"longest hole in the scrapes of {REPLICAS[0]}",
        ),
        (
            "never scraped",
            a_run().altering_metrics(_no_scrapes(REPLICAS[1], -9, 99)),
            f"longest hole in the scrapes of {REPLICAS[1]}",
        ),
        (
            "scrapes end early",
            a_run().altering_metrics(_no_scrapes(REPLICAS[1], 70, 99)),
            f"longest hole in the scrapes of {REPLICAS[1]}",
        ),
        (
            "never scraped again after it was killed",
            KILLED.altering_metrics(_no_scrapes(CONTROLLER, 30, 99)),
            f"longest hole in the scrapes of {CONTROLLER}",
        ),
        (
            "not scraped before it was killed",
            KILLED.altering_metrics(_no_scrapes(CONTROLLER, 26, 41)),
            f"longest hole in the scrapes of {CONTROLLER}",
        ),
        ("clock set back", a_full_run().altering_controller_log(_set_back), "step back of the wall clock"),
        ("not sealed", a_run().unsealed(), "damage to the record"),
        (
            "stopped",
            a_run().altering_events(_with(rows.RunStopped(at_ns=at(60), by="operator", reason="Ctrl-C"))),
            "end of the run",
        ),
        ("died", a_run().altering_events(_without(rows.RunEnded)), "end of the run"),
        ("does not bite", a_run().with_fault(bites=False), "fault-1: shown to bite"),
        ("not confirmed gone", a_run().with_fault(reverted=False), "fault-1: shown to be gone"),
        ("no canary", FAULTED.altering_events(_without(rows.CanaryReading)), "fault-1: shown to bite"),
        ("never injected", FAULTED.altering_events(_without(rows.FaultEdge)), "fault-1: shown to bite"),
        ("still there", FAULTED.altering_events(_readings("after", agrees=False)), "fault-1: shown to be gone"),
        ("there before", FAULTED.altering_events(_readings("before", agrees=False)), "fault-1: path healthy before"),
    ],
)
def test_evidence_that_does_not_hold_is_inconclusive(why: str, run: RunBuilder, culprit: str) -> None:
    validity = check_validity(run.built())

    assert validity.verdict.outcome is Outcome.INCONCLUSIVE, why
    assert not validity.evidence_holds
    assert culprit in guilty(validity.verdict)


@pytest.mark.parametrize(
    ("why", "run", "culprit"),
    [
        (
            "degraded before the disturbance",
            a_run().with_inputs(from_s=10, to_s=12, cpu_ratio=0.8),
            "degraded time in the baseline",
        ),
        (
            "the level shown for a part of the baseline",
            a_run().altering_metrics(lambda f: f[~((f["metric"] == "degradation_level") & (f["at_s"] > 12))]),
            "degraded time in the baseline",
        ),
        (
            "errors before the disturbance",
            a_run().with_errors(from_s=5, to_s=25, share=0.03),
            "error ratio in the baseline",
        ),
        (
            "shed before the disturbance",
            a_run().altering_requests(
                lambda f: f.assign(outcome=f["outcome"].mask(f["scheduled_s"].between(9, 10), "shed"))
            ),
            "shed in the baseline",
        ),
        (
            "a service died by itself",
            a_run().altering_events(
                _with(rows.ServiceExited(at_ns=at(50), service=REPLICAS[0], expected=False, detail="exit code 137"))
            ),
            "services that ended by themselves",
        ),
    ],
)
def test_a_system_that_was_not_steady_is_another_doubt(why: str, run: RunBuilder, culprit: str) -> None:
    validity = check_validity(run.built())

    assert validity.verdict.outcome is Outcome.INCONCLUSIVE, why
    assert (validity.evidence_holds, validity.was_steady) == (True, False)
    assert guilty(validity.verdict) == [culprit]


def test_what_a_fault_does_to_its_own_target_is_no_hole() -> None:
    kill = KillFault(service=REPLICAS[0], at=Seconds(5.0), lasts=Seconds(10.0))
    exited = rows.ServiceExited(at_ns=at(30), service=REPLICAS[0], expected=True, detail="killed")
    run = a_run().with_fault(kill).altering_metrics(_no_scrapes(REPLICAS[0], 30, 41)).altering_events(_with(exited))

    assert check_validity(run.built()).verdict.outcome is Outcome.PASS


def test_of_a_hole_beside_an_attack_only_the_attack_is_excused() -> None:
    """What was killed at 30 s is healthy at 40.1 s, and has two seconds more to settle."""
    validity = check_validity(KILLED.altering_metrics(_no_scrapes(CONTROLLER, 30, 60)).built())

    found = figure(validity.verdict, f"longest hole in the scrapes of {CONTROLLER}")
    assert found.value == pytest.approx(60.05 - 42.1)
    assert found.reason == "from T+42.1 s"


def test_a_restart_has_no_during() -> None:
    restart = RestartFault(service=CONTROLLER, at=Seconds(5.0))
    run = (
        a_run()
        .with_fault(restart)
        .altering_events(
            lambda events: [e for e in events if not (isinstance(e, rows.CanaryReading) and e.stage == "during")]
        )
    )

    assert check_validity(run.built()).verdict.outcome is Outcome.PASS


def test_lag_while_a_fault_lasts_is_the_generators_too() -> None:
    run = a_run().with_fault().altering_requests(_late(by_ms=20, share=0.5, from_s=31, to_s=39))
    validity = check_validity(run.built())

    assert not validity.evidence_holds
    assert guilty(validity.verdict) == ["generator lag p99"]


def test_a_planned_overload_in_the_baseline_may_shed() -> None:
    run = a_run().with_rate(300.0).built()

    assert check_validity(run).was_steady


def test_a_disturbance_without_a_baseline_has_nothing_to_compare_with() -> None:
    run = a_run().with_phases(disturbed=30.0, recovery=20.0).with_fault(at_s=10.0).built()

    assert not check_validity(run).was_steady


def test_run_time_starts_with_the_load_and_not_with_the_clock() -> None:
    run = a_run().with_fault().built()
    evidence = check_validity(run).verdict.evidence[0]

    assert evidence.at_s == pytest.approx(30.0)
    assert run.events[0].at_ns > NS_PER_S
