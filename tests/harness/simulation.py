"""A system that keeps its promises, simulated into the frames of a record; what `a_run` is made of.

The ladder and the shedding curve are written a second time here, on purpose: nothing is imported from `harness.verify`,
so that a mistake there cannot hide in the data that tests it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from harness.clock import NS_PER_S, ClockAnchor
from harness.experiment.faults import place_of
from harness.experiment.load import Arrivals
from harness.loader import load_target
from harness.plan import Plan, PlannedFault, RateSegment, whole_faults
from harness.record import rows
from harness.target.target import TargetSpec

if TYPE_CHECKING:
    from tests.harness.a_run import RunBuilder

LOAD_START_NS = 5_000 * NS_PER_S  # not zero, so that run time and clock time cannot be mixed up unseen
UNIX_START_NS = 1_700_000_000 * NS_PER_S
TARGET_FILE = Path(__file__).parents[2] / "reference_system" / "one_region.yaml"
REGIONS_FILE = Path(__file__).parent / "files" / "regions.yaml"
EDGE = "edge"
ROUTING = ("edge_region_share", "edge_region_healthy", "edge_region_takes_writes")
CONTROLLER = "us-east-controller"
WORKER = "us-east-worker"
REPLICAS = ("us-east-api-1", "us-east-api-2")
LINK = "us-east.api->us-east.redis"
SCRAPE_PERIOD_S = 0.5
EVALUATED_AT = 0.3  # of each second
FIRST_EVALUATION = 100
INPUT_WINDOW_S = 5.0
PROPAGATION_S = 0.3  # from the controller to the answers
HEALTHY_INPUTS = {"latency_p99_ms": 40.0, "error_ratio": 0.0, "cpu_ratio": 0.3}

# name, route, priority, share, writes, features that its answers show
OPERATIONS = (
    ("home", "/timeline/home", 2, 0.40, False, ("algorithmic_timeline", "analytics_tracking", "media_previews")),
    ("profile", "/users/{id}/profile", 2, 0.14, False, ()),
    ("post", "/tweets/create", 1, 0.08, True, ("new_tweets",)),
    ("login", "/auth/login", 1, 0.04, False, ()),
    ("search", "/search/posts", 3, 0.12, False, ("search",)),
    ("realtime", "/realtime", 3, 0.06, False, ("real_time_updates",)),
    ("trending", "/trending", 4, 0.08, False, ("trending_topics",)),
    ("suggestions", "/suggestions/users", 4, 0.08, False, ("who_to_follow",)),
)
REPLACED_WHEN_OFF = {"home", "search"}  # answered without the feature; the others are refused as disabled

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Stretch:
    """Something that holds from `from_s` to `to_s`; `values` by name."""

    from_s: float
    to_s: float
    values: dict[str, float | str]

    def holds(self, at_s: Floats) -> Bools:
        return (at_s >= self.from_s) & (at_s < self.to_s)

    def number(self, name: str) -> float:
        return float(self.values[name])


@cache
def the_target() -> TargetSpec:
    return load_target(TARGET_FILE)


@cache
def the_regions() -> TargetSpec:
    """Three regions, for faults on regions; the system that is simulated has one."""
    return load_target(REGIONS_FILE)


def environment() -> rows.Environment:
    return rows.Environment(
        run_id="2026-11-22T051108Z-synthetic-0001",
        clock=ClockAnchor(monotonic_ns=LOAD_START_NS, unix_ns=UNIX_START_NS),
        started_at="2026-11-22T05:11:08Z",
        command=("gameday", "run", "synthetic.yaml"),
        git_commit="0" * 40,
        git_dirty=False,
        versions={"python": "3.11.7"},
        cpu_count=2,
        machine="x86_64",
        runtime="processes",
        defect=None,
        harness_defect=None,
    )


# --- load -----------------------------------------------------------------------------------------------------------


def segments(rate_per_s: float, stretches: tuple[Stretch, ...], end_s: float) -> tuple[RateSegment, ...]:
    """Steps only: the base rate, and each stretch's own."""
    edges = sorted({0.0, end_s, *(edge for stretch in stretches for edge in (stretch.from_s, stretch.to_s))})
    built = []
    for start_s, stop_s in pairwise(edges):
        per_s = rate_per_s
        for stretch in stretches:
            if stretch.from_s <= start_s < stretch.to_s:
                per_s = stretch.number("per_s")
        built.append(RateSegment(start_s=start_s, end_s=stop_s, from_per_s=per_s, to_per_s=per_s))
    return tuple(built)


