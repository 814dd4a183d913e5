"""A run of four regions in which one is lost: its users go to us-west and come home in steps, everybody else is well.

us-east is killed at 30 s, its users fail until they are sent away, it is back at 50 s, and they return from 66 s on.
Every field can be set otherwise, and any part of the finished record altered.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pandas as pd

from harness.experiment.faults import RegionOutageFault
from harness.record import rows
from harness.record.reader import Run
from harness.target.target import ServiceSpec, TargetSpec
from harness.units import Seconds
from tests.harness.a_run import a_run
from tests.harness.simulation import EDGE, ROUTING, UNIX_START_NS, the_target

REGIONS = ("us-east", "us-west", "europe", "asia-pacific")
DISTURBED_S = 25.0
STRUCK_S, BACK_S = 30.0, 50.1  # the revert takes 0.1 s
END_S = 120.0
USERS = 200

Change = Callable[[pd.DataFrame], pd.DataFrame]
Lines = list[dict[str, object]]


@dataclass(frozen=True)
class Routing:
    """What the edge does from a moment on."""

    at_s: float
    share: float
    healthy: bool = True
    writes: bool = False


AWAY = Routing(31.9, 0.0, healthy=False)
HEALTHY_AGAIN = Routing(51.0, 0.0)
RAMP = (Routing(66.0, 0.01), Routing(69.0, 0.10), Routing(72.0, 0.25), Routing(75.0, 0.50))
HOME = Routing(78.0, 1.0, writes=True)


@dataclass(frozen=True)
class Failover:
    routing: tuple[Routing, ...] = (AWAY, HEALTHY_AGAIN, *RAMP, HOME)
    refuge: str = "us-west"
    failing: tuple[tuple[str, float, float], ...] = (("us-east", STRUCK_S, AWAY.at_s),)
    rate_per_s: float = 100.0
    struck: tuple[float, ...] = (STRUCK_S,)
    scraped: bool = True
    logged: bool = True
    injected: bool = True
    confirmed: bool = True
    replicated_within_s: float = 0.5
    lags_s: tuple[tuple[str, float], ...] = ()  # by region, with what us-east wrote; not more until it is struck
    behind_s: tuple[tuple[str, float], ...] = ()  # by region, of us-east with what that wrote
    caught_up_s: float = END_S  # when it no longer was
    changes: tuple[Change, ...] = ()
    log_changes: tuple[Callable[[Lines], Lines], ...] = ()

    def sent_away_at(self, at_s: float) -> "Failover":
        """Users fail until then."""
        return self.routed(replace(AWAY, at_s=at_s), HEALTHY_AGAIN, *RAMP, HOME).with_failures(
            "us-east", STRUCK_S, at_s, instead=True
        )

    def routed(self, *routing: Routing) -> "Failover":
        return replace(self, routing=routing)

    def with_failures(self, region: str, from_s: float, to_s: float, *, instead: bool = False) -> "Failover":
        return replace(self, failing=(*(() if instead else self.failing), (region, from_s, to_s)))

    def altering(self, change: Change) -> "Failover":
        return replace(self, changes=(*self.changes, change))

    def altering_log(self, change: Callable[[Lines], Lines]) -> "Failover":
        return replace(self, log_changes=(*self.log_changes, change))

    def built(self) -> Run:
        run = a_run().with_phases(warm_up=5.0, baseline=20.0, disturbed=50.0, recovery=35.0, final_reads=10.0)
        run = run.with_rate(self.rate_per_s).with_target(a_target()).without_shedding()
        for struck_s in self.struck:
            fault = RegionOutageFault(region="us-east", at=Seconds(struck_s - DISTURBED_S), lasts=Seconds(20.0))
            run = run.with_fault(fault, bites=self.confirmed)
        run = run.altering_metrics(self._routed)
        run = run.altering_requests(self._requests)
        if not self.injected:
            run = run.altering_events(lambda events: [each for each in events if not isinstance(each, rows.FaultEdge)])
        built = run.built()
        logs = {**built.logs, EDGE: tuple(self._log())} if self.logged else built.logs
        return replace(built, logs=logs)

    # --- requests -----------------------------------------------------------------------------------------------------

    def _requests(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame = _as_text(frame)
        frame["user"] = 1 + frame["user"] % USERS
        frame["region_asked"] = [REGIONS[user % 4] for user in frame["user"]]
        frame["region_served"] = [
            self._serves(user, sent_s, operation == "post")
            for user, sent_s, operation in zip(frame["user"], frame["sent_s"], frame["operation"], strict=True)
        ]
        for region, from_s, to_s in self.failing:
            frame = failed(frame, (frame["region_asked"] == region) & frame["scheduled_s"].between(from_s, to_s))
        frame = self._with_posts(frame)
        for change in self.changes:
            frame = change(frame)
        return frame

    def _serves(self, user: int, sent_s: float, writes: bool) -> str:
        region = REGIONS[user % 4]
        state = self._at(sent_s)
        if region != "us-east" or (state.writes if writes else user // 4 % 100 < state.share * 100):
            return region
        return self.refuge

    def _at(self, at_s: float) -> Routing:
        state = Routing(-10.0, 1.0, writes=True)
        return next((step for step in reversed(self.routing) if step.at_s <= at_s), state)

    def _with_posts(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Posts are added to their author's, and every look at a profile shows all of one user's that are there."""
        post, look = frame["operation"] == "post", frame["operation"] == "profile"
        frame["object"] = np.where(post | look, "posts of user-" + frame["user"].astype(str), "")
        frame["change"] = np.where(post, "add", "")
        frame["written"] = np.where(post, [f"key-{number}" for number in range(len(frame))], "")
        frame["whole"] = look & (frame["outcome"] == "ok")
        known: dict[str, list[tuple[float, str, str]]] = {}
        done = frame.loc[post & (frame["outcome"] == "ok")]
        posts = zip(done["object"], done["finished_s"].tolist(), done["written"], done["region_served"], strict=True)
        for name, finished_s, written, region in posts:
            known.setdefault(name, []).append((finished_s, written, region))
        frame["seen"] = [
            self._shown(known.get(name, []), region, sent_s) if shows else ""
            for name, region, sent_s, shows in zip(
                frame["object"], frame["region_served"], frame["sent_s"], frame["whole"], strict=True
            )
        ]
        return frame

    def _shown(self, posts: list[tuple[float, str, str]], region: str, sent_s: float) -> str:
        """A region has its own posts at once, others a little later, and nothing that was on the way to a dead one."""
        late_s = self.replicated_within_s
        return ",".join(
            name
            for done_s, name, taken_by in posts
            if done_s < sent_s - (0.0 if taken_by == region else late_s)
            and not (taken_by == "us-east" != region and STRUCK_S - late_s < done_s < STRUCK_S and sent_s < BACK_S + 1)
        )

    # --- the edge -----------------------------------------------------------------------------------------------------

    def _routed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """What the edge says of us-east, or nothing at all of any region."""
        frame = _as_text(frame)
        lags = [_lagging(frame, f"us-east.postgres->{region}.postgres", lag_s) for region, lag_s in self.lags_s]
        lags += [
            _lagging(frame, f"{region}.postgres->us-east.postgres", lag_s, grows=False, until_s=self.caught_up_s)
            for region, lag_s in self.behind_s
        ]
        frame = pd.concat([frame, *lags], ignore_index=True)
        edge = frame["service"] == EDGE
        if not self.scraped:
            return frame.loc[~edge]
        own = edge & (frame["labels"] == 'region="us-east"')
        states = [self._at(at_s) for at_s in frame.loc[own, "at_s"]]
        names = dict(zip(ROUTING, ("share", "healthy", "writes"), strict=True))
        values = [
            float(getattr(state, names[metric])) for state, metric in zip(states, frame.loc[own, "metric"], strict=True)
        ]
        frame.loc[own, "value"] = values
        return frame

    def _log(self) -> Lines:
        lines: Lines = []
        for step in self.routing:
            told = f"{step.share * 100:g} {self.refuge if step.share < 1 else 'us-east'}"
            healthy = [region for region in REGIONS if region != "us-east" or step.healthy]
            writing = [region for region in REGIONS if region != "us-east" or step.writes]
            routes = {**{region: f"100 {region}" for region in REGIONS}, "us-east": told}
            routes |= {"healthy": ",".join(healthy), "writing": ",".join(writing)}
            decided = {"region": "us-east", "share": step.share, "healthy": step.healthy, "reason": "as it is"}
            lines += [_line(step.at_s - 0.004, "decided", **decided), _line(step.at_s, "routes_changed", routes=routes)]
        for change in self.log_changes:
            lines = change(lines)
        return lines


