"""What an edge that is started again knows of the regions."""

from pathlib import Path

import pytest

from reference_system.policies.failback import Ramp
from reference_system.policies.region_failover import AT_FIRST, Standing
from reference_system.policies.regions import Region
from reference_system.services.edge_memory import HOLDS_FOR_S, EdgeMemory

LOST = Standing(
    healthy=False, takes_writes=False, refuge=Region.US_EAST, ramp=Ramp(entered_s=90.0), failed_over_s=(40.0, 90.0)
)
STATE = {**AT_FIRST, Region.EUROPE: LOST}


@pytest.fixture
def memory(tmp_path: Path) -> EdgeMemory:
    memory = EdgeMemory(tmp_path)
    memory.keep(AT_FIRST, 99.0)
    memory.keep(STATE, 100.0)
    return memory


def test_it_knows_what_the_one_before_it_knew(memory: EdgeMemory) -> None:
    assert memory.recall(set(Region), 101.0) == STATE


@pytest.mark.parametrize("now_s", [100.0 + HOLDS_FOR_S, 5.0])
def test_what_is_old_or_of_before_a_reboot_says_nothing(memory: EdgeMemory, now_s: float) -> None:
    assert memory.recall(set(Region), now_s) is None


def test_what_is_of_other_regions_says_nothing(memory: EdgeMemory) -> None:
    assert memory.recall({Region.EUROPE}, 101.0) is None


@pytest.mark.parametrize("written", [b"", b"{", b'{"at_s": 100.0, "standings": {"atlantis": {}}}'])
def test_what_cannot_be_read_says_nothing(memory: EdgeMemory, tmp_path: Path, written: bytes) -> None:
    (tmp_path / "regions.json").write_bytes(written)

    assert memory.recall(set(Region), 101.0) is None


def test_nothing_kept_says_nothing(tmp_path: Path) -> None:
    assert EdgeMemory(tmp_path).recall(set(Region), 1.0) is None