def _arrival_times(plan: Plan, random: np.random.Generator) -> Floats:
    times = []
    for segment in plan.rate:
        length_s = segment.end_s - segment.start_s
        expected = segment.from_per_s * length_s
        if plan.load.arrivals is Arrivals.POISSON:
            times.append(segment.start_s + np.sort(random.random(random.poisson(expected))) * length_s)
        else:
            count = round(expected)
            times.append(segment.start_s + (np.arange(count) + 0.5) / max(count, 1) * length_s)
    return np.concatenate(times)


# --- the controller -------------------------------------------------------------------------------------------------


def level_trace(target: TargetSpec, stretches: tuple[Stretch, ...], duration_s: float) -> pd.DataFrame:
    """One row per evaluation: number, at_s, the inputs, level."""
    at_s: Floats = np.arange(-5, int(duration_s) + 3, dtype=np.float64) + EVALUATED_AT
    inputs = {name: np.full(len(at_s), value) for name, value in HEALTHY_INPUTS.items()}
    for stretch in stretches:
        for name in stretch.values:
            inputs[name][stretch.holds(at_s)] = stretch.number(name)
    trace = pd.DataFrame({"number": FIRST_EVALUATION + np.arange(len(at_s)), "at_s": at_s, **inputs})
    promise = target.promises.degradation
    assert promise is not None
    demanded = np.zeros(len(trace), dtype=int)
    for level in promise.levels:
        for name, bound in level.when_above.items():
            demanded[inputs[name] > bound] = np.maximum(demanded[inputs[name] > bound], level.value)
    trace["level"] = _ladder([int(value) for value in demanded], promise.leaves_after)
    return trace


def _ladder(demanded: list[int], leaves_after: int) -> list[int]:
    shown, level, healthier = [], 0, 0
    for wanted in demanded:
        if wanted >= level:
            level, healthier = wanted, 0
        else:
            healthier += 1
            if healthier == leaves_after:
                level, healthier = level - 1, 0
        shown.append(level)
    return shown


def features_off(target: TargetSpec, level: int) -> set[str]:
    promise = target.promises.degradation
    assert promise is not None
    return {name for step in promise.levels if step.value <= level for name in step.features_off}


def all_features(target: TargetSpec) -> list[str]:
    return sorted(features_off(target, 99))


def controller_log(built: RunBuilder, trace: pd.DataFrame) -> list[dict[str, object]]:
    promise = built.target.promises.degradation
    assert promise is not None
    lines: list[dict[str, object]] = [_line(-6.0, "started")]
    before = 0
    for row in trace.to_dict("records"):
        level, at_s = int(row["level"]), float(row["at_s"])
        inputs = {name: row[name] for name in HEALTHY_INPUTS}
        if level != before:
            words = {"from": before, "to": level, "inputs": inputs, "evaluation": int(row["number"])}
            lines.append(_line(at_s, "level_changed", **words))
        if before < promise.alert_from <= level:
            lines.append(_line(at_s, "alert_fired", alert="degradation_level", level=level))
        if level < promise.alert_from <= before:
            lines.append(_line(at_s, "alert_resolved", alert="degradation_level", level=level))
        before = level
    return lines


def _line(at_s: float, event: str, **words: object) -> dict[str, object]:
    return {"at": UNIX_START_NS / NS_PER_S + at_s, "at_s": at_s, "service": CONTROLLER, "event": event, **words}


# --- requests -------------------------------------------------------------------------------------------------------


