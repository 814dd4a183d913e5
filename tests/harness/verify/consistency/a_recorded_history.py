"""Operations as a run would have recorded them: the way back from a history to its record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd

from harness.clock import NS_PER_S
from harness.experiment.phases import FINAL_READS
from harness.plan import OperationSpec
from harness.record import rows
from harness.record.reader import Run
from harness.target.target import ServiceSpec, TargetSpec
from harness.verify.consistency.history import Ending, Kind, Operation
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import LOAD_START_NS, frame_of, the_target
from tests.harness.verify.consistency.a_history import REGIONS

CHANGES = {
    Kind.READ: rows.Change.NONE,
    Kind.WRITE: rows.Change.ADD,
    Kind.DELETE: rows.Change.REMOVE,
    Kind.INCREMENT: rows.Change.COUNT,
}
OUTCOMES = {Ending.OK: rows.Outcome.OK, Ending.INFO: rows.Outcome.UNKNOWN, Ending.FAIL: rows.Outcome.FAILED}
# name, route, writes, phase
OPERATIONS = {
    Kind.READ: ("posts", "GET /users/{id}/posts", False, ""),
    Kind.WRITE: ("post", "POST /tweets/create", True, ""),
    Kind.DELETE: ("delete", "DELETE /tweets/{id}", True, ""),
    Kind.INCREMENT: ("like", "POST /tweets/{id}/like", True, ""),
}
IN_THE_END = ("everything", "GET /users/{id}/posts", False, FINAL_READS)
WORDS = ("error", "served_by", "cache", "shed_reason", "disabled_feature", "features_on", "features_off")


def a_target(regions: Sequence[str] = REGIONS) -> TargetSpec:
    """One that has a worker in each region."""
    workers = {
        f"{region}-worker": ServiceSpec(region=region, role="worker", port=30_000 + number, metrics="/metrics")
        for number, region in enumerate(regions)
    }
    return msgspec.structs.replace(the_target(), regions=tuple(regions), services=workers, links={})


def recorded(
    *operations: Operation,
    regions: Sequence[str] = REGIONS,
    built: RunBuilder | None = None,
    metrics: Iterable[tuple[float, str, str, str, float]] = (),
    columns: Mapping[str, Mapping[int, object]] = {},
) -> Run:
    """A run with these requests. `metrics` are at_s, service, metric, labels, value; `columns` change single rows."""
    run = (built or a_run()).with_target(a_target(regions)).altering_metrics(lambda frame: frame.iloc[:0]).built()
    specs = [
        OperationSpec(name=name, route=route, priority=1, share=0.2, writes=writes, phase=phase)
        for name, route, writes, phase in (*OPERATIONS.values(), IN_THE_END)
    ]
    return replace(
        run,
        plan=msgspec.structs.replace(run.plan, operations=tuple(specs)),
        requests=_requests(operations, columns),
        metrics=_metrics(metrics),
    )


def _requests(operations: Sequence[Operation], columns: Mapping[str, Mapping[int, object]]) -> pd.DataFrame:
    table = [_row(each) for each in operations]
    for name, values in columns.items():
        for number, value in values.items():
            table[number][name] = value
    names: list[str] = rows.REQUESTS.names
    made: dict[str, np.ndarray] = {name: np.array([row[name] for row in table], dtype=_kind_of(name)) for name in names}
    return frame_of(made).sort_values("scheduled_ns", kind="stable", ignore_index=True)


def _kind_of(name: str) -> type:
    kind = str(rows.REQUESTS.field(name).type)
    return object if kind.startswith(("dictionary", "string")) else bool if kind == "bool" else np.int64


def _row(operation: Operation) -> dict[str, object]:
    name, route, _, _ = IN_THE_END if operation.final else OPERATIONS[operation.kind]
    count = rows.NO_COUNT if operation.amount is None else int(operation.amount)
    return {
        **dict.fromkeys(WORDS, ""),
        "scheduled_ns": _ns(operation.invoked_s) - 1_000_000,
        "sent_ns": _ns(operation.invoked_s),
        "finished_ns": _ns(operation.completed_s),
        "operation": name,
        "route": route,
        "priority": 1,
        "user": operation.session,
        "session": operation.session,
        "outcome": OUTCOMES[operation.ending].value,
        "status": 200,
        "region_asked": operation.asked,
        "region_served": operation.served,
        "level": 0,
        "banner": False,
        "object": operation.object,
        "change": CHANGES[operation.kind].value,
        "written": operation.id,
        "seen": ",".join(operation.seen),
        "whole": operation.whole,
        "count": count,
        "attempt": 1,
        "age_s": rows.NO_AGE,
    }


def _ns(at_s: float) -> int:
    return LOAD_START_NS + round(at_s * NS_PER_S)


def _metrics(samples: Iterable[tuple[float, str, str, str, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(samples), columns=["at_s", "service", "metric", "labels", "value"])
    frame = frame.astype({"service": "category", "metric": "category", "labels": "category"})
    return frame.assign(at_ns=(LOAD_START_NS + frame["at_s"] * NS_PER_S).astype("int64"))
