"""A fault on a region is judged as one, and counts only if each of its parts bit and is shown to be gone."""

from collections.abc import Callable

import msgspec
import pytest

from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.faults import KillFault, RegionCutFault, RegionFlapFault, RegionOutageFault
from harness.record import rows
from harness.record.reader import Run
from harness.units import Seconds
from harness.verify import windows
from harness.verify.delivery import deliveries
from harness.verify.fault_validity import figures_of, moments_of
from harness.verify.judge import is_clean
from harness.verify.recovery import check_recovery
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import at

Events = list[rows.Event]
Change = Callable[[Events], Events]

CUT = RegionCutFault(region="north", at=Seconds(5), lasts=Seconds(10))  # 30 to 40 s of the run
OUTAGE = RegionOutageFault(region="north", at=Seconds(5), lasts=Seconds(10))
FLAP = RegionFlapFault(region="south", at=Seconds(5), lasts=Seconds(15), every=Seconds(5))
ONE_LINK = "fault-1.north.api->west.gateway"


def a_cut() -> RunBuilder:
    return a_run().with_fault(CUT)


def _changed(kind: type[rows.Event], fault: str, *, only: str, **fields: object) -> Change:
    """The same events, with some fields of one fault's events of a kind replaced; `only` is their action or stage."""

    def change(events: Events) -> Events:
        return [
            msgspec.structs.replace(event, **fields)
            if isinstance(event, kind) and _key(event) == (fault, only)
            else event
            for event in events
        ]

    return change


def _key(event: rows.Event) -> tuple[str, str]:
    """Fault and action or stage; empty for events of another kind."""
    match event:
        case rows.FaultEdge():
            return event.fault, event.action
        case rows.CanaryReading():
            return event.fault, event.stage
        case _:
            return "", ""


def _without(fault: str, word: str) -> Change:
    return lambda events: [event for event in events if _key(event) != (fault, word)]


def test_all_parts_that_bit_and_are_gone_are_one_valid_fault() -> None:
    run = a_cut().built()

    found = figures_of(run)

    assert [figure.name for figure in found] == [
        "fault-1: path healthy before",
        "fault-1: shown to bite",
        "fault-1: shown to be gone",
    ]
    assert {figure.outcome for figure in found} == {Outcome.PASS}
    assert [(figure.value, figure.unit) for figure in found[1:]] == [(9.0, "of 9 links")] * 2
    assert deliveries(run)[0].sentence() == "9 of 9 links carried nothing"


@pytest.mark.parametrize(
    ("sentence", "change", "broken", "reason"),
    [
        (
            "one part was not confirmed",
            _changed(rows.FaultEdge, ONE_LINK, only="inject", confirmed=False, detail="the canary has not shown it"),
            "fault-1: shown to bite",
            "not shown for north.api->west.gateway: that fault-1.north.api->west.gateway was injected was not "
            "confirmed: the canary has not shown it",
        ),
        (
            "one part was never injected",
            _without(ONE_LINK, "inject"),
            "fault-1: shown to bite",
            "fault-1.north.api->west.gateway was never injected",
        ),
        (
            "one part's canary saw nothing",
            _changed(rows.CanaryReading, ONE_LINK, only="during", agrees=False),
            "fault-1: shown to bite",
            "0 of 1 canary readings on north.api->west.gateway agree",
        ),
        ("one part has no reading", _without(ONE_LINK, "during"), "fault-1: shown to bite", "no canary took a reading"),
        (
            "one part is still there",
            _changed(rows.CanaryReading, ONE_LINK, only="after", agrees=False),
            "fault-1: shown to be gone",
            "not shown for north.api->west.gateway: 0 of 1 canary readings",
        ),
        (
            "one part was never reverted",
            _without(ONE_LINK, "revert"),
            "fault-1: shown to be gone",
            "fault-1.north.api->west.gateway was never reverted",
        ),
        (
            "one path was ill before",
            _changed(rows.CanaryReading, ONE_LINK, only="before", agrees=False, detail="reset"),
            "fault-1: path healthy before",
            "north.api->west.gateway: reset",
        ),
    ],
)
def test_one_part_alone_makes_the_fault_doubtful_and_is_named(
    sentence: str, change: Change, broken: str, reason: str
) -> None:
    found = figures_of(a_cut().altering_events(change).built())

    doubtful = [figure for figure in found if figure.outcome is not Outcome.PASS]
    assert [figure.name for figure in doubtful] == [broken], sentence
    assert doubtful[0].outcome is Outcome.INCONCLUSIVE
    assert reason in doubtful[0].reason


