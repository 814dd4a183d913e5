"""Every type that reaches a run's disk, with its units. Nothing is written that is not declared here.

All instants are nanoseconds of CLOCK_MONOTONIC (`*_ns`); `environment.json` holds the anchor to the wall clock.
"""

from enum import StrEnum
from typing import Literal

import msgspec
import pyarrow as pa

from harness.clock import ClockAnchor

FORMAT_VERSION = 1
NOT_SENT_NS = -1
LEVEL_UNKNOWN = -1
NO_SESSION = -1
NO_COUNT = -1
NO_AGE = -1


class Outcome(StrEnum):
    """How a scheduled request ended; exactly one for each, so their counts add up to the offered load.

    ok: answered as asked. shed: refused by the load shedder, marked so, definitely did not happen. disabled: refused
    because its feature is off at this level, marked so. failed: an error, definitely did not happen (or was a read).
    unknown: a write that may have happened, or may yet. not_sent: scheduled, but the generator could not send it.
    """

    OK = "ok"
    SHED = "shed"
    DISABLED = "disabled"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_SENT = "not_sent"


class Change(StrEnum):
    """What a request means to do to its object; empty for reads and for what no check follows."""

    NONE = ""
    ADD = "add"
    REMOVE = "remove"
    COUNT = "count"


class ErrorClass(StrEnum):
    """Why a request is failed, unknown or not sent; a closed set, so that a million errors stay readable."""

    NONE = ""
    REFUSED = "refused"
    RESET = "reset"
    CLOSED = "closed"
    DEADLINE = "deadline"
    STATUS_4XX = "status_4xx"
    STATUS_5XX = "status_5xx"
    WRONG_ANSWER = "wrong_answer"
    CLIENT_LIMIT = "client_limit"
    RUN_STOPPED = "run_stopped"
    OTHER = "other"


def _words() -> pa.DataType:
    return pa.dictionary(pa.int16(), pa.string())


# One row per scheduled request. Words are dictionary-encoded; empty string where there is nothing to say.
REQUESTS = pa.schema(
    [
        ("scheduled_ns", pa.int64()),  # when it should have been sent
        ("sent_ns", pa.int64()),  # NOT_SENT_NS if never
        ("finished_ns", pa.int64()),  # end of the answer, or when it was given up
        ("operation", _words()),
        ("route", _words()),
        ("priority", pa.int8()),  # 1–4 as the profile declares it
        ("user", pa.int64()),
        ("session", pa.int64()),  # one logical process: its requests never overlap; NO_SESSION if never sent
        ("outcome", _words()),  # Outcome
        ("error", _words()),  # ErrorClass
        ("status", pa.int16()),  # HTTP status; 0 where none came
        ("region_asked", _words()),
        ("region_served", _words()),
        ("served_by", _words()),
        ("level", pa.int8()),  # degradation level on the answer; LEVEL_UNKNOWN where none came
        ("cache", _words()),
        ("shed_reason", _words()),
        ("disabled_feature", _words()),
        ("banner", pa.bool_()),
        ("features_on", _words()),  # features seen working in the answer's content, sorted, comma-joined
        ("features_off", _words()),  # features seen absent in the answer's content
        ("object", pa.string()),  # the set or counter that is written to or read, as the profile names it, or empty
        ("change", _words()),  # Change
        ("written", pa.string()),  # the client's own id of what it adds to the object or removes, or empty
        ("seen", pa.string()),  # ids that the answer shows of the object, comma-joined, or empty
        ("whole", pa.bool_()),  # the answer held all of the object that there was: what is not seen was not there
        ("count", pa.int64()),  # by how much a counter is raised, or what was read of it; else NO_COUNT
        ("attempt", pa.int8()),  # 1 as planned; from 2 on the visitor sends again what was not answered as asked
        ("age_s", pa.int64()),  # whole seconds since the answer was made, as its cache says; NO_AGE where it does not
    ]
)

# Columns that came later, with what they hold in the records from before.
LATER_COLUMNS = {
    "session": NO_SESSION,
    "object": "",
    "change": "",
    "whole": False,
    "count": NO_COUNT,
    "attempt": 1,
    "age_s": NO_AGE,
}

