"""What an edge's agent knows of the regions, kept on disk, so that one which was started again goes on where it was.

Without it, it would send users to a region that is down until it has looked for itself, and all of them at once to one
that is on its way back.
"""

import os
from pathlib import Path

import msgspec

from reference_system.policies.region_failover import Standing, State
from reference_system.policies.regions import Region

HOLDS_FOR_S = 60.0  # what is older says nothing of now


class _Kept(msgspec.Struct, frozen=True):
    at_s: float
    standings: dict[Region, Standing]


class EdgeMemory:
    """Times are of a clock that goes on while nobody runs, and begins anew when the machine does."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "regions.json"

    def keep(self, state: State, now_s: float) -> None:
        written = self._file.with_suffix(".new")
        written.write_bytes(msgspec.json.encode(_Kept(at_s=now_s, standings={**state})))
        os.replace(written, self._file)

    def recall(self, regions: set[Region], now_s: float) -> State | None:
        """None where nothing was kept, or nothing that is of use: too old, of other regions, unreadable."""
        try:
            kept = msgspec.json.decode(self._file.read_bytes(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            return None
        return kept.standings if 0.0 <= now_s - kept.at_s < HOLDS_FOR_S and kept.standings.keys() == regions else None
