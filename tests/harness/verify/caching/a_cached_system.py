"""A simulated system with caches that keep their promises, and one way of breaking each of them.

Twenty users read their home timelines and profiles, among them that of user-99, whom all of them follow. After 40 s a
third of them blocks user-99, a third unfollows, and for the last third user-99's biography is edited.
"""

from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.experiment.expectations.caching import CachingCheck
from harness.experiment.faults import RestartFault, ServiceFault
from harness.record.reader import Run
from harness.record.rows import NO_AGE
from harness.target.promises import CacheLayer, CachingPromise
from harness.target.target import TargetSpec
from harness.units import Ratio, Seconds
from tests.harness.a_run import a_run
from tests.harness.simulation import REPLICAS, SCRAPE_PERIOD_S, Floats, the_target

Numbers = NDArray[np.number]

USERS = 20
PROFILES = 15  # of user-85 to user-99
TAKEN_AT_S = 40.0
REDIS = "us-east-redis"
EMPTIED_AT_S = 30.0
BACK_AT_S = 30.1  # the simulated call takes a tenth
LOOKUPS_PER_S = 100
OPERATIONS = ("block", "unfollow", "edit_profile")
RESTART = RestartFault(service=REDIS, at=Seconds(EMPTIED_AT_S - 25.0))
PROMISE = CachingPromise(
    layers=(
        CacheLayer(layer="process", hit_ratio=Ratio(0.9), oldest=Seconds(30.0)),
        CacheLayer(layer="redis", hit_ratio=Ratio(0.95), oldest=Seconds(60.0)),
        CacheLayer(layer="disk", hit_ratio=Ratio(0.8), oldest=Seconds(86400.0)),
    ),
    kinds={"home": "/timeline/home", "profile": "/users/{id}/profile"},
    kept_only_by={"profile": ("process", "redis")},
    joined=("joined",),
    never_asks=("keys",),
)
CHECK = CachingCheck(
    layers=("process", "redis"),
    builds_per_key={"home": 2.0, "profile": 2.0},
    builds_at_once={"home": 2, "profile": 2},
    still_shown={"block": Seconds(0.0), "unfollow": Seconds(1.0), "edit_profile": Seconds(2.0)},
)