# One row per scraped sample. `labels` is the sorted exposition form without braces: a="1",b="2".
METRICS = pa.schema(
    [
        ("at_ns", pa.int64()),  # middle of the scrape
        ("service", _words()),
        ("metric", _words()),
        ("labels", _words()),
        ("value", pa.float64()),
    ]
)


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", forbid_unknown_fields=True):
    at_ns: int


class RunStarted(_Event, frozen=True, kw_only=True, tag="run_started"):
    """`load_start_ns` is the zero of the plan's timeline."""

    load_start_ns: int


class PhaseStarted(_Event, frozen=True, kw_only=True, tag="phase_started"):
    phase: str


class PhaseEnded(_Event, frozen=True, kw_only=True, tag="phase_ended"):
    phase: str


class FaultEdge(_Event, frozen=True, kw_only=True, tag="fault_edge"):
    """An inject or revert call: asked at `at_ns`, done at `done_ns`; `confirmed` by reading back and by the canary."""

    fault: str
    action: Literal["inject", "revert"]
    done_ns: int
    confirmed: bool
    detail: str


class CanaryReading(_Event, frozen=True, kw_only=True, tag="canary"):
    """One probe through a data path. `stage` tells whether it was taken before, during or after the fault.

    `dose` and `wanted_dose` compare what was delivered with what was configured, in `dose_unit`; `agrees` says whether
    the reading is what this stage calls for (fault bites / fault is gone).
    """

    fault: str
    path: str
    stage: Literal["before", "during", "after"]
    connected: bool
    answered: bool
    round_trip_s: float | None
    dose: float | None
    wanted_dose: float | None
    dose_unit: str
    agrees: bool
    detail: str


class ScrapeMissed(_Event, frozen=True, kw_only=True, tag="scrape_missed"):
    service: str
    why: str


class HealthChanged(_Event, frozen=True, kw_only=True, tag="health_changed"):
    service: str
    healthy: bool


class ServiceExited(_Event, frozen=True, kw_only=True, tag="service_exited"):
    """A service ended; `expected` when a fault of this run did it, `by_somebody` when it is known that others did."""

    service: str
    expected: bool
    detail: str
    by_somebody: bool = False


class ShardState(_Event, frozen=True, kw_only=True, tag="shard_state"):
    shard: int
    state: Literal["ready", "started", "drained", "done", "died"]
    detail: str


class ShardHealth(_Event, frozen=True, kw_only=True, tag="shard_health"):
    """The generator's own health over the last second."""

    shard: int
    scheduled: int
    sent: int
    in_flight: int
    lag_s_p99: float
    cpu_ratio: float
    open_files: int


class MachinePressure(_Event, frozen=True, kw_only=True, tag="machine_pressure"):
    """Of the time since the event before: the share in which each service's main process waited for a CPU, and how much
    of all CPUs was used by neither the target nor the harness. Records of one version have another figure instead, the
    share in which anything on the machine waited."""

    cpu_waiting_ratio: float | None = None
    services_waiting: dict[str, float] = {}
    others_ratio: float | None = None


class RunStopped(_Event, frozen=True, kw_only=True, tag="run_stopped"):
    """The run ended before its time; dated when that was asked for, not when the last open request had ended."""

    by: Literal["operator", "stop_condition", "error"]
    reason: str


class RunEnded(_Event, frozen=True, kw_only=True, tag="run_ended"):
    """The conductor reached its end; the record may still be unclean (see the journal)."""

    clean: bool


Event = (
    RunStarted
    | PhaseStarted
    | PhaseEnded
    | FaultEdge
    | CanaryReading
    | ScrapeMissed
    | HealthChanged
    | ServiceExited
    | ShardState
    | ShardHealth
    | MachinePressure
    | RunStopped
    | RunEnded
)


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where and with what the run was made. `build` are extra words, e.g. versions of servers."""

    format_version: int = FORMAT_VERSION
    run_id: str
    clock: ClockAnchor
    started_at: str
    command: tuple[str, ...]
    git_commit: str
    git_dirty: bool
    versions: dict[str, str]
    cpu_count: int
    machine: str
    runtime: str
    defect: str | None
    harness_defect: str | None


class Seal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From the seal on a run's evidence is read-only: SHA-256 and size of each file, and row counts by outcome."""

    format_version: int = FORMAT_VERSION
    files: dict[str, str]
    sizes: dict[str, int]
    offered: int
    outcomes: dict[str, int]
