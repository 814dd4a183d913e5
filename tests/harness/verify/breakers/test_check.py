"""The whole check on built histories: what turns which figure red, and what proves nothing."""

from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.breakers import BreakersCheck
from harness.experiment.faults import RestartFault
from harness.record.reader import Run
from harness.target.promises import BreakersPromise
from harness.units import Ratio, Seconds
from harness.verify.breakers.check import check_breakers
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.verify.a_full_run import figure, guilty
from tests.harness.verify.breakers.a_history import OPEN_FOR_S, History

CHECK = BreakersCheck(dependencies=("redis",), opens_within=Seconds(2), closes_within=Seconds(3))
OPENED, HELD, CLOSED = (f"redis in fault-1: {what}" for what in ("opened after", "closed while", "closed again after"))
FEW, STEP, LEAKED = "redis: probes a second", "probes sent together", "connections in use"


def test_breakers_that_open_probe_and_close() -> None:
    verdict = check_breakers(History().built(), CHECK)

    assert verdict.outcome is Outcome.PASS, verdict.sentence
    assert figure(verdict, OPENED).value == pytest.approx(0.2)
    assert figure(verdict, CLOSED).value == pytest.approx(0.5, abs=0.11)
    assert 1.0 < (figure(verdict, FEW).value or 0.0) < 1 / OPEN_FOR_S
    assert (figure(verdict, STEP).value or 0.0) < 0.4
    assert msgspec.json.encode(verdict), "numbers are Python's own"
    assert [moment.sentence for moment in verdict.evidence] == ["The first breaker for redis of 2 replicas opens."]


FAILS = [
    ("opens late", History(opens=2.5), [OPENED]),
    ("never opens", History(opens=None), [OPENED, HELD, CLOSED, FEW, STEP]),
    ("closes late", History(closes=4.0), [CLOSED]),
    ("never closes", History(closes=None), [CLOSED]),
    ("closes while nothing can succeed", History(also=((33.0, "closed"), (33.1, "open"))), [HELD]),
    ("opens once more and stays so", History(also=((45.0, "open"),)), [CLOSED]),
    ("probes as often as it likes", History(pause_s=lambda _: 0.3, phase_s=(0.0, 0.15)), [FEW]),
    ("probes more than it logs", History(unlogged_probes=30.0), [FEW]),
    ("probes in step", History(same_seed=True), [STEP]),
    ("leaks a connection", History(in_use=1.0), [LEAKED]),
]


@pytest.mark.parametrize(("history", "red"), [row[1:] for row in FAILS], ids=[row[0] for row in FAILS])
def test_what_turns_it_red(history: History, red: list[str]) -> None:
    verdict = check_breakers(history.built(), CHECK)

    assert msgspec.json.encode(verdict)
    assert verdict.outcome is Outcome.FAIL
    assert [name[: len(begins)] for name, begins in zip(guilty(verdict), red, strict=True)] == red


def test_a_log_line_just_before_the_revert_may_have_been_written_just_after_it() -> None:
    early = History(closes=-0.15, also=())

    assert figure(check_breakers(early.built(), CHECK), HELD).outcome is Outcome.PASS


def test_replicas_that_pause_alike_and_out_of_phase_are_not_in_step() -> None:
    """Only probes at the same moment hurt what is coming back."""
    verdict = check_breakers(History(pause_s=lambda _: 0.75, phase_s=(0.0, 0.3)).built(), CHECK)

    assert figure(verdict, STEP).value == pytest.approx(1 / 14, abs=0.01), "the last ones, which succeed"
    assert figure(verdict, STEP).outcome is Outcome.PASS


def test_a_leak_may_be_allowed() -> None:
    check = msgspec.structs.replace(CHECK, leaked=2)

    assert check_breakers(History(in_use=2.0).built(), check).outcome is Outcome.PASS
    assert guilty(check_breakers(History(in_use=3.0).built(), check)) == ["connections in use without a request"]


