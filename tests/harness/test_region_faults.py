"""A fault on a region is written out as many on its services and links, and every mistake in one is told."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from harness.errors import ExitCode, ExperimentError
from harness.experiment.faults import (
    BlackholeFault,
    DestroyFault,
    Direction,
    KillFault,
    PartitionFault,
    PauseFault,
    RegionCutFault,
    RegionDestroyedFault,
    RegionFault,
    RegionFlapFault,
    RegionOutageFault,
    RegionPauseFault,
    place_of,
)
from harness.faults.catalogue import refusals
from harness.loader import load_experiment, load_fault, load_target
from harness.plan import PlannedFault, build_plan, planned_faults, whole_faults
from harness.region_faults import cuts_of, parts_of, whole_region
from harness.units import Seconds, dec_hook, enc_hook

REGIONS = Path(__file__).parent / "files" / "regions.yaml"
TARGET = load_target(REGIONS)
AT, LASTS = Seconds(5), Seconds(20)

SERVICES_OF_NORTH = ["north-gateway", "north-api", "north-postgres"]
LINKS_OF_NORTH = [
    "edge->north.gateway",
    "north.api->south.gateway",
    "north.api->west.gateway",
    "south.postgres->north.postgres",
    "west.postgres->north.postgres",
    "south.api->north.gateway",
    "north.postgres->south.postgres",
    "west.api->north.gateway",
    "north.postgres->west.postgres",
]


def partition(direction: Direction = Direction.BOTH) -> PartitionFault:
    return PartitionFault(between=("north", "south"), at=AT, lasts=LASTS, direction=direction)


# --- written out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "fault", "kind", "places"),
    [
        (
            "an outage kills all services but the Toxiproxy and what may not be attacked",
            RegionOutageFault(region="north", at=AT, lasts=LASTS),
            KillFault,
            SERVICES_OF_NORTH,
        ),
        (
            "a region that is destroyed loses its data besides",
            RegionDestroyedFault(region="north", at=AT, lasts=LASTS),
            DestroyFault,
            SERVICES_OF_NORTH,
        ),
        (
            "a pause freezes the same",
            RegionPauseFault(region="north", at=AT, lasts=LASTS),
            PauseFault,
            SERVICES_OF_NORTH,
        ),
        (
            "a cut is on every link into and out of the region, and on none inside it",
            RegionCutFault(region="north", at=AT, lasts=LASTS),
            BlackholeFault,
            LINKS_OF_NORTH,
        ),
        (
            "a partition is on the links between the two, whoever holds their Toxiproxy",
            partition(),
            BlackholeFault,
            [
                "north.api->south.gateway",
                "south.postgres->north.postgres",
                "south.api->north.gateway",
                "north.postgres->south.postgres",
            ],
        ),
        (
            "forth is what goes from the first to the second",
            partition(Direction.FORTH),
            BlackholeFault,
            ["north.api->south.gateway", "north.postgres->south.postgres"],
        ),
        (
            "back is what goes from the second to the first",
            partition(Direction.BACK),
            BlackholeFault,
            ["south.postgres->north.postgres", "south.api->north.gateway"],
        ),
    ],
)
def test_what_a_fault_on_a_region_is_on(sentence: str, fault: RegionFault, kind: type, places: list[str]) -> None:
    parts = parts_of(fault, TARGET)

    assert [place_of(part.fault) for part in parts] == places, sentence
    assert [part.name for part in parts] == places
    assert {type(part.fault) for part in parts} == {kind}
    assert {(part.fault.at, getattr(part.fault, "lasts", None)) for part in parts} == {(AT, LASTS)}


def test_partitions_that_do_not_touch_are_possible_even_where_regions_have_no_link() -> None:
    assert parts_of(PartitionFault(between=("south", "west"), at=AT, lasts=LASTS), TARGET) == ()


@pytest.mark.parametrize(
    ("sentence", "lasts_s", "every_s", "cuts"),
    [
        ("cut, whole, cut", 15, 5, [5, 15]),
        ("whole at the end changes nothing", 20, 5, [5, 15]),
        ("a cut that does not fit in whole is left out", 24.9, 5, [5, 15]),
        ("three cuts", 25, 5, [5, 15, 25]),
        ("tenths of seconds add up", 0.9, 0.3, [5, 5.6]),
        ("too short for a second one", 14.9, 5, [5]),
        ("no cut at all", 15, 0, []),
    ],
)
def test_when_a_flapping_region_is_cut(sentence: str, lasts_s: float, every_s: float, cuts: list[float]) -> None:
    flap = RegionFlapFault(region="north", at=AT, lasts=Seconds(lasts_s), every=Seconds(every_s))

    assert cuts_of(flap) == pytest.approx(cuts), sentence


def test_each_cut_of_a_flap_has_parts_of_its_own() -> None:
    flap = RegionFlapFault(region="south", at=AT, lasts=Seconds(15), every=Seconds(5))

    parts = parts_of(flap, TARGET)

    assert [part.name for part in parts[:2]] == ["1.north.api->south.gateway", "1.south.postgres->north.postgres"]
    assert {(part.name[0], part.fault.at) for part in parts} == {("1", 5.0), ("2", 15.0)}
    assert len(parts) == 2 * 5


def test_only_a_partition_leaves_its_regions_to_their_users() -> None:
    assert whole_region(RegionCutFault(region="north", at=AT, lasts=LASTS)) == "north"
    assert whole_region(partition()) is None
    assert whole_region(KillFault(service="north-api", at=AT, lasts=LASTS)) is None


# --- in the plan ----------------------------------------------------------------------------------------------------

EXPERIMENT = """\
title: A title
hypothesis: A sentence.
target: regions.yaml
load: {profile: own.py, rate: 40/s}
phases: {baseline: 20s, disturbed: 60s, recovery: 20s}
faults:
FAULTS
expect:
  - {check: slo, p99: 150ms}