def requests(built: RunBuilder, plan: Plan, trace: pd.DataFrame) -> pd.DataFrame:
    """Every scheduled request as the reader gives it: raw columns, and run time in seconds."""
    random = np.random.default_rng(built.seed)
    scheduled_s = _arrival_times(plan, random)
    count = len(scheduled_s)
    operation = random.choice(len(OPERATIONS), size=count, p=[spec[3] for spec in OPERATIONS])
    replica = np.arange(count) % len(REPLICAS)
    sent_s = scheduled_s + random.uniform(0.0001, 0.001, count)
    service_s = random.gamma(8.0, 0.002, count)
    for stretch in built.slow_stretches:
        slow = stretch.holds(scheduled_s) & (random.random(count) < stretch.number("share"))
        service_s[slow] = stretch.number("service_s") * random.uniform(1.0, 1.1, int(slow.sum()))
    level = _level_at(trace, sent_s + service_s - PROPAGATION_S)
    table = _answers(built, operation=operation, level=level)
    table["operation"], table["route"], table["priority"] = _of_operation(operation)
    shed = _shed(built, sent_s, replica=replica, priority=table["priority"], level=level, random=random)
    service_s[shed] = random.uniform(0.001, 0.003, int(shed.sum()))
    _mark_shed(table, shed)
    for stretch in built.error_stretches:
        hit = stretch.holds(scheduled_s) & (random.random(count) < stretch.number("share")) & ~shed
        _mark_failed(table, hit, str(stretch.values["outcome"]), str(stretch.values["error"]))
    table["scheduled_ns"], table["sent_ns"] = _ns(scheduled_s), _ns(sent_s)
    table["finished_ns"] = _ns(sent_s + service_s)
    answered = table["level"] != rows.LEVEL_UNKNOWN
    table["served_by"] = np.where(answered, np.array(REPLICAS, dtype=object)[replica], "")
    table["region_asked"] = np.full(count, "us-east", dtype=object)
    table["region_served"] = np.where(answered, "us-east", "").astype(object)
    table["user"] = random.integers(1, 3000, count)
    table["seen"], table["cache"] = np.full(count, "", dtype=object), np.full(count, "redis", dtype=object)
    for name, value in rows.LATER_COLUMNS.items():
        table[name] = np.full(count, value, dtype=object if isinstance(value, str) else None)
    table["written"] = np.full(count, "", dtype=object)
    return frame_of(table)


def frame_of(table: dict[str, NDArray[np.generic]]) -> pd.DataFrame:
    """Columns of `rows.REQUESTS` to the frame that the reader gives."""
    arrays = [_array(table[column.name], column.type) for column in rows.REQUESTS]
    frame = pa.Table.from_arrays(arrays, schema=rows.REQUESTS).to_pandas()
    for column in ("outcome", "error"):
        words = rows.Outcome if column == "outcome" else rows.ErrorClass
        frame[column] = frame[column].cat.set_categories([word.value for word in words])
    return with_run_time(frame)


def with_run_time(frame: pd.DataFrame) -> pd.DataFrame:
    """The `*_s` columns anew, after raw instants were changed."""
    for name in ("scheduled", "sent", "finished"):
        frame[f"{name}_s"] = (frame[f"{name}_ns"] - LOAD_START_NS) / NS_PER_S
    frame.loc[frame["sent_ns"] == rows.NOT_SENT_NS, "sent_s"] = np.nan
    frame["latency_s"] = frame["finished_s"] - frame["scheduled_s"]
    frame["service_s"] = frame["finished_s"] - frame["sent_s"]
    return frame


def _array(values: NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_dictionary(kind):
        return pa.array(values, type=kind)
    codes, words = pd.factorize(values)
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int16()), pa.array(list(words), pa.string()))


def _ns(seconds: Floats) -> Ints:
    return LOAD_START_NS + np.round(seconds * NS_PER_S).astype(np.int64)


def _of_operation(operation: Ints) -> tuple[NDArray[np.generic], ...]:
    names, routes, priorities = (np.array([spec[column] for spec in OPERATIONS], dtype=object) for column in range(3))
    return names[operation], routes[operation], priorities[operation].astype(np.int8)


def _level_at(trace: pd.DataFrame, at_s: Floats) -> Ints:
    index = np.searchsorted(trace["at_s"].to_numpy(), at_s, side="right") - 1
    return trace["level"].to_numpy()[np.maximum(index, 0)].astype(np.int64)


def _answers(built: RunBuilder, *, operation: Ints, level: Ints) -> dict[str, NDArray[np.generic]]:
    """Outcome and content of each answer at its level, were nothing shed and nothing failed."""
    known = all_features(built.target)
    columns = ("outcome", "status", "features_on", "features_off", "disabled_feature")
    cells = np.empty((len(columns), len(OPERATIONS), 5), dtype=object)
    for kind, (name, _, _, _, writes, shows) in enumerate(OPERATIONS):
        for value in range(5):
            gone = features_off(built.target, value)
            on = sorted(feature for feature in shows if feature in known and feature not in gone)
            off = sorted(feature for feature in shows if feature in gone)
            refused = bool(off) and name not in REPLACED_WHEN_OFF
            disabled = off[0] if off and name != "home" else ""
            answer = ("disabled", 503) if refused else ("ok", 201 if writes else 200)
            cells[:, kind, value] = (*answer, ",".join(on), ",".join(off), disabled)
    table = {column: cells[index, operation, level] for index, column in enumerate(columns)}
    table["level"] = level.astype(np.int8)
    table["banner"] = level >= 1
    table["error"], table["shed_reason"] = (np.full(len(level), "", dtype=object) for _ in range(2))
    return table


