"""A witness as a scene that can be drawn: operations, and arrows from what was written to who saw it or should have."""

from collections.abc import Iterator, Sequence
from typing import Literal

from harness.verify.consistency.finding import Step, Witness
from harness.verify.consistency.history import Kind, Operation
from harness.verify.verdict import Act, Arrow, Scene

MOST_ACTS = 10  # in one picture; the first, and the last ones
_KINDS: dict[Kind, Literal["write", "delete", "read", "count"]] = {
    Kind.WRITE: "write",
    Kind.DELETE: "delete",
    Kind.READ: "read",
    Kind.INCREMENT: "count",
}


def scene_of(witness: Witness, *, title: str, promised: bool) -> Scene:
    steps = sorted(witness.steps, key=lambda each: (each.operation.invoked_s, each.operation.completed_s))
    if len(steps) > MOST_ACTS:
        steps = [steps[0], *steps[1 - MOST_ACTS :]]
    return Scene(
        title=title,
        sentence=witness.sentence,
        promised=promised,
        acts=tuple(_act(step) for step in steps),
        arrows=tuple(_arrows(steps, witness.ids)),
    )


def _act(step: Step) -> Act:
    operation = step.operation
    return Act(
        session=operation.session,
        region=operation.served,
        kind=_KINDS[operation.kind],
        start_s=operation.invoked_s,
        end_s=operation.completed_s,
        words=step.part,
    )


def _arrows(steps: Sequence[Step], ids: Sequence[str]) -> Iterator[Arrow]:
    """To each read from where what it shows, or misses, is known to come from; and from a delete to who shows it."""
    for target, step in enumerate(steps):
        if step.operation.kind != Kind.READ:
            continue
        names = {step.missed, *(name for name in ids if name in step.operation.seen)} - {""}
        for name in sorted(names):
            gone = _last(steps[:target], name, Kind.DELETE)
            source = _last(steps[:target], name, Kind.WRITE) if gone is None else gone
            if source is None and name == step.missed:
                source = _first_sighting(steps[:target], name)
            if source is not None:
                yield Arrow(source=source, target=target, missing=name == step.missed or gone is not None)


def _last(steps: Sequence[Step], name: str, kind: Kind) -> int | None:
    places = [place for place, each in enumerate(steps) if each.operation.kind == kind and _is(each.operation, name)]
    return places[-1] if places else None


def _is(operation: Operation, name: str) -> bool:
    return name in (operation.id, operation.key)


def _first_sighting(steps: Sequence[Step], name: str) -> int | None:
    return next((place for place, each in enumerate(steps) if name in each.operation.seen), None)
