"""The specification's five dashboards as Grafana reads them: `python -m reference_system.observability.dashboards`.

One file each, written into the folder `dashboards`; to be imported with a Prometheus that scrapes the services (compose
profile `observability`). A panel that an alert belongs to shows the alert's bound as its red line.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from reference_system.policies.alerting import RULES, Beyond, Dashboard, Input, Rule

FOLDER = Path(__file__).with_name("dashboards")
WINDOW = "1m"
COLUMNS, WIDTH, HEIGHT = 2, 12, 8  # Grafana's grid has 24 columns
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """`shows`: what each line is called (Grafana's `{{label}}` stands for a label), and its PromQL. `apart`: how far
    values are from each other, where they are so few that one may be the bound itself: only the next one is beyond it.
    """

    title: str
    unit: str  # Grafana's name for it
    shows: dict[str, str]
    input: Input | None = None  # of the alert whose bound is drawn
    scale: float = 1.0  # of the panel's unit to the bound's
    apart: float = 0.0


def _quantile(quantile: float) -> str:
    return (
        f"histogram_quantile({quantile:g}, sum by (le, region) (rate(http_request_duration_seconds_bucket[{WINDOW}])))"
    )


def _share(part: str, whole: str) -> str:
    return f"sum by (region) (rate({part}[{WINDOW}])) / sum by (region) (rate({whole}[{WINDOW}]))"


BOARDS: dict[Dashboard, tuple[Panel, ...]] = {
    Dashboard.API: (
        Panel(
            title="Requests",
            unit="reqps",
            shows={"{{region}} {{outcome}}": f"sum by (region, outcome) (rate(http_requests_total[{WINDOW}]))"},
        ),
        Panel(
            title="Latency",
            unit="s",
            shows={"{{region}} p50": _quantile(0.5), "{{region}} p99": _quantile(0.99)},
            input=Input.LATENCY_P99_MS,
            scale=0.001,
        ),
        Panel(
            title="Errors",
            unit="percentunit",
            shows={
                "{{region}}": _share('http_requests_total{outcome="error"}', 'http_requests_total{outcome=~"ok|error"}')
            },
            input=Input.ERROR_RATIO,
        ),
        Panel(
            title="Degradation level",
            unit="none",
            shows={"{{region}}": 'alert_input{input="degradation_level"}'},
            input=Input.LEVEL,
            apart=1,
        ),
    ),
    Dashboard.INFRASTRUCTURE: (
        Panel(
            title="Busy slots",
            unit="percentunit",
            shows={"{{region}}": "avg by (region) (cpu_ratio)"},
            input=Input.CPU_RATIO,
        ),
        Panel(
            title="Memory",
            unit="percentunit",
            shows={"{{region}}": 'machine_used_ratio{resource="memory"}'},
            input=Input.MEMORY_RATIO,
        ),
        Panel(
            title="CPU and disk of the machine",
            unit="percentunit",
            shows={"{{region}} {{resource}}": 'machine_used_ratio{resource=~"cpu|disk"}'},
        ),
        Panel(
            title="Network",
            unit="Bps",
            shows={"{{region}} {{direction}}": f"rate(machine_network_bytes[{WINDOW}])"},
        ),
    ),
    Dashboard.DATABASE: (
        Panel(
            title="Transactions",
            unit="ops",
            shows={"{{region}}": f"rate(postgres_transactions[{WINDOW}])"},
        ),
        Panel(
            title="Replication lag",
            unit="s",
            shows={"{{link}}": "replication_lag_seconds"},
            input=Input.REPLICATION_LAG_S,
        ),
        Panel(
            title="Connection pool in use",
            unit="percentunit",
            shows={"{{region}} {{instance}}": "postgres_pool_busy_ratio"},
            input=Input.POOL_RATIO,
            apart=0.1,  # a replica has ten connections
        ),
        Panel(
            title="Connections",
            unit="none",
            shows={"{{region}} {{kind}}": "postgres_connections"},
        ),
    ),
    Dashboard.CACHE: (
        Panel(
            title="Hit rate of the region's caches",
            unit="percentunit",
            shows={"{{region}}": 'alert_input{input="cache_hit_ratio"}'},
            input=Input.CACHE_HIT_RATIO,
        ),
        Panel(
            title="Hit rate of each layer",
            unit="percentunit",
            shows={
                "{{region}} {{layer}}": (
                    f'sum by (region, layer) (rate(cache_requests_total{{result=~"hit|stale"}}[{WINDOW}]))'
                    f" / sum by (region, layer) (rate(cache_requests_total[{WINDOW}]))"
                )
            },
        ),
        Panel(
            title="Evictions",
            unit="ops",
            shows={"{{region}}": f"rate(redis_evicted_keys[{WINDOW}])"},
        ),
        Panel(
            title="Memory in use",
            unit="percentunit",
            shows={"{{region}}": 'redis_memory_bytes{kind="used"} / on (region) redis_memory_bytes{kind="max"}'},
            input=Input.CACHE_MEMORY_RATIO,
        ),
    ),
    Dashboard.FAN_OUT: (
        Panel(
            title="Posts that wait",
            unit="none",
            shows={"{{region}}": "fanout_queue_depth"},
            input=Input.FANOUT_DEPTH,
        ),
        Panel(
            title="Age of the oldest one",
            unit="s",
            shows={"{{region}}": "fanout_lag_seconds"},
            input=Input.FANOUT_LAG_S,
        ),
        Panel(
            title="Posts fanned out",
            unit="ops",
            shows={"{{region}} {{how}}": f"rate(fanout_delivered_total[{WINDOW}])"},
        ),
        Panel(
            title="Posts that were given up",
            unit="none",
            shows={"{{region}}": "fanout_dead_letters"},
        ),
        Panel(
            title="Followers from which accounts are pulled",
            unit="none",
            shows={"{{region}}": "fanout_pull_limit"},
        ),
    ),
}


def file_name(dashboard: Dashboard) -> str:
    return f"{dashboard.lower().replace(' ', '_').replace('-', '_')}.json"


def written(dashboard: Dashboard) -> bytes:
    """The file's content."""
    board = {
        "uid": file_name(dashboard).removesuffix(".json"),
        "title": f"twitter-in-small: {dashboard}",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(number, panel) for number, panel in enumerate(BOARDS[dashboard])],
    }
    return msgspec.json.format(msgspec.json.encode(board)) + b"\n"


