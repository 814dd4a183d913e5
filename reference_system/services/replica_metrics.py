"""What a replica exposes on /metrics; the names are docs/contract.md's."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from reference_system.policies.degradation import FEATURES
from reference_system.policies.load_shedding import priority_of
from reference_system.services.operations import A_PATH, Call, Operation
from reference_system.services.outcomes import HANDLED, Outcome

# Few: each is a line for each operation, and being scraped twice a second cost a replica more than its requests did.
# Among them are the bounds of the degradation levels and of the alert, or a panel's p99 would be on their wrong side.
BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 1.0, 2.0, 5.0)


class ReplicaMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "http_requests_total", "Requests answered", ["operation", "priority", "outcome"], registry=registry
        )
        durations = Histogram(
            "http_request_duration_seconds",
            "From arrival to answer, of what this region handled",
            ["operation"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._durations = {operation: durations.labels(operation) for operation in Operation}
        self._children: dict[tuple[Operation, int, Outcome], Counter] = {}
        # From the start: Prometheus sees no rise in what begins with the first error, and no ratio of what is missing.
        for operation, path in A_PATH.items():
            for outcome in HANDLED:
                self._child(operation, priority_of(path), outcome)
        self.slots_total = Gauge("slots_total", "Worker slots", registry=registry)
        self.slots_busy = Gauge("slots_busy", "Slots held now", registry=registry)
        self.slots_waiting = Gauge("slots_waiting", "Requests that wait for a slot", registry=registry)
        self.cpu_ratio = Gauge("cpu_ratio", "Share of busy slots over the last second", registry=registry)
        self.overload = Gauge(
            "load_shedding_overload_ratio", "Arrival rate over target rate, as shedding sees it", registry=registry
        )
        self.level = Gauge("degradation_level", "Level that answers are made at", registry=registry)
        self._features = Gauge("feature_enabled", "1 if the feature is on", ["feature"], registry=registry)
        self.pool = Gauge("postgres_pool_busy_ratio", "Database connections in use, of all", registry=registry)
        self.at_work = Gauge("requests_at_work", "Requests whose handlers have not ended", registry=registry)
        self.sockets = Gauge("realtime_sockets", "Open WebSockets", registry=registry)

    def count(self, call: Call, outcome: Outcome) -> None:
        self._child(call.operation, call.priority, outcome).inc()

    def took(self, call: Call, duration_s: float) -> None:
        """Of answers that were handled here, as the alert of latency counts them: a refusal takes no time, and another
        region's answer says nothing of this one."""
        self._durations[call.operation].observe(duration_s)

    def show_level(self, level: int, features_off: frozenset[str]) -> None:
        self.level.set(level)
        for feature in FEATURES:
            self._features.labels(feature).set(feature not in features_off)

    def _child(self, operation: Operation, priority: int, outcome: Outcome) -> Counter:
        key = (operation, priority, outcome)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._requests.labels(operation, str(priority), outcome)
        return child
