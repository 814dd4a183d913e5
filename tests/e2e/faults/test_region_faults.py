"""Faults on a region of real servers: all of it goes at once, and all of it comes back, in order."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from harness.by_hand import by_hand
from harness.clock import NS_PER_S
from harness.experiment.faults import RegionCutFault, RegionFault, RegionFlapFault, RegionOutageFault, RegionPauseFault
from harness.faults.journal import State, last_states, read_journal
from harness.interrupts import run_through
from harness.plan import PlannedFault, planned_faults
from harness.target.processes_target import ProcessesTarget
from harness.units import Seconds
from tests.harness.faults.a_target import SPEC, Attempt, proxies

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AT, LASTS = Seconds(0), Seconds(60)
SPREAD_S = 1.0  # in which all parts of a fault are in place, on two busy cores
# As if whoever calls through the links were somewhere else.
FROM_OUTSIDE = msgspec.structs.replace(
    SPEC, links={name: msgspec.structs.replace(link, to_region="here") for name, link in SPEC.links.items()}
)


def parts_of(fault: RegionFault) -> tuple[PlannedFault, ...]:
    return planned_faults((fault,), target=FROM_OUTSIDE, disturbed_s=0.0)


@pytest.mark.parametrize(
    ("fault", "many"),
    [
        (RegionOutageFault(region="here", at=AT, lasts=LASTS), 3),
        (RegionPauseFault(region="here", at=AT, lasts=LASTS), 3),
        (RegionCutFault(region="here", at=AT, lasts=LASTS), 3),
    ],
    ids=str,
)
def test_all_parts_are_in_place_at_once_and_leave_nothing(
    target: ProcessesTarget, tmp_path: Path, fault: RegionFault, many: int
) -> None:
    parts = parts_of(fault)
    attempt = Attempt(target, tmp_path / "run-1", *parts)

    async def conduct() -> None:
        await attempt.injector.prepare()
        await asyncio.gather(*(attempt.injector.inject(part.id) for part in parts))
        await asyncio.gather(*(watched(part.id) for part in parts))

    async def watched(part: str) -> None:
        watching = asyncio.create_task(attempt.injector.watch(part))
        await asyncio.sleep(2.5)
        await attempt.injector.revert(part)
        await watching

    asyncio.run(conduct())

    injects = [attempt.edge("inject", part.id) for part in parts]
    assert len(injects) == many
    assert all(edge.confirmed for edge in injects), injects
    spread_s = (max(edge.done_ns for edge in injects) - min(edge.at_ns for edge in injects)) / NS_PER_S
    assert spread_s < SPREAD_S
    for part in parts:
        assert attempt.edge("revert", part.id).confirmed
        during = attempt.readings("during", part.id)
        assert len(during) >= 2
        assert all(reading.agrees for reading in during)
        assert attempt.readings("after", part.id)[-1].agrees
    entries = last_states(read_journal(tmp_path / "run-1" / "journal.jsonl"))
    assert {entry.state for entry in entries.values()} == {State.VERIFIED}


def test_services_come_back_in_the_order_of_the_compose_file(target: ProcessesTarget, tmp_path: Path) -> None:
    parts = parts_of(RegionOutageFault(region="here", at=AT, lasts=LASTS))
    attempt = Attempt(target, tmp_path / "run-1", *parts)

    async def conduct() -> None:
        await attempt.injector.prepare()
        await asyncio.gather(*(attempt.injector.inject(part.id) for part in parts))
        await attempt.injector.revert_all()

    asyncio.run(conduct())

    web = attempt.edge("revert", "region_outage-1.web")
    for service in ("redis", "postgres"):
        assert attempt.edge("revert", f"region_outage-1.{service}").done_ns <= web.at_ns


def test_a_flap_by_hand_cuts_twice_and_is_whole_at_the_end(target: ProcessesTarget, tmp_path: Path) -> None:
    flap = RegionFlapFault(region="here", at=AT, lasts=Seconds(6), every=Seconds(2))
    told: list[str] = []

    run_through(
        lambda interrupts: by_hand(target, parts_of(flap), tmp_path, interrupts=interrupts, on_stage=told.append)
    )

    edges = [line for line in told if "confirmed" in line.lower() and line.startswith(("inject", "revert"))]
    assert len(edges) == 2 * 2 * 3
    assert not [line for line in edges if "NOT" in line]
    assert not any(proxy["toxics"] for proxy in proxies().values())
