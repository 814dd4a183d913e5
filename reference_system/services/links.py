"""A region's links to its peers, as its worker keeps and shows them: what it sends, what it hears, and how that is.

Each region measures the links that end in it (their lag) and the ones that begin in it (what is not confirmed yet).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from reference_system.data import replication
from reference_system.data.backends import Backends
from reference_system.data.replication import Digest, Incoming
from reference_system.data.statements import COMPARED
from reference_system.policies import link_condition
from reference_system.policies.link_condition import Condition
from reference_system.policies.regions import Region

BEAT_EVERY_S = 0.25
WATCH_EVERY_S = 0.5
MEND_EVERY_S = 1.0
COMPARE_EVERY_S = 1.0  # reading the tables that change all the time takes a hundredth of that
# Postgres tells of changes up to ten seconds late (where a connection is idle afterwards), so all tables are read
# again after half that time.
ALL_TABLES_EVERY = 5  # comparisons
SAMPLE_EVERY_S = 2.0  # all regions at the same instants of the clock, so that their answers can be held side by side
# Longer than Postgres may take to tell of a change. Where nothing has changed for that long nothing is compared.
SAMPLED_AFTER_CHANGE_S = 15.0
SAMPLED_TABLES = ("posts", "tombstones", "engagements")
DIGEST_BITS = 53  # as many as a float holds, and metrics are floats
LOW_BITS = (1 << DIGEST_BITS) - 1
assert SAMPLED_AFTER_CHANGE_S > ALL_TABLES_EVERY * COMPARE_EVERY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshSettings:
    region: Region
    dsn: str
    peers: Mapping[Region, str]


class Links:
    def __init__(self, backends: Backends, settings: MeshSettings, registry: CollectorRegistry) -> None:
        self._backends = backends
        self._settings = settings
        self._addresses: dict[str, str] = {str(peer): address for peer, address in settings.peers.items()}
        self._states = {peer: link_condition.State() for peer in settings.peers}
        self._lags_s: dict[Region, float] = {}
        self._changes: Mapping[str, int] = {}
        self._comparisons = 0
        self._changed_at_s = -math.inf
        self._lag = Gauge("replication_lag_seconds", "Age of the newest heartbeat heard", ["link"], registry=registry)
        self._unconfirmed = Gauge("replication_unconfirmed_bytes", "Not yet fetched", ["link"], registry=registry)
        self._condition = Gauge("replication_link_condition", "1: so it is", ["link", "condition"], registry=registry)
        self._conflicts = Gauge("replication_conflicts", "Rows that could not be merged", ["link"], registry=registry)
        self._rows = Gauge("table_rows", "Rows", ["table"], registry=registry)
        self._digest = Gauge("table_digest", "The same where the same rows are", ["table"], registry=registry)
        self._key_digest = Gauge("key_digest", "The same where these posts are the same", ["keys"], registry=registry)
        self._key_digest_at = Gauge("key_digest_at_seconds", "The instant they are of, Unix time", registry=registry)
        self._beats = Counter("heartbeats_total", "Heartbeats of this region", registry=registry)

    async def publish(self) -> None:
        """Before anybody is served: what is written from now on waits for every peer."""
        await replication.publish(self._settings.dsn, region=self._settings.region, peers=self._addresses)

    async def subscribe(self) -> None:
        """Waits for peers that are not there yet."""
        await replication.subscribe(self._settings.dsn, region=self._settings.region, peers=self._addresses)

    async def mend(self) -> None:
        """A region that has lost its database, this one or a peer, finds its way back into the mesh."""
        run, settings = self._backends.postgres, self._settings
        await replication.mend(run, settings.dsn, region=settings.region, peers=self._addresses)

    async def beat(self) -> None:
        await self._backends.postgres("beat", self._settings.region)
        self._beats.inc()

    async def heartbeats(self) -> dict[str, float]:
        """By region, Unix seconds."""
        return {row["region"]: row["at"] for row in await self._backends.postgres("heartbeats")}

    async def watch(self) -> None:
        region = self._settings.region
        seen = await replication.links(self._backends.postgres, region=region, peers=[*self._settings.peers])
        for incoming in seen.incoming:
            self._show(incoming, f"{incoming.peer}.postgres->{region}.postgres")
        for outgoing in seen.outgoing:
            self._unconfirmed.labels(f"{region}.postgres->{outgoing.peer}.postgres").set(outgoing.unconfirmed_bytes)

    @property
    def longest_lag_s(self) -> float:
        """Of the regions that have been heard; NaN before the first one."""
        return max(self._lags_s.values(), default=math.nan)

    async def compare(self, *, now_s: float) -> None:
        """The digests of the tables that have changed since, and now and then of all."""
        changes = {row["name"]: row["changes"] for row in await self._backends.postgres("changes", list(COMPARED))}
        all_of_them = self._comparisons % ALL_TABLES_EVERY == 0
        tables = [table for table in COMPARED if all_of_them or changes.get(table) != self._changes.get(table)]
        if tables:
            for table, digest in (await replication.digests(self._backends.postgres, tables)).items():
                self._rows.labels(table).set(digest.rows)
                self._digest.labels(table).set(low_bits(digest))
        if self._changes and any(changes.get(table) != self._changes.get(table) for table in SAMPLED_TABLES):
            self._changed_at_s = now_s
        self._changes = changes
        self._comparisons += 1

    async def sample(self, *, at_s: float) -> None:
        """What this region holds of a sample of all posts at `at_s`, which is now, unless nothing changes anyway."""
        if at_s - self._changed_at_s > SAMPLED_AFTER_CHANGE_S:
            return
        for number, digest in enumerate(await replication.sampled_posts(self._backends.postgres)):
            self._key_digest.labels(f"posts {number}").set(digest & LOW_BITS)
        self._key_digest_at.set(at_s)

    def _show(self, incoming: Incoming, link: str) -> None:
        observation = link_condition.Observation(
            heartbeat_at_s=incoming.heartbeat_at_s,
            heartbeat_age_s=incoming.heartbeat_age_s,
            conflicts=incoming.conflicts,
        )
        peer = Region(incoming.peer)
        self._states[peer], condition = link_condition.decide(self._states[peer], observation)
        self._conflicts.labels(link).set(incoming.conflicts)
        for each in Condition:
            self._condition.labels(link, each).set(each is condition)
        if math.isfinite(incoming.heartbeat_age_s):  # nothing is known of one that was never heard
            self._lags_s[peer] = max(0.0, incoming.heartbeat_age_s)
            self._lag.labels(link).set(self._lags_s[peer])


def low_bits(digest: Digest) -> int:
    return int(digest.digest, 16) & LOW_BITS


def next_instant(now_s: float, *, every_s: float) -> float:
    """The next multiple of the period: the same for everybody whose clock shows the same."""
    return (math.floor(now_s / every_s) + 1) * every_s