"""

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes an experiment with these faults, one a line from line 7 on, and says where."""
    (tmp_path / "regions.yaml").write_text(REGIONS.read_text())
    (tmp_path / "own.py").touch()

    def write(*faults: str) -> Path:
        path = tmp_path / "wrong.yaml"
        path.write_text(EXPERIMENT.replace("FAULTS", "\n".join(f"  - {{{fault}}}" for fault in faults)))
        return path

    return write


def test_parts_are_planned_beside_other_faults_and_know_what_they_belong_to(written: Written) -> None:
    path = written(
        "kind: pause, service: west-api, at: 1s, lasts: 2s",
        "kind: region_outage, region: north, at: 5s, lasts: 20s",
        "kind: region_flap, region: south, at: 30s, lasts: 16s, every: 5s",
    )
    loaded = load_experiment(path)
    plan = build_plan(
        loaded.experiment, name="x", source="", variables={}, target=loaded.target, target_path="", profile_path="",
        operations=(), runtime="processes", defect=None,
    )  # fmt: skip

    pause, outage, flap = whole_faults(plan)

    assert (pause.id, len(pause.parts), pause.is_on_region) == ("pause-1", 1, False)
    assert [part.id for part in outage.parts] == [f"region_outage-2.{name}" for name in SERVICES_OF_NORTH]
    assert {part.part_of for part in outage.parts} == {"region_outage-2"}
    assert {(part.inject_s, part.revert_s) for part in outage.parts} == {(30.0, 50.0)}
    assert (flap.id, flap.where, flap.inject_s, flap.revert_s) == ("region_flap-3", "south", 55.0, 70.0)
    assert len(plan.faults) == 1 + 3 + 2 * 5
    assert refusals(plan.faults, plan.target) == []
    read = msgspec.json.decode(msgspec.json.encode(plan, enc_hook=enc_hook), type=type(plan), dec_hook=dec_hook)
    assert read == plan


def test_a_plan_without_parts_stays_readable() -> None:
    old = b'{"id":"kill-1","fault":{"kind":"kill","service":"a","at":"1s","lasts":"2s"},"inject_s":1,"revert_s":3}'

    assert msgspec.json.decode(old, type=PlannedFault, dec_hook=dec_hook).part_of == ""


@pytest.mark.parametrize(
    ("text", "many"),
    [
        ("{kind: region_outage, region: north}", 3),
        ("{kind: region_cut, region: north}", 9),
        ("{kind: region_pause, region: north}", 3),
        ("{kind: region_flap, region: north, every: 5s}", 18),
        ("{kind: partition, between: [north, south], direction: forth}", 2),
    ],
)
def test_each_of_them_may_be_injected_by_hand(text: str, many: int) -> None:
    fault = load_fault(text, lasts=Seconds(15), target=TARGET)

    assert len(planned_faults((fault,), target=TARGET, disturbed_s=0.0)) == many


