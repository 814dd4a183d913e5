"""Whatever a fault on a region was written out as, a report shows it as one fault."""

from dataclasses import replace

import msgspec
import pytest

from harness.experiment.faults import Direction, PartitionFault, RegionCutFault, RegionFlapFault
from harness.record import rows
from harness.record.reader import Run
from harness.report import headline
from harness.report.junit import junit_xml
from harness.report.lanes import happenings
from harness.report.markdown import report_markdown
from harness.report.story import FaultStory
from harness.units import Seconds
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.report import some

CUT = RegionCutFault(region="north", at=Seconds(5), lasts=Seconds(10))
FLAP = RegionFlapFault(region="south", at=Seconds(5), lasts=Seconds(15), every=Seconds(5))
ONE_LINK = "fault-1.north.api->west.gateway"


def with_one(action: str) -> RunBuilder:
    """A region that was cut, all but one of whose links had their call confirmed."""

    def change(events: list[rows.Event]) -> list[rows.Event]:
        return [
            msgspec.structs.replace(event, confirmed=False)
            if isinstance(event, rows.FaultEdge) and (event.fault, event.action) == (ONE_LINK, action)
            else event
            for event in events
        ]

    return a_run().with_fault(CUT).altering_events(change)


def the_fault(run: Run) -> FaultStory:
    (fault,) = some.summary_of(run).faults
    return fault


def test_many_parts_are_one_fault_with_its_dose_in_a_sentence() -> None:
    fault = the_fault(a_run().with_fault(CUT).built())

    assert (fault.id, fault.kind, fault.where, fault.settings) == ("fault-1", "region_cut", "north", "")
    assert len(fault.parts) == 9
    assert (fault.inject.requested_s, fault.revert.requested_s) == (30, 40)
    assert (fault.inject.confirmed, fault.inject.detail) == (True, "all 9 links")
    assert [(taken.many, taken.agreeing) for taken in fault.readings] == [(9, 9)] * 3
    assert headline.told(fault) == "fault-1 (region_cut on north): 30.0–40.1 s; 9 of 9 links carried nothing."


def test_a_part_that_was_not_confirmed_is_named() -> None:
    fault = the_fault(with_one("inject").built())

    assert not fault.inject.confirmed
    assert fault.inject.detail == "not for north.api->west.gateway"
    assert fault.delivered == "8 of 9 links carried nothing; not shown for north.api->west.gateway"


def test_a_part_that_is_not_shown_to_be_reverted_is_named_where_it_is_loudest() -> None:
    run = with_one("revert").built()
    summary = some.summary_of(run, some.some_verdicts(clean=False))

    assert any("fault-1 (north.api->west.gateway)" in warning for warning in summary.warnings)
    assert "not shown to be reverted (north.api->west.gateway)" in headline.told(summary.faults[0])


def test_trust_counts_one_fault() -> None:
    assert "1 of 1 fault shown to bite" in some.summary_of(a_run().with_fault(CUT).built()).trust
    assert "0 of 1 fault shown to bite" in some.summary_of(with_one("inject").built()).trust


def test_markdown_and_junit_say_it_in_one_line() -> None:
    summary = some.summary_of(a_run().with_fault(CUT).built())

    markdown, junit = report_markdown(summary, "report.html"), junit_xml(summary).decode()

    assert markdown.count("links carried nothing") == 1
    assert junit.count("fault-1 (region_cut on north)") == 1
    assert "edge->north.gateway" not in markdown


def test_there_is_one_lane_for_all_parts() -> None:
    run = a_run().with_fault(CUT).built()

    panel = happenings(run, some.summary_of(run))

    assert panel.figure.count('"fault-1"') > 0
    assert "fault-1." not in panel.figure
    assert "9 of 9 links carried nothing" in panel.figure


def test_a_flap_is_on_at_each_of_its_cuts_and_one_fault() -> None:
    fault = the_fault(a_run().with_fault(FLAP).built())

    assert fault.settings == "every 5s"
    assert [edge for span in fault.spans for edge in span] == pytest.approx([30.1, 35.1, 40.1, 45.1])
    assert fault.inject.done_s == pytest.approx(30.1)
    assert fault.revert.done_s == pytest.approx(45.1)
    assert fault.delivered == "10 of 10 cuts carried nothing"


@pytest.mark.parametrize(
    ("direction", "where"),
    [(Direction.BOTH, "north <-> south"), (Direction.FORTH, "north -> south"), (Direction.BACK, "north <- south")],
)
def test_a_partition_says_between_what_and_in_which_direction(direction: Direction, where: str) -> None:
    fault = PartitionFault(between=("north", "south"), at=Seconds(5), lasts=Seconds(10), direction=direction)

    assert the_fault(a_run().with_fault(fault).built()).where == where


def test_a_run_that_ended_before_its_fault_says_that_it_never_came() -> None:
    run = replace(a_run().with_fault(CUT).built(), events=())

    assert headline.told(the_fault(run)) == "fault-1 (region_cut on north): never injected."


def test_a_plain_fault_is_told_by_its_dose() -> None:
    told = headline.told(the_fault(a_run().with_fault().built()))

    assert told.endswith(": 30.0–40.1 s; dose 300 ms of 300 ms.")