def test_where_no_breaker_was_asked_about_none_is_said_to_have_opened() -> None:
    verdict = check_breakers(History(opens=None).built(), BreakersCheck())

    assert verdict.sentence == "Nothing was left over: connections in use without a request 0."


def test_of_several_faults_each_is_judged_until_the_next() -> None:
    history = History(also=((50.3, "open"), (50.9, "half_open"), (50.902, "closed")), builder=a_run().with_fault())

    verdict = check_breakers(history.built(), CHECK)

    assert [name for name in guilty(verdict) if "fault-1" in name] == [], "a latency fault cuts nothing off"


def test_empty_records_prove_nothing() -> None:
    assert check_breakers(a_run().built(), CHECK).outcome is Outcome.INCONCLUSIVE
    assert check_breakers(a_run().built(), BreakersCheck()).outcome is Outcome.INCONCLUSIVE


def _renamed(run: Run) -> Run:
    """Their breakers have probed, by their counters."""
    logs = {who: tuple({**line, "event": "circuit"} for line in its) for who, its in run.logs.items()}
    return replace(run, logs=logs)


def _silent(run: Run) -> Run:
    frame = run.metrics
    mine = (frame["service"] == "us-east-api-2") & (frame["metric"] == "circuit_breaker_probes_total")
    return replace(run, metrics=frame[~mine])


def _restarted() -> RunBuilder:
    """Before the fault on Redis in the plan, and while it lasts in time."""
    return a_run().with_fault(RestartFault(service="us-east-api-1", at=Seconds(7.0)))


DOUBTS = [
    ("no fault", History(faults=False).built, "no fault cut it off"),
    ("no logs", lambda: replace(History().built(), logs={}), "says nothing of it"),
    ("a log that calls it otherwise", lambda: _renamed(History().built()), "says nothing of it"),
    ("one replica shows no breaker", lambda: _silent(History().built()), "us-east-api-2 shows none"),
    ("the replica itself was struck", History(also=(), builder=_restarted()).built, "was struck or ended itself"),
    ("no breaker", lambda: _without(History().built(), "circuit_breaker_probes_total"), "no replica shows a breaker"),
    ("open before", History(also=((20.0, "open"),)).built, "had not closed it before"),
    ("the pool is not shown", lambda: _without(History().built(), "postgres_pool_in_use"), "was scraped 0 times"),
    ("always at work", lambda: _busy(History().built()), "was scraped 0 times without a request at work"),
]