def test_readings_that_disagree_everywhere_now_and_then_are_too_many_together() -> None:
    def more(events: Events) -> Events:
        during = [event for event in events if isinstance(event, rows.CanaryReading) and event.stage == "during"]
        return [*events, *during, *(msgspec.structs.replace(event, agrees=False) for event in during)]

    bites = figures_of(a_cut().altering_events(more).built())[1]

    assert bites.value == 9.0
    assert bites.outcome is Outcome.INCONCLUSIVE
    assert bites.reason == "18 of 27 canary readings agree"


def test_many_missing_parts_are_not_all_named() -> None:
    run = a_run().with_fault(CUT, bites=False).built()

    sentence = deliveries(run)[0].sentence()

    assert sentence.startswith("0 of 9 links carried nothing; not shown for edge->north.gateway, ")
    assert sentence.endswith(" and 5 more")


def test_services_and_cuts_have_words_of_their_own() -> None:
    run = a_run().with_phases(baseline=25.0, disturbed=30.0).with_fault(OUTAGE).with_fault(FLAP).built()

    outage, flap = deliveries(run)

    assert outage.sentence() == "3 of 3 services were down"
    assert flap.sentence() == "10 of 10 cuts carried nothing"


def test_a_fault_without_parts_has_no_such_sentence() -> None:
    (one,) = deliveries(a_run().with_fault().built())

    assert one.sentence() == ""


# --- when it was ----------------------------------------------------------------------------------------------------


def test_the_moment_lies_between_the_first_inject_and_the_last_confirmed_one() -> None:
    first = _changed(rows.FaultEdge, ONE_LINK, only="inject", at_ns=at(29.9))
    last = _changed(rows.FaultEdge, "fault-1.edge->north.gateway", only="inject", done_ns=at(30.6))
    doubtful = _changed(
        rows.FaultEdge, "fault-1.west.api->north.gateway", only="inject", done_ns=at(33.0), confirmed=False
    )
    run = a_cut().altering_events(first).altering_events(last).altering_events(doubtful).built()

    (window,) = windows.fault_windows(run)

    assert (window.fault, window.kind, window.attacked, window.parts) == ("fault-1", "region_cut", "north", 9)
    assert window.inject_s == pytest.approx(29.9)
    assert window.in_effect_s == pytest.approx(30.6)
    assert window.spread_s == pytest.approx(0.7)
    assert "all of it" in moments_of(run)[0].sentence


def test_it_is_over_when_the_last_part_is_reverted() -> None:
    late = _changed(rows.FaultEdge, ONE_LINK, only="revert", done_ns=at(43.0))
    run = a_cut().altering_events(late).built()

    (window,) = windows.fault_windows(run)
    verdict = check_recovery(run, RecoveryCheck(rto=Seconds(10)))

    assert window.revert_s == pytest.approx(43.0)
    assert window.confirmed
    assert verdict.evidence[0].at_s == pytest.approx(43.0)


def test_it_has_no_end_while_one_part_has_none() -> None:
    run = a_cut().altering_events(_without(ONE_LINK, "revert")).built()

    (window,) = windows.fault_windows(run)

    assert (window.revert_s, window.confirmed) == (None, False)
    assert not is_clean(run)


def test_recovery_is_not_judged_while_a_part_was_never_injected() -> None:
    run = a_cut().altering_events(_without(ONE_LINK, "inject")).built()

    verdict = check_recovery(run, RecoveryCheck(rto=Seconds(10)))

    assert windows.fault_windows(run)[0].never_injected == (ONE_LINK,)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "not every planned fault was injected" in verdict.sentence


def test_a_flap_lasts_from_its_first_cut_to_the_end_of_its_last() -> None:
    (window,) = windows.fault_windows(a_run().with_fault(FLAP).built())

    assert window.inject_s == pytest.approx(30.0)
    assert window.revert_s == pytest.approx(45.1)
    assert window.in_effect_s == pytest.approx(30.1)


def test_each_service_of_an_outage_was_attacked() -> None:
    run = a_run().with_fault(OUTAGE).built()

    assert [window.start_s for window in windows.attacks_on(run, "north-api")] == [pytest.approx(30.0)]
    assert windows.attacks_on(run, "south-api") == []


def test_a_plain_fault_is_a_window_as_before() -> None:
    kill = KillFault(service="us-east-api-1", at=Seconds(5), lasts=Seconds(10))

    (window,) = windows.fault_windows(a_run().with_fault(kill).built())

    assert (window.kind, window.attacked, window.parts) == ("kill", "us-east-api-1", 1)


def test_nothing_was_planned() -> None:
    run: Run = a_run().built()

    assert (deliveries(run), figures_of(run), windows.fault_windows(run)) == ((), [], [])