@dataclass(frozen=True, kw_only=True)
class Caches:
    """What they do; as it stands, what they promise. `shown_for_s` is by operation, after it was acknowledged."""

    hit_ratio: dict[str, float] = field(default_factory=lambda: {"process": 0.95, "redis": 0.985})
    builds_per_key: float = 1.5
    builds_at_once: int = 2
    oldest_s: dict[str, int] = field(default_factory=lambda: {"process": 31, "redis": 60})
    shown_for_s: dict[str, float] = field(default_factory=lambda: {"block": 0.0, "unfollow": 0.0, "edit_profile": 0.0})
    a_profile_from: str = ""
    asks: tuple[str, ...] = ("get", "scan")
    fault: ServiceFault | None = RESTART

    def but(self, **changes: object) -> "Caches":
        return replace(self, **changes)  # type: ignore[arg-type]  # the caller names fields

    def run(self) -> Run:
        built = a_run().with_target(a_target()).altering_requests(self._requests).altering_metrics(self._metrics)
        return (built if self.fault is None else built.with_fault(self.fault)).built()

    # --- requests -----------------------------------------------------------------------------------------------------

    def _requests(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(dict.fromkeys(("operation", "cache", "change", "object", "written", "seen"), object))
        number = np.arange(len(frame))
        frame["user"] = number % USERS + 1
        pages = frame["operation"].isin(["home", "profile"]).to_numpy() & (frame["outcome"] == "ok").to_numpy()
        layer = np.where(number % 2 == 0, "process", "redis")
        emptied = frame["sent_s"].between(BACK_AT_S, BACK_AT_S + 10.0).to_numpy()
        frame["cache"] = np.where(pages, np.where(emptied, "built", layer), "none")
        cached = pages & ~emptied
        oldest_s = np.where(layer == "process", self.oldest_s["process"], self.oldest_s["redis"])
        frame["age_s"] = np.where(cached, number % (oldest_s + 1), NO_AGE)
        if self.a_profile_from:
            place = frame.index[pages & ~emptied & (frame["operation"] == "profile").to_numpy()][0]
            frame.loc[place, "cache"] = self.a_profile_from
            frame.loc[place, "age_s"] = NO_AGE
        frame["object"] = [
            "" if not page else f"home of user-{user}" if operation == "home" else f"profile of user-{whose}"
            for page, operation, user, whose in zip(
                pages, frame["operation"], frame["user"], 85 + number // USERS % PROFILES, strict=True
            )
        ]
        for operation in ("home", "profile"):
            self._ask_at_once(frame, pages & emptied & (frame["operation"] == operation).to_numpy())
        acknowledged = self._taken_away(frame)
        frame["seen"] = [
            ",".join(self._seen(object_, user, sent_s, acknowledged)) if object_ and not change else ""
            for object_, change, user, sent_s in zip(
                frame["object"], frame["change"], frame["user"], frame["sent_s"], strict=True
            )
        ]
        return frame

    def _ask_at_once(self, frame: pd.DataFrame, missed: NDArray[np.bool_]) -> None:
        """The first of these pages is asked for five times at once."""
        same = frame.index[missed & (frame["object"] == frame["object"][missed].iloc[0]).to_numpy()][:5]
        sent_s = float(frame.loc[same[0], "sent_s"])
        frame.loc[same, "sent_s"] = sent_s
        frame.loc[same, "finished_s"] = sent_s + 0.4
        frame.loc[same, "served_by"] = REPLICAS[0]
        frame.loc[same[self.builds_at_once :], "cache"] = "joined"

    def _taken_away(self, frame: pd.DataFrame) -> dict[str, float]:
        """By id, when its removal was acknowledged. Each user's first post after 40 s becomes a removal."""
        acknowledged: dict[str, float] = {}
        for user in range(1, USERS + 1):
            mine = (frame["user"] == user) & (frame["operation"] == "post") & (frame["sent_s"] > TAKEN_AT_S)
            place = frame.index[mine & (frame["outcome"] == "ok")][0]
            operation = OPERATIONS[user % 3]
            name = id_of(operation, user)
            acknowledged.setdefault(name, float(frame["finished_s"].iloc[place]))
            frame.loc[place, ["operation", "object", "change", "written"]] = [operation, "pages", "remove", name]
        return acknowledged

    def _seen(self, page: str, user: int, sent_s: float, acknowledged: dict[str, float]) -> list[str]:
        on_page = {f"home of user-{user}": ("block", "unfollow"), "profile of user-99": ("block", "edit_profile")}
        names = {operation: id_of(operation, user) for operation in on_page.get(page, ())}
        still = (
            name
            for operation, name in names.items()
            if sent_s < acknowledged.get(name, np.inf) + self.shown_for_s[operation]
        )
        return ["post-1", *still]

    # --- metrics ------------------------------------------------------------------------------------------------------

    def _metrics(self, frame: pd.DataFrame) -> pd.DataFrame:
        at_s = np.sort(frame["at_s"].unique())
        parts = [frame]
        chance = np.random.default_rng(5)
        for service in REPLICAS:
            for layer, ratio in self.hit_ratio.items():
                asked = np.full(len(at_s), int(LOOKUPS_PER_S * SCRAPE_PERIOD_S))
                hits = chance.binomial(asked, ratio)
                for result, count in (("hit", hits), ("miss", asked - hits)):
                    sample = (service, "cache_requests_total", f'layer="{layer}",result="{result}"')
                    parts.append(_counter(frame, sample, at_s, count))
            for kind, keys in (("home", USERS), ("profile", PROFILES)):
                made = np.zeros(len(at_s))
                made[np.searchsorted(at_s, BACK_AT_S + 1.0)] = self.builds_per_key * keys / len(REPLICAS)
                parts.append(_counter(frame, (service, "cache_builds_total", f'kind="{kind}"'), at_s, made))
        for command in self.asks:
            sample = (REDIS, "redis_commands", f'command="{command}"')
            parts.append(_counter(frame, sample, at_s, np.full(len(at_s), 3)))
        return pd.concat(parts, ignore_index=True)


def _counter(frame: pd.DataFrame, sample: tuple[str, str, str], at_s: Floats, count: Numbers) -> pd.DataFrame:
    service, metric, labels = sample
    values = {"service": service, "metric": metric, "labels": labels, "at_s": at_s, "value": np.cumsum(count)}
    return pd.DataFrame(values).reindex(columns=frame.columns).assign(at_ns=0)


def id_of(operation: str, user: int) -> str:
    """What the operation takes away: for who does it, or for everybody."""
    return {"block": f"user-99 for user-{user}", "unfollow": f"user-99 at home of user-{user}"}.get(operation, "bio-1")


def a_target() -> TargetSpec:
    target = the_target()
    return msgspec.structs.replace(target, promises=msgspec.structs.replace(target.promises, caching=PROMISE))