@pytest.mark.parametrize(("run", "says"), [row[1:] for row in DOUBTS], ids=[row[0] for row in DOUBTS])
def test_what_the_record_does_not_tell(run: object, says: str) -> None:
    assert callable(run)
    verdict = check_breakers(run(), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert says in verdict.sentence or any(says in each.reason or says in each.name for each in verdict.figures)


def test_a_replica_that_nobody_asked_anything_had_no_occasion_to_open() -> None:
    history = History(opens=None)
    quiet = replace(history, builder=history.builder.altering_metrics(lambda frame: frame[frame["metric"] != CALLS]))

    verdict = check_breakers(quiet.built(), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "surely made 0 calls" in figure(verdict, OPENED).reason


def test_calls_from_before_the_fault_are_no_occasion_to_open() -> None:
    """From the injection on nobody comes any more; the scrape before it had been half a second earlier."""

    def until_the_fault(frame: pd.DataFrame) -> pd.DataFrame:
        calls = (frame["metric"] == CALLS) & (frame["at_s"] > 30.0)
        last = frame["value"][(frame["metric"] == CALLS) & (frame["at_s"] <= 30.6)].max()
        return frame.assign(value=frame["value"].mask(calls, last))

    history = History(opens=None, builder=a_run().altering_metrics(until_the_fault))

    assert "surely made 0 calls" in figure(check_breakers(history.built(), CHECK), OPENED).reason


CALLS = "dependency_calls_total"


def test_a_revert_that_was_not_confirmed_leaves_open_when_it_closed() -> None:
    history = History()
    run = history.built()
    events = tuple(
        msgspec.structs.replace(event, confirmed=False) if getattr(event, "action", "") == "revert" else event
        for event in run.events
    )

    verdict = check_breakers(replace(run, events=events), CHECK)

    assert figure(verdict, CLOSED).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("jitter", "accept"), [(0.0, "100 %"), (0.5, "40 %"), (1.0, "20 %"), (2.0, "20 %")])
def test_how_often_probes_coincide_by_chance(jitter: float, accept: str) -> None:
    run = History().built()
    promises = msgspec.structs.replace(
        run.plan.target.promises, breakers=BreakersPromise(open_for=Seconds(OPEN_FOR_S), jitter=Ratio(jitter))
    )
    target = msgspec.structs.replace(run.plan.target, promises=promises)

    verdict = check_breakers(replace(run, plan=msgspec.structs.replace(run.plan, target=target)), CHECK)

    assert figure(verdict, STEP).accept == f"at most {accept}, as by chance"


def test_few_probes_tell_nothing_of_their_step() -> None:
    verdict = check_breakers(History(pause_s=lambda _: 4.0).built(), CHECK)

    assert figure(verdict, STEP).outcome is Outcome.INCONCLUSIVE
    assert "too few probes" in figure(verdict, STEP).reason


# --- work that nobody waited for ---


def _given_up(history: History, *, deadline_s: float = 1.5) -> Run:
    builder = history.builder.with_errors(from_s=32, to_s=36, error="deadline")
    run = replace(history, builder=builder).built()
    load = msgspec.structs.replace(run.plan.load, deadline=Seconds(deadline_s))
    return replace(run, plan=msgspec.structs.replace(run.plan, load=load))


LATE = msgspec.structs.replace(CHECK, late=Ratio(0.05))


def test_what_users_gave_up_and_replicas_too() -> None:
    verdict = check_breakers(_given_up(History()), LATE)

    assert verdict.outcome is Outcome.PASS, verdict.sentence
    assert figure(verdict, "worked on for more than 1.5 s").samples == 400


@pytest.mark.parametrize(("late", "outcome"), [(10.0, Outcome.PASS), (11.0, Outcome.FAIL)])
def test_replicas_that_work_on_for_nobody(late: float, outcome: Outcome) -> None:
    """Two replicas, and a twentieth of four hundred."""
    verdict = check_breakers(_given_up(History(late=late)), LATE)

    assert msgspec.json.encode(verdict)
    assert verdict.outcome is outcome
    assert guilty(verdict) == (["worked on for more than 1.5 s"] if outcome is Outcome.FAIL else [])


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (lambda: History().built(), "nobody gave up waiting"),
        (lambda: _given_up(History(), deadline_s=1.9), "no replica shows how many took longer than 2.15 s"),
        (lambda: _given_up(History(), deadline_s=0.8), "no replica shows how many took longer than 1.05 s"),
        (lambda: _silent_of_durations(_given_up(History())), "not every replica shows how many took longer"),
    ],
)
def test_when_nothing_is_known_of_late_work(run: object, says: str) -> None:
    assert callable(run)
    verdict = check_breakers(run(), LATE)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert says in verdict.sentence


def _silent_of_durations(run: Run) -> Run:
    frame = run.metrics
    mine = (frame["service"] == "us-east-api-2") & (frame["metric"] == "http_request_duration_seconds_bucket")
    return replace(run, metrics=frame[~mine])


def _without(run: Run, metric: str) -> Run:
    return replace(run, metrics=run.metrics[run.metrics["metric"] != metric])


def _busy(run: Run) -> Run:
    metrics = run.metrics.copy()
    metrics.loc[metrics["metric"] == "requests_at_work", "value"] = 1.0
    return replace(run, metrics=metrics)
