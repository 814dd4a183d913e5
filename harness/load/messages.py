"""What the driver and a load shard say to each other: one JSON object a line, over a socket that only they hold.

When that socket closes the other side is gone, and a shard without its driver stops at once: no load without an owner.
All instants are CLOCK_MONOTONIC nanoseconds.
"""

import msgspec

SPEC_VARIABLE = "GAMEDAY_LOAD_SPEC"  # environment variable: path of the shard's spec


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class ShardSpec(_Strict, frozen=True, kw_only=True):
    """All that a shard is told before it starts; `control_fd` is its inherited end of the socket."""

    plan_path: str
    shard: int
    shards: int
    run_folder: str
    entry_url: str
    control_fd: int
    harness_defect: str | None


# --- driver to shard ------------------------------------------------------------------------------------------------


class Begin(_Strict, frozen=True, kw_only=True, tag_field="say", tag="begin"):
    """The zero of the timeline."""

    at_ns: int


class Stop(_Strict, frozen=True, kw_only=True, tag_field="say", tag="stop"):
    """Offer nothing more, let open requests end within their deadline; said again: give them up."""

    reason: str


Command = Begin | Stop

# --- shard to driver ------------------------------------------------------------------------------------------------


class Ready(_Strict, frozen=True, kw_only=True, tag_field="say", tag="ready"):
    """Visitors are prepared; `arrivals` are scheduled in this shard."""

    at_ns: int
    arrivals: int


class Started(_Strict, frozen=True, kw_only=True, tag_field="say", tag="started"):
    at_ns: int


class Second(_Strict, frozen=True, kw_only=True, tag_field="say", tag="second"):
    """One second of the shard, `number` counted from the start of the load; the last one may be short.

    `outcomes` counts requests that ended in it. `latencies` is their histogram (see `latency_buckets`), from the
    scheduled time, over those that were sent. No figure of an earlier second is repeated.
    """

    at_ns: int
    number: int
    scheduled: int
    sent: int
    in_flight: int
    lag_s_p99: float
    cpu_ratio: float
    open_files: int
    outcomes: dict[str, int]
    latencies: dict[int, int]


class Drained(_Strict, frozen=True, kw_only=True, tag_field="say", tag="drained"):
    at_ns: int
    given_up: int


class Done(_Strict, frozen=True, kw_only=True, tag_field="say", tag="done"):
    """Everything is on disk; `rows` of them, for `offered` requests."""

    at_ns: int
    offered: int
    rows: int


class Broken(_Strict, frozen=True, kw_only=True, tag_field="say", tag="broken"):
    """The shard cannot go on, and why."""

    at_ns: int
    why: str


Report = Ready | Started | Second | Drained | Done | Broken
