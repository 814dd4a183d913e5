"""Every answer of a replica, with the overload it met and the chance that the promise gave it to be shed."""

from dataclasses import dataclass

import numpy as np

from harness.record.reader import Run
from harness.record.rows import Outcome as Ending
from harness.target.promises import SheddingPromise
from harness.verify import overload, windows
from harness.verify.overload import Load
from harness.verify.windows import Bools, Floats, Ints, column, is_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Every answer of a replica: when it was sent, its promised chance to be shed, whether it was. `part` numbers the
    parts of the run, each from one disturbance to the next."""

    sent_s: Floats
    part: Ints
    priority: Floats
    overload: Floats
    chance: Floats
    shed: Bools
    ok: Bools
    service_s: Floats
    status: Floats
    marked: Bools


def answers_of(run: Run, promise: SheddingPromise, load: Load) -> Answers | None:
    frame = run.requests
    shed = is_word(frame["outcome"], Ending.SHED)
    chosen = np.isfinite(load.overload) & ~(shed & ~is_word(frame["shed_reason"], promise.reason, ""))
    if not chosen.any():
        return None
    frame = frame.loc[chosen]
    sent_s, priority = column(frame, "sent_s"), column(frame, "priority")
    disturbed_s = [disturbance.start_s for disturbance in windows.disturbances(run)]
    return Answers(
        sent_s=sent_s,
        part=np.searchsorted(disturbed_s, sent_s, side="right"),
        priority=priority,
        overload=load.overload[chosen],
        chance=overload.promised_ratio(promise, load.overload[chosen], priority),
        shed=shed[chosen],
        ok=is_word(frame["outcome"], Ending.OK),
        service_s=column(frame, "service_s"),
        status=column(frame, "status"),
        marked=~is_word(frame["shed_reason"], ""),
    )