# --- what is wrong --------------------------------------------------------------------------------------------------

OUTAGE = "kind: region_outage, region: north, at: 5s, lasts: 20s"
CUT = "kind: region_cut, region: north, at: 5s, lasts: 20s"


def error_of(path: Path) -> str:
    with pytest.raises(ExperimentError) as caught:
        load_experiment(path)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value)


@pytest.mark.parametrize(
    ("sentence", "faults", "expected"),
    [
        (
            "an unknown region",
            ("kind: region_cut, region: nort, at: 5s, lasts: 9s",),
            'wrong.yaml:7, $.faults[0].region: "nort" is not a region of three-regions.\nDid you mean "north"? Known: ',
        ),
        (
            "an unknown side of a partition",
            ("kind: partition, between: [north, suth], at: 5s, lasts: 9s",),
            'wrong.yaml:7, $.faults[0].between[1]: "suth" is not a region of three-regions.\nDid you mean "south"?',
        ),
        (
            "a partition of a region with itself",
            ("kind: partition, between: [north, north], at: 5s, lasts: 9s",),
            'wrong.yaml:7, $.faults[0].between: "north" stands on both sides',
        ),
        (
            "a partition between three",
            ("kind: partition, between: [north, south, west], at: 5s, lasts: 9s",),
            "wrong.yaml:7, $.faults[0].between: a list of 3 is not a list of 2.",
        ),
        (
            "an unknown direction",
            ("kind: partition, between: [north, south], direction: fort, at: 5s, lasts: 9s",),
            'wrong.yaml:7, $.faults[0].direction: "fort" is not one of the known words.\nDid you mean "forth"?',
        ),
        (
            "regions without a link",
            ("kind: partition, between: [south, west], at: 5s, lasts: 9s",),
            "wrong.yaml:7, $.faults[0]: three-regions has no service or link there that may be attacked.",
        ),
        (
            "a misspelt kind",
            ("kind: region_outtage, region: north, at: 5s, lasts: 9s",),
            'Did you mean "region_outage"?',
        ),
        (
            "a flap too quick to be seen",
            ("kind: region_flap, region: north, every: 1s, at: 5s, lasts: 20s",),
            "wrong.yaml:7, $.faults[0].every: 1s is too short for a cut to be shown; at least 2s.",
        ),
        (
            "a flap that is one cut",
            ("kind: region_flap, region: north, every: 9s, at: 5s, lasts: 20s",),
            "wrong.yaml:7, $.faults[0].lasts: 20s is not long enough to be cut, whole and cut again",
        ),
        (
            "a fault longer than its phase",
            ("kind: region_cut, region: north, at: 5s, lasts: 90s",),
            "wrong.yaml:7, $.faults[0].lasts: ends at 95s",
        ),
        (
            "another fault on one of its services",
            (OUTAGE, "kind: kill, service: north-api, at: 9s, lasts: 2s"),
            "wrong.yaml:8, $.faults[1]: kill-2 overlaps with $.faults[0], region_outage-1: both attack north-api.",
        ),
        (
            "another fault on one of its links, written first",
            ("kind: latency, link: south.api->north.gateway, latency: 1s, at: 4s, lasts: 2s", CUT),
            "wrong.yaml:8, $.faults[1]: region_cut-2 overlaps with $.faults[0], latency-1: "
            "both attack south.api->north.gateway.",
        ),
        (
            "a link whose end is killed, so that nobody could see the fault on it",
            (OUTAGE, "kind: latency, link: north.api->north.postgres, latency: 1s, at: 9s, lasts: 2s"),
            "wrong.yaml:8, $.faults[1]: latency-2 overlaps with $.faults[0], region_outage-1: "
            "the link north.api->north.postgres leads to north-postgres",
        ),
        (
            "a restart of what a cut link leads to",
            (CUT, "kind: restart, service: south-gateway, at: 9s"),
            "restart-2 overlaps with $.faults[0], region_cut-1: the link north.api->south.gateway leads to",
        ),
        (
            "two faults on one region, the second as the first ends",
            (OUTAGE, "kind: region_pause, region: north, at: 25s, lasts: 5s"),
            "region_pause-2 overlaps with $.faults[0], region_outage-1: both attack north-gateway.",
        ),
        (
            "a partition of a region that is out",
            (OUTAGE, "kind: partition, between: [south, north], at: 9s, lasts: 5s"),
            "partition-2 overlaps with $.faults[0], region_outage-1: the link south.api->north.gateway leads to",
        ),
        (
            "all regions at the same time, in different ways",
            (
                OUTAGE,
                "kind: region_outage, region: south, at: 8s, lasts: 20s",
                "kind: region_pause, region: west, at: 25s, lasts: 2s",
            ),
            "wrong.yaml:9, $.faults[2]: with $.faults[0], $.faults[1] all regions of three-regions are attacked at the "
            "same time.\nOne region has to be left alone",
        ),
    ],
)
def test_mistakes_in_faults_on_regions(written: Written, sentence: str, faults: tuple[str, ...], expected: str) -> None:
    assert expected in error_of(written(*faults)), sentence


