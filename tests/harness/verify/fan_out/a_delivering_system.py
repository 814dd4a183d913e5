"""A simulated system whose posts are on one timeline soon after they were acknowledged, and whose worker shows it.

Eight posts and forty reads a second; in the last ten seconds nobody posts and everybody looks again. From 30 to 40 s a
fault is in effect. Each argument of `Delivery` breaks one thing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pandas as pd

from harness.experiment.expectations.fan_out import FanOutCheck
from harness.plan import OperationSpec
from harness.record.reader import Run
from harness.units import Seconds
from harness.verify.windows import Floats
from tests.harness.a_run import a_run
from tests.harness.simulation import WORKER

HOME, PAGE = "what everybody says", 20
FINAL_S, END_S = 75.0, 85.0
CHECK = FanOutCheck(p95={"post": Seconds(1.0)}, lag=Seconds(3.0), drained_within=Seconds(5.0))
AT_S: Floats = np.arange(-1.0, END_S + 1.0, 0.5) + 0.05
COUNTER, GAUGES = "fanout_delivered_total", ("fanout_queue_depth", "fanout_lag_seconds", "fanout_dead_letters")

Delay = Callable[[Floats], Floats]  # by the moment of the acknowledgement
Course = Callable[[Floats], Floats]  # by the moment of the scrape


def always(value: float) -> Course:
    return lambda at_s: np.full(len(at_s), value)


def from_to(start_s: float, end_s: float, value: float, otherwise: float = 0.0) -> Course:
    return lambda at_s: np.where((at_s >= start_s) & (at_s < end_s), value, otherwise)


SOON, NONE = always(0.1), always(0.0)


@dataclass(frozen=True)
class Delivery:
    delay: Delay = SOON
    depth: Course = NONE
    lag: Course = NONE
    letters: Course = NONE
    lost: int = 0  # posts that the worker neither delivers nor keeps
    before: float = 0.0  # dead letters from before the run
    looks: Callable[[Floats], "np.ndarray[tuple[int], np.dtype[np.bool_]]"] = lambda at_s: np.full(len(at_s), True)

    def built(self) -> Run:
        phases = {"warm_up": 5.0, "baseline": 20.0, "disturbed": 30.0, "recovery": 20.0, "final_reads": 10.0}
        built = a_run().with_phases(**phases).with_fault().altering_requests(self._requests)
        run = built.altering_metrics(lambda frame: frame[~frame["metric"].str.startswith("fanout")]).built()
        final = OperationSpec(
            name="last_look", route="/timeline/home", priority=2, share=1.0, writes=False, phase="final_reads"
        )
        plan = msgspec.structs.replace(run.plan, operations=(*run.plan.operations, final))
        run = replace(run, plan=plan)
        return replace(run, metrics=pd.concat([run.metrics, *self._metrics(run)], ignore_index=True))

    def _requests(self, frame: pd.DataFrame) -> pd.DataFrame:
        words = dict.fromkeys(("operation", "change", "object", "written", "seen"), object)
        frame = frame[frame["operation"].isin(["home", "post"])].astype(words).reset_index(drop=True)
        late = (frame["scheduled_s"] >= FINAL_S).to_numpy()
        frame = frame[~(late & (frame["operation"] == "post").to_numpy())].reset_index(drop=True)
        posts = (frame["operation"] == "post").to_numpy()
        final = ~posts & (frame["scheduled_s"] >= FINAL_S).to_numpy()
        frame["operation"] = np.where(final, "last_look", frame["operation"])
        frame["session"] = np.arange(len(frame))
        frame["change"] = np.where(posts, "add", "")
        frame["written"] = [f"p{number}" if post else "" for number, post in enumerate(posts)]
        looks = self.looks(frame["sent_s"].to_numpy()) | posts
        frame["object"] = np.where(looks, HOME, "")
        acked_s = frame["finished_s"].to_numpy()[posts]
        visible_s = acked_s + self.delay(acked_s)
        names = frame["written"].to_numpy()[posts]
        pages = [self._page(names[visible_s <= sent_s]) if not post else [] for post, sent_s in
                 zip(posts, frame["sent_s"], strict=True)]  # fmt: skip
        frame["seen"] = [",".join(page) for page in pages]
        frame["whole"] = [not post and len(page) < PAGE for post, page in zip(posts, pages, strict=True)]
        return frame

    def _page(self, visible: "np.ndarray[tuple[int], np.dtype[np.object_]]") -> list[str]:
        return [str(name) for name in visible[-PAGE:][::-1]]

    def _metrics(self, run: Run) -> list[pd.DataFrame]:
        acked_s = np.sort(run.requests.loc[run.requests["change"] == "add", "finished_s"].to_numpy())
        acked = np.searchsorted(acked_s, AT_S).astype(float)
        depth, letters = self.depth(AT_S), self.letters(AT_S)
        delivered = np.maximum(acked - depth - letters - np.where(AT_S > 50, self.lost, 0), 0.0)
        shown = dict(zip((COUNTER, *GAUGES), (delivered, depth, self.lag(AT_S), letters + self.before), strict=True))
        return [
            pd.DataFrame({"service": WORKER, "metric": metric, "labels": "", "value": values, "at_s": AT_S})
            for metric, values in shown.items()
        ]