def _panel(number: int, panel: Panel) -> dict[str, object]:
    rule = next((rule for rule in RULES if rule.input is panel.input), None)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": rule.means if rule else "",
        "datasource": DATASOURCE,
        "gridPos": {"x": number % COLUMNS * WIDTH, "y": number // COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {
            "defaults": {"unit": panel.unit, **(_bound(rule, panel) if rule else {})},
            "overrides": [],
        },
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": DATASOURCE, "legendFormat": legend, "expr": expr}
            for n, (legend, expr) in enumerate(panel.shows.items())
        ],
    }


def _bound(rule: Rule, panel: Panel) -> dict[str, object]:
    """Where it alerts is red. Grafana's colours begin at their value, an alert beyond its bound."""
    bound = rule.bound * panel.scale
    below, above = ("green", "red") if rule.beyond is Beyond.ABOVE else ("red", "green")
    first = bound + panel.apart if rule.beyond is Beyond.ABOVE else bound
    steps = [{"color": below, "value": None}, {"color": above, "value": first}]
    return {"thresholds": {"mode": "absolute", "steps": steps}, "custom": {"thresholdsStyle": {"mode": "line+area"}}}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for dashboard in Dashboard:
        (FOLDER / file_name(dashboard)).write_bytes(written(dashboard))


if __name__ == "__main__":
    main()