def _shed(
    built: RunBuilder,
    sent_s: Floats,
    *,
    replica: Ints,
    priority: NDArray[np.generic],
    level: Ints,
    random: np.random.Generator,
) -> Bools:
    if not built.sheds or built.target.promises.shedding is None:
        return np.zeros(len(sent_s), dtype=bool)
    overload = _overload(built, sent_s, replica, level)
    row = {1: (0.0, 0.0), 2: (0.10, 0.25), 3: (0.30, 0.50), 4: (0.50, 0.75)}  # at 1.5x and 2x
    chance = np.zeros(len(sent_s))
    for number, (half, double) in row.items():
        curve = np.interp(overload, [1.0, 1.5, 2.0], [0.0, half, double])
        curve += np.maximum(overload - 2.0, 0.0) * (double - half) / 0.5
        chance = np.where(priority == number, np.minimum(curve, 0.95), chance)
    return random.random(len(sent_s)) < chance


def _overload(built: RunBuilder, sent_s: Floats, replica: Ints, level: Ints) -> Floats:
    promise = built.target.promises.shedding
    assert promise is not None
    overload = np.zeros(len(sent_s))
    for number in range(len(REPLICAS)):
        mine = np.flatnonzero(replica == number)
        mine = mine[np.argsort(sent_s[mine], kind="stable")]
        at_s = sent_s[mine]
        since = np.searchsorted(at_s, at_s - promise.rate_window)
        rate = (np.arange(len(at_s)) + 1 - since) / promise.rate_window
        overload[mine] = rate / promise.target_rate_per_replica
    return np.where(level >= promise.emergency_from, overload / promise.emergency_share, overload)


def _mark_shed(table: dict[str, NDArray[np.generic]], shed: Bools) -> None:
    table["outcome"][shed], table["status"][shed], table["shed_reason"][shed] = "shed", 503, "overload"
    for column in ("features_on", "features_off", "disabled_feature"):
        table[column][shed] = ""


def _mark_failed(table: dict[str, NDArray[np.generic]], hit: Bools, outcome: str, error: str) -> None:
    answered = error in ("status_5xx", "status_4xx", "wrong_answer")
    table["outcome"][hit], table["error"][hit] = outcome, error
    table["status"][hit] = 500 if answered else 0
    for column in ("features_on", "features_off", "disabled_feature"):
        table[column][hit] = ""
    if not answered:
        table["level"][hit], table["banner"][hit] = rows.LEVEL_UNKNOWN, False


# --- metrics and events ---------------------------------------------------------------------------------------------


def metrics(built: RunBuilder, plan: Plan, trace: pd.DataFrame) -> pd.DataFrame:
    """Samples of every scraped service each half second."""
    at_s = np.arange(-1.0, plan.duration_s + 1.0, SCRAPE_PERIOD_S) + 0.05
    index = np.searchsorted(trace["at_s"].to_numpy(), at_s, side="right") - 1
    seen = trace.iloc[index].reset_index(drop=True)
    promise = built.target.promises.degradation
    assert promise is not None
    parts = [_samples(at_s, CONTROLLER, "degradation_evaluations_total", "", seen["number"])]
    for name in HEALTHY_INPUTS:
        parts.append(_samples(at_s, CONTROLLER, "degradation_input", f'input="{name}"', seen[name]))
    alert = (seen["level"] >= promise.alert_from).astype(float)
    parts.append(_samples(at_s, CONTROLLER, "alert_firing", 'alert="degradation_level"', alert))
    parts.append(_samples(at_s, WORKER, "fanout_queue_depth", "", np.zeros(len(at_s))))
    for gateway, spec in built.target.services.items():  # nobody asks them for anything that they may keep
        if spec.role == "gateway" and spec.metrics:
            labels = 'layer="gateway",result="hit"'
            parts.append(_samples(at_s, gateway, "cache_requests_total", labels, np.zeros(len(at_s))))
    for region in built.target.regions:  # each has all its users
        for metric in ROUTING:
            parts.append(_samples(at_s, EDGE, metric, f'region="{region}"', np.ones(len(at_s))))
    for service in (CONTROLLER, *REPLICAS):
        level = seen["level"] if service == CONTROLLER else pd.Series(_level_at(trace, at_s - PROPAGATION_S))
        parts.append(_samples(at_s, service, "degradation_level", "", level))
        for feature in all_features(built.target):
            enabled = [float(feature not in features_off(built.target, int(value))) for value in level]
            parts.append(_samples(at_s, service, "feature_enabled", f'feature="{feature}"', enabled))
    for service in REPLICAS:
        parts.extend(_dependency_counters(built, plan, service, at_s))
    frame = pd.concat(parts, ignore_index=True)
    frame["at_ns"] = _ns(frame["at_s"].to_numpy())
    for column in ("service", "metric", "labels"):
        frame[column] = frame[column].astype("category")
    return frame.sort_values("at_ns", kind="stable", ignore_index=True)


