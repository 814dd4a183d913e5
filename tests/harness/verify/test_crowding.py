"""Something else uses the machine: what the system broke meanwhile may not be its own doing."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from harness.experiment.expectations.slo import SloCheck
from harness.experiment.faults import KillFault
from harness.record import rows
from harness.record.reader import Run
from harness.units import Seconds
from harness.verify.crowding import OTHERS, WAITED, crowded_s, crowding_of
from harness.verify.judge import judge
from harness.verify.validity import check_validity
from harness.verify.verdict import Outcome, Verdict
from tests.harness.a_run import a_run
from tests.harness.simulation import REPLICAS, at
from tests.harness.verify.a_failover import AWAY, a_failover
from tests.harness.verify.a_full_run import CHECKS, a_full_run, figure, guilty
from tests.harness.verify.failover.test_check import CHECK, wherever_they_are

Events = list[rows.Event]

STRICT = SloCheck(p99=Seconds(0.001))  # which nobody keeps


def machine(
    service: str = REPLICAS[1], *, waited: float, others: float | None, from_s: int = 40, to_s: int = 45
) -> Callable[[Events], Events]:
    """An event each five seconds; in the time between two instants one service waited, and others used the machine."""
    added = [
        rows.MachinePressure(
            at_ns=at(second),
            services_waiting=dict.fromkeys(REPLICAS, 0.02) | {service: waited if from_s < second <= to_s else 0.1},
            others_ratio=others if others is None or from_s < second <= to_s else 0.05,
        )
        for second in range(-10, 61, 5)
    ]
    return lambda events: sorted([*events, *added], key=lambda event: event.at_ns)


def crowded(run: Run) -> str:
    crowding = crowding_of(run)
    return crowding.sentence if crowding.spoils else ""


@pytest.mark.parametrize(
    ("waited", "others", "spoils"),
    [(0.6, 0.5, True), (0.31, 0.21, True), (0.29, 0.9, False), (0.9, 0.19, False), (0.9, None, False)],
)
def test_it_takes_a_long_wait_and_somebody_else_at_the_same_time(
    waited: float, others: float | None, *, spoils: bool
) -> None:
    run = a_full_run().altering_events(machine(waited=waited, others=others)).built()

    assert bool(crowded(run)) is spoils
    if spoils:
        assert f"from T+40.0 s on {REPLICAS[1]} waited for a CPU" in crowded(run)


def test_a_wait_now_and_somebody_else_later_are_two_things() -> None:
    first = machine(waited=0.9, others=0.05, from_s=40, to_s=45)
    later = machine(waited=0.1, others=0.9, from_s=50, to_s=55)

    assert not crowded(a_full_run().altering_events(first).altering_events(later).built())


def test_what_happens_before_the_load_does_not_count() -> None:
    starting = machine(waited=1.0, others=0.9, from_s=-10, to_s=0)

    assert not crowded(a_full_run().altering_events(starting).built())


def test_what_a_service_waits_while_it_is_itself_attacked_does_not_count() -> None:
    run = a_run().with_fault(KillFault(service=REPLICAS[0], at=Seconds(5.0), lasts=Seconds(10.0)))  # 30 s to 40 s

    def of(service: str) -> str:
        return crowded(run.altering_events(machine(service, waited=0.9, others=0.9, from_s=30, to_s=40)).built())

    assert not of(REPLICAS[0])
    assert of(REPLICAS[1])


def test_a_fail_becomes_inconclusive_and_a_pass_stays_one() -> None:
    run = a_full_run().expecting(*CHECKS, STRICT)
    alone = judge(run.built())
    beside = judge(run.altering_events(machine(waited=0.9, others=0.6)).built())

    assert alone.outcome is Outcome.FAIL
    assert [verdict.outcome for verdict in beside.verdicts[:-1]] == [Outcome.PASS] * (len(beside.verdicts) - 1)
    assert beside.verdicts[-1].outcome is Outcome.INCONCLUSIVE
    assert beside.verdicts[-1].sentence.startswith("Something else used this machine: from T+40.0 s")
    assert "It would have been a fail" in beside.verdicts[-1].sentence
    assert "Something else used this machine" in beside.verdicts[0].sentence, "and validity says so where all passed"


def test_how_long_the_machine_was_crowded_is_counted_in_all() -> None:
    run = a_full_run().altering_events(machine(waited=0.9, others=0.6, from_s=20, to_s=35))

    assert crowded_s(run.built()) == pytest.approx(15.0)
    assert crowded_s(a_full_run().built()) == 0.0


def test_what_no_want_of_cpu_can_break_stays_broken() -> None:
    unmarked = a_full_run().altering_requests(lambda frame: frame.assign(shed_reason=""))
    verdicts = judge(unmarked.altering_events(machine(waited=0.9, others=0.6)).expecting(*CHECKS, STRICT).built())
    shedding, strict = (verdicts.verdicts[place] for place in (3, -1))

    assert (verdicts.outcome, shedding.outcome, strict.outcome) == (Outcome.FAIL, Outcome.FAIL, Outcome.INCONCLUSIVE)
    assert shedding.sentence.startswith("refusals without marker or status 503: expected 0, measured ")
    assert "Something else used this machine: from T+40.0 s" in shedding.sentence
    assert shedding.sentence.endswith("That does not explain: refusals without marker or status 503.")


@pytest.mark.slow
def test_two_regions_that_write_are_no_matter_of_time_though_all_else_was_late() -> None:
    late = a_failover().sent_away_at(AWAY.at_s + 8.0)

    def judged(run: Run) -> Verdict:
        events = machine(waited=0.9, others=0.6, from_s=20, to_s=25)([*run.events])
        return judge(
            replace(run, plan=msgspec.structs.replace(run.plan, expect=(CHECK,)), events=tuple(events))
        ).verdicts[1]

    assert judged(late.built()).outcome is Outcome.INCONCLUSIVE
    verdict = judged(late.altering(wherever_they_are).built())
    assert guilty(verdict)[0] == "recovery time"
    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.endswith("That does not explain: writes by more than one region.")


def test_a_system_that_waits_for_itself_is_to_blame() -> None:
    run = a_full_run().expecting(STRICT).altering_events(machine(waited=0.9, others=0.1)).built()

    assert judge(run).outcome is Outcome.FAIL
    assert "This machine is small for this run" in judge(run).verdicts[0].sentence


def test_both_figures_are_reported() -> None:
    verdict = check_validity(a_full_run().altering_events(machine(waited=0.4, others=0.3)).built()).verdict

    assert figure(verdict, WAITED).value == pytest.approx(0.4)
    assert figure(verdict, OTHERS).value == pytest.approx(0.3)


def test_a_record_that_does_not_tell_has_no_such_figures() -> None:
    older = [rows.MachinePressure(at_ns=at(second), cpu_waiting_ratio=0.9) for second in range(60)]
    run = a_full_run().altering_events(lambda events: sorted([*events, *older], key=lambda event: event.at_ns)).built()

    assert crowding_of(run).figures == ()
