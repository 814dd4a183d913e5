from dataclasses import replace

import pytest

from harness.experiment.faults import (
    Direction,
    DownFault,
    KillFault,
    LatencyFault,
    PartitionFault,
    RegionCutFault,
    RegionFlapFault,
    RegionOutageFault,
    RestartFault,
    WrittenFault,
)
from harness.units import Seconds
from harness.verify.failover.faults import outages_of
from harness.verify.moments import Moment
from tests.harness.a_run import a_run
from tests.harness.simulation import LINK
from tests.harness.verify.a_failover import STRUCK_S, a_failover, a_target

AT, LASTS = Seconds(5.0), Seconds(20.0)


def test_an_outage_begins_with_its_first_part_and_is_over_with_its_last() -> None:
    (outage,) = outages_of(a_failover().built(), "us-east")

    assert outage.began == Moment(at_s=STRUCK_S, earliest_s=STRUCK_S, latest_s=STRUCK_S + 0.1, source="events")
    assert (outage.fault, outage.kind, outage.unverified) == ("fault-1", "region_outage", ())
    assert outage.parts > 1
    assert outage.reverted_s == pytest.approx(50.1)


def test_an_outage_of_which_a_part_was_not_confirmed_says_which() -> None:
    (outage,) = outages_of(replace(a_failover(), confirmed=False).built(), "us-east")

    assert len(outage.unverified) == outage.parts
    assert outage.unverified[0].startswith("fault-1.us-east-")


def test_an_outage_that_was_never_injected_has_no_beginning() -> None:
    (outage,) = outages_of(replace(a_failover(), injected=False).built(), "us-east")

    assert (outage.began, outage.reverted_s) == (None, None)


@pytest.mark.parametrize(
    ("fault", "region", "kind"),
    [
        (RegionCutFault(region="north", at=AT, lasts=LASTS), "north", "region_cut"),
        (RegionFlapFault(region="north", at=AT, lasts=LASTS, every=Seconds(5.0)), "north", "region_flap"),
        (KillFault(service="us-east-gateway", at=AT, lasts=LASTS), "us-east", "kill"),
        (RestartFault(service="us-east-postgres", at=AT), "us-east", "restart"),
        (DownFault(link=LINK, at=AT, lasts=LASTS), "us-east", "down"),
    ],
)
def test_faults_on_a_region_and_in_it_are_outages(fault: WrittenFault, region: str, kind: str) -> None:
    (outage,) = outages_of(a_run().with_fault(fault).built(), region)

    assert outage.kind == kind
    assert outage.began is not None
    assert outage.began.at_s == 30.0


def test_where_the_whole_region_is_struck_single_faults_in_it_are_not_meant() -> None:
    slow = LatencyFault(link=LINK, at=Seconds(1.0), lasts=LASTS, latency=Seconds(0.1))
    whole = RegionOutageFault(region="us-east", at=AT, lasts=LASTS)
    run = a_run().with_target(a_target()).with_fault(slow)

    assert [outage.kind for outage in outages_of(run.built(), "us-east")] == ["latency"]
    assert [outage.kind for outage in outages_of(run.with_fault(whole).built(), "us-east")] == ["region_outage"]


@pytest.mark.parametrize("direction", Direction)
def test_a_partition_takes_no_region_from_its_users(direction: Direction) -> None:
    fault = PartitionFault(between=("north", "south"), at=AT, lasts=LASTS, direction=direction)

    assert outages_of(a_run().with_fault(fault).built(), "north") == []


def test_a_fault_elsewhere_strikes_nobody_here() -> None:
    assert outages_of(a_failover().built(), "europe") == []
