"""How the target names its metrics."""

from harness.target.strict import Strict


class Metrics(Strict, frozen=True, kw_only=True):
    """Names of the metrics that checks read."""

    level: str = "degradation_level"
    level_inputs: str = "degradation_input"  # label `input`
    evaluations: str = "degradation_evaluations_total"
    feature_enabled: str = "feature_enabled"  # label `feature`
    alert_firing: str = "alert_firing"  # label `alert`
    alert_input: str = "alert_input"  # label `input`
    alert_evaluations: str = "alert_evaluations_total"
    overload: str = "load_shedding_overload_ratio"
    cache_requests: str = "cache_requests_total"  # labels `layer` and `result`: hit, miss, stale, unavailable
    cache_builds: str = "cache_builds_total"  # label `kind`
    cache_commands: str = "redis_commands"  # label `command`, in small letters; calls since its start
    dependency_calls: str = "dependency_calls_total"  # label `dependency`
    dependency_attempts: str = "dependency_attempts_total"  # label `dependency`
    breaker_probes: str = "circuit_breaker_probes_total"  # label `dependency`
    pool_in_use: str = "postgres_pool_in_use"
    at_work: str = "requests_at_work"
    request_durations: str = "http_request_duration_seconds_bucket"  # label `le`
    region_healthy: str = "edge_region_healthy"  # label `region`: 1 while the edge takes it for healthy
    region_share: str = "edge_region_share"  # label `region`: share of its own users that are sent to it
    region_takes_writes: str = "edge_region_takes_writes"  # label `region`: 1 while it takes their writes
    replication_lag: str = "replication_lag_seconds"  # label `link`, "us-east.postgres->europe.postgres"
    table_rows: str = "table_rows"  # label `table`
    table_digest: str = "table_digest"  # label `table`; of its rows in any order
    key_digest: str = "key_digest"  # label `keys`, a few of a sample; of what the region answers for them
    key_digest_at: str = "key_digest_at_seconds"  # at which instant: the same number wherever it is the same instant
    fan_out_depth: str = "fanout_queue_depth"  # posts that wait to be brought to their authors' followers
    fan_out_lag: str = "fanout_lag_seconds"  # age of the oldest one
    fan_out_delivered: str = "fanout_delivered_total"  # summed over its labels: each post that is done, once
    fan_out_dead_letters: str = "fanout_dead_letters"  # posts that were given up and kept
    autoscaler_syncs: str = "autoscaler_syncs_total"  # the number of the sync that the others of the scrape belong to
    autoscaler_current: str = "autoscaler_current_replicas"  # what it saw before it decided
    autoscaler_desired: str = "autoscaler_desired_replicas"
    autoscaler_ready: str = "autoscaler_ready_replicas"
    autoscaler_metric: str = "autoscaler_metric"  # label `metric`; aggregated, as it was used; NaN where it was invalid
    autoscaler_counted: str = "autoscaler_counted_pods"  # these three for each `metric`, or without the label for all
    autoscaler_missing: str = "autoscaler_missing_pods"
    autoscaler_unready: str = "autoscaler_unready_pods"