def _samples(at_s: Floats, service: str, metric: str, labels: str, values: object) -> pd.DataFrame:
    numbers = np.asarray(values, dtype=float)
    return pd.DataFrame({"service": service, "metric": metric, "labels": labels, "value": numbers, "at_s": at_s})


def _dependency_counters(built: RunBuilder, plan: Plan, service: str, at_s: Floats) -> list[pd.DataFrame]:
    calls = np.floor((at_s + 10.0) * built.rate_per_s / len(REPLICAS))
    disturbed_s = np.zeros(len(at_s))
    for fault in plan.faults:
        disturbed_s += np.clip(at_s - fault.inject_s, 0.0, fault.revert_s - fault.inject_s)
    extra = np.floor(disturbed_s * built.rate_per_s / len(REPLICAS) * built.retries)
    labels = 'dependency="redis"'
    return [
        _samples(at_s, service, "dependency_calls_total", labels, calls),
        _samples(at_s, service, "dependency_attempts_total", labels, calls + extra),
    ]


def events(built: RunBuilder, plan: Plan) -> list[rows.Event]:
    listed: list[rows.Event] = [rows.RunStarted(at_ns=at(-3.0), load_start_ns=LOAD_START_NS)]
    end_s = plan.duration_s
    states: tuple[tuple[Literal["ready", "started", "drained", "done"], float], ...]
    states = (("ready", -2.0), ("started", 0.0), ("drained", end_s), ("done", end_s))
    for state, at_s in states:
        listed.append(rows.ShardState(at_ns=at(at_s), shard=0, state=state, detail=""))
    for span in plan.phases:
        listed.append(rows.PhaseStarted(at_ns=at(span.start_s), phase=span.name))
        listed.append(rows.PhaseEnded(at_ns=at(span.end_s), phase=span.name))
    for whole, (_, bites, reverted) in zip(whole_faults(plan), built.faults, strict=True):
        for planned in whole.parts:
            listed.append(_edge(planned.id, "inject", planned.inject_s, bites))
            listed.append(_edge(planned.id, "revert", planned.revert_s, reverted))
            listed.append(_canary(planned, "before", planned.inject_s - 1.0, dose=0.0, agrees=True))
            listed.append(_canary(planned, "during", planned.inject_s + 0.3, dose=0.3 if bites else 0.0, agrees=bites))
            listed.append(_canary(planned, "after", planned.revert_s + 0.3, dose=0.0, agrees=reverted))
    listed.append(rows.RunEnded(at_ns=at(plan.duration_s + 1.0), clean=all(done for _, _, done in built.faults)))
    return sorted(listed, key=lambda event: event.at_ns)


def at(run_time_s: float) -> int:
    """Run time in seconds to the record's clock."""
    return LOAD_START_NS + round(run_time_s * NS_PER_S)


def _edge(fault: str, action: Literal["inject", "revert"], at_s: float, confirmed: bool) -> rows.FaultEdge:
    return rows.FaultEdge(
        at_ns=at(at_s),
        fault=fault,
        action=action,
        done_ns=at(at_s + 0.1),
        confirmed=confirmed,
        detail="",
    )


def _canary(
    fault: PlannedFault, stage: Literal["before", "during", "after"], at_s: float, *, dose: float, agrees: bool
) -> rows.CanaryReading:
    return rows.CanaryReading(
        at_ns=at(at_s),
        fault=fault.id,
        path=place_of(fault.fault),
        stage=stage,
        connected=True,
        answered=True,
        round_trip_s=0.001 + dose,
        dose=dose,
        wanted_dose=0.3 if stage == "during" else None,
        dose_unit="s",
        agrees=agrees,
        detail="",
    )