def a_failover() -> Failover:
    return Failover()


def failed(frame: pd.DataFrame, chosen: "pd.Series[bool]", *, outcome: str = "failed") -> pd.DataFrame:
    """These requests ended in an error, and nobody served them."""
    words = {"outcome": outcome, "error": "closed", "region_served": "", "served_by": ""}
    return frame.assign(**{column: frame[column].mask(chosen, word) for column, word in words.items()})


def refused(frame: pd.DataFrame, chosen: "pd.Series[bool]") -> pd.DataFrame:
    """Whoever was asked answered these with 503 and the reason."""
    words = {"outcome": "shed", "shed_reason": "overload"}
    return frame.assign(**{column: frame[column].mask(chosen, word) for column, word in words.items()})


def answered_late(frame: pd.DataFrame, chosen: "pd.Series[bool]", *, by_s: float = 7.0) -> pd.DataFrame:
    columns = ("finished_s", "latency_s", "service_s")
    return frame.assign(**{column: frame[column] + by_s * chosen for column in columns})


def _lagging(
    frame: pd.DataFrame, link: str, lag_s: float, *, grows: bool = True, until_s: float = END_S
) -> pd.DataFrame:
    """A sample at each scrape; `grows`: once us-east is struck."""
    samples = frame.drop_duplicates("at_s").assign(
        service="worker", metric="replication_lag_seconds", labels=f'link="{link}"'
    )
    value = lag_s + (samples["at_s"] - STRUCK_S).clip(lower=0.0) * grows
    return samples.assign(value=value.where(samples["at_s"] < until_s, 0.2))


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Words as plain objects, so that any may be written."""
    names = [str(name) for name in frame.columns if frame[name].dtype == "category"]
    return frame.assign(**{name: frame[name].astype(object) for name in names})


def _line(at_s: float, event: str, **words: object) -> dict[str, object]:
    return {"at": UNIX_START_NS / 1e9 + at_s, "at_s": at_s, "service": EDGE, "event": event, **words}


def a_target() -> TargetSpec:
    """The reference system's, with the regions that this run needs."""
    target = the_target()
    edge = msgspec.structs.replace(target.services[EDGE], metrics="/edge/metrics")
    services = {**target.services, EDGE: edge}
    for number, region in enumerate(REGIONS[1:]):
        services.setdefault(f"{region}-postgres", ServiceSpec(region=region, role="postgres", port=29000 + number))
    return msgspec.structs.replace(target, regions=REGIONS, services=services)
