"""Runs whose services show what the reference system's runbook looks at; from 30 to 40 s some of it is not as usual."""

import numpy as np
import pandas as pd

from harness.verify.windows import Floats
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import CONTROLLER, REPLICAS, WORKER

ILL_S = (30.0, 40.0)

# A gauge's value, or a counter's rise in a second: service, metric, labels, what is usual.
GAUGES = {
    "p99_ms": ((CONTROLLER,), "degradation_input", 'input="latency_p99_ms"', 35.0),
    "fanout_lag": ((WORKER,), "fanout_lag_seconds", "", 0.1),
    "pool_busy": (REPLICAS, "postgres_pool_busy_ratio", "", 0.1),
    "pool_in_use": (REPLICAS, "postgres_pool_in_use", "", 0.01),
    "pool_size": (REPLICAS, "postgres_pool_size", "", 10.0),
}
RATES = {
    "hits": (REPLICAS, "cache_requests_total", 'layer="redis",result="hit"', 15.0),
    "misses": (REPLICAS, "cache_requests_total", 'layer="redis",result="miss"', 5.0),
    "invalidations": ((WORKER,), "cache_invalidations_total", 'kind="profile"', 1.0),
    "redis_calls": (REPLICAS, "dependency_seconds_count", 'dependency="redis"', 30.0),
    "redis_s": (REPLICAS, "dependency_seconds_sum", 'dependency="redis"', 0.03),
    "db_calls": (REPLICAS, "dependency_seconds_count", 'dependency="postgres"', 10.0),
    "db_s": (REPLICAS, "dependency_seconds_sum", 'dependency="postgres"', 0.02),
    "logins": (REPLICAS, "http_request_duration_seconds_count", 'operation="login"', 1.0),
    "login_s": (REPLICAS, "http_request_duration_seconds_sum", 'operation="login"', 0.03),
    "homes": (REPLICAS, "http_request_duration_seconds_count", 'operation="home"', 30.0),
    "home_s": (REPLICAS, "http_request_duration_seconds_sum", 'operation="home"', 0.3),
    "posts": (REPLICAS, "http_requests_total", 'operation="post",outcome="ok",priority="1"', 4.0),
    "to_popular": ((WORKER,), "fanout_pushes_total", 'account="celebrity"', 1.0),
    "to_others": ((WORKER,), "fanout_pushes_total", 'account="ordinary"', 9.0),
    "redis_tries": ((WORKER,), "dependency_attempts_total", 'dependency="redis"', 20.0),
    "redis_failures": ((WORKER,), "dependency_errors_total", 'dependency="redis"', 0.0),
    "db_tries": ((WORKER,), "dependency_attempts_total", 'dependency="postgres"', 40.0),
    "db_failures": ((WORKER,), "dependency_errors_total", 'dependency="postgres"', 0.0),
}
AT_S: Floats = np.arange(-1.0, 80.0, 0.5) + 0.05


def a_watched_run(without: str = "", /, **ill: float) -> RunBuilder:
    """`ill`: other values than the usual ones while something is wrong. `without`: a metric that nobody shows."""
    assert ill.keys() <= {*GAUGES, *RATES}
    shown = [
        pd.DataFrame({"service": service, "metric": metric, "labels": labels, "value": values, "at_s": AT_S})
        for name, (services, metric, labels, usual) in (GAUGES | RATES).items()
        for values in [_course(name, usual, ill.get(name, usual))]
        for service in services
        if metric != without
    ]

    def instead(frame: pd.DataFrame) -> pd.DataFrame:
        own = {metric for _, metric, _, _ in (GAUGES | RATES).values()}
        others = frame["labels"].str.contains("error_ratio|cpu_ratio") | frame["service"].str.contains("gateway")
        kept = frame[~frame["metric"].isin(own) | others]
        return pd.concat([kept, *shown], ignore_index=True)

    return a_run().altering_metrics(instead)


def _course(name: str, usual: float, ill: float) -> Floats:
    if name in GAUGES:
        return np.where((ILL_S[0] <= AT_S) & (ILL_S[1] > AT_S), ill, usual)
    result: Floats = 100.0 + usual * AT_S + (ill - usual) * np.clip(AT_S - ILL_S[0], 0.0, ILL_S[1] - ILL_S[0])
    return result
