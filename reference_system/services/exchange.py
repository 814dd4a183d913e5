"""What the controller and the other services of its region tell each other, once an evaluation.

Replicas are told the level and tell what they have observed; the worker is asked what waits and how full things are.
Raw latencies travel, not percentiles: percentiles of several replicas cannot be merged.
"""

import re
from typing import Annotated

import msgspec

PATH = "/internal/exchange"
BACKLOGS_PATH = "/internal/backlogs"
FORGET_USER_PATH = "/internal/users/{user}/forget"  # of the worker
ID = re.compile(r"[\w.-]{1,80}")  # of a user or a post


class Instruction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`window_s`: how far back the observations go. `slots`: how many the replica has from now on. None: as before."""

    level: Annotated[int, msgspec.Meta(ge=0, le=4)] | None
    window_s: Annotated[float, msgspec.Meta(gt=0, le=30)]
    slots: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None


class Observations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answers that ended within the window. Latencies are those of `ok` and `error`, in milliseconds.

    The caches of the region had what `cached` answers needed; for `built` ones they lacked it, or were out of reach.
    """

    latencies_ms: list[float]
    ok: int
    error: int
    shed: int
    disabled: int
    cpu_ratio: float
    cached: int = 0
    built: int = 0
    pool_ratio: float = 0.0  # database connections in use now ÷ all
    offered_per_s: float = 0.0  # what arrived, shed or not
    slots: int = 0
    level: Annotated[int, msgspec.Meta(ge=0, le=4)] = 0  # that it acts at, before it is told another


class Backlogs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """None for what is not known now."""

    fanout_depth: float
    fanout_lag_s: float
    replication_lag_s: float | None
    cache_memory_ratio: float | None
    memory_ratio: float | None
