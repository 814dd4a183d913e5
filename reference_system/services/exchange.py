"""What the controller and a replica tell each other, once an evaluation: the level one way, observations the other.

Raw latencies travel, not percentiles: percentiles of several replicas cannot be merged.
"""

from typing import Annotated

import msgspec

PATH = "/internal/exchange"


class Instruction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`window_s`: how far back the observations go."""

    level: Annotated[int, msgspec.Meta(ge=0, le=4)]
    window_s: Annotated[float, msgspec.Meta(gt=0, le=30)]


class Observations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answers that ended within the window. Latencies are those of `ok` and `error`, in milliseconds."""

    latencies_ms: list[float]
    ok: int
    error: int
    shed: int
    disabled: int
    cpu_ratio: float