@pytest.mark.parametrize(
    ("sentence", "faults"),
    [
        ("two of three regions are out", (OUTAGE, "kind: region_outage, region: south, at: 8s, lasts: 20s")),
        (
            "every region once, one after the other",
            (
                OUTAGE,
                "kind: region_outage, region: south, at: 5s, lasts: 20s",
                "kind: region_outage, region: west, at: 26s, lasts: 9s",
            ),
        ),
        (
            "a region on its own side of two partitions",
            (
                "kind: partition, between: [north, south], at: 5s, lasts: 20s",
                "kind: partition, between: [north, west], at: 5s, lasts: 20s",
            ),
        ),
        ("a fault elsewhere", (OUTAGE, "kind: latency, link: edge->west.gateway, latency: 1s, at: 9s, lasts: 2s")),
        (
            "the two directions of one partition are different links",
            (
                "kind: partition, between: [north, south], direction: forth, at: 5s, lasts: 20s",
                "kind: partition, between: [north, south], direction: back, at: 9s, lasts: 20s",
            ),
        ),
        ("a fault on a part before it", ("kind: kill, service: north-api, at: 0s, lasts: 4s", OUTAGE)),
    ],
)
def test_what_may_be_attacked_together(written: Written, sentence: str, faults: tuple[str, ...]) -> None:
    assert len(load_experiment(written(*faults)).experiment.faults) == len(faults), sentence


def test_all_regions_at_once_are_told_once(written: Written) -> None:
    message = error_of(
        written(*(f"kind: region_outage, region: {region}, at: 5s, lasts: 9s" for region in TARGET.regions))
    )

    assert message.count("all regions of three-regions") == 1
    assert "$.faults[2]: with $.faults[0], $.faults[1] all regions" in message


def test_the_only_region_of_a_target_is_left_alone() -> None:
    alone = msgspec.structs.replace(TARGET, regions=("north",))

    with pytest.raises(ExperimentError, match='"north" is the only region of three-regions'):
        load_fault("{kind: region_outage, region: north}", lasts=LASTS, target=alone)


# --- the target file ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "old", "new", "expected"),
    [
        (
            "a link that does not say which regions it joins",
            "from_region: north, to_region: south, toxiproxy: north-toxiproxy, listen: 21012",
            "toxiproxy: north-toxiproxy, listen: 21012",
            'regions.yaml:27, $.links["north.api->south.gateway"]: does not say which regions it joins.',
        ),
        (
            "an end in a region that there is not",
            "from_region: north, to_region: south, toxiproxy: north-toxiproxy, listen: 21012",
            "from_region: north, to_region: soth, toxiproxy: north-toxiproxy, listen: 21012",
            '.to_region: "soth" is not a region.\nDid you mean "south"?',
        ),
        (
            "an upstream that is at neither end",
            'upstream: south-gateway, probe: http}\n  "north.api->west',
            'upstream: west-gateway, probe: http}\n  "north.api->west',
            ".upstream: west-gateway is in west, which is neither from_region nor to_region.",
        ),
    ],
)
def test_links_say_which_regions_they_join(tmp_path: Path, sentence: str, old: str, new: str, expected: str) -> None:
    text = REGIONS.read_text()
    assert text.count(old) == 1
    (tmp_path / "regions.yaml").write_text(text.replace(old, new))

    with pytest.raises(ExperimentError) as caught:
        load_target(tmp_path / "regions.yaml")

    assert expected in str(caught.value), sentence
