"""Prometheus' configuration and the dashboards, before Prometheus itself."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from reference_system.data.postgres import CONNECTIONS
from reference_system.observability import dashboards
from reference_system.observability.dashboards import BOARDS
from reference_system.policies.alerting import RULES, Dashboard, Input
from reference_system.services import prometheus
from reference_system.services.api import Api
from reference_system.services.controller import Controller
from reference_system.services.parts import ApiParts, ControllerParts, WorkerParts
from reference_system.services.settings import api_settings, controller_settings, worker_settings
from reference_system.services.worker import Worker
from tests.reference_system.observability.promtool import promtool

SCRAPES = (
    "127.0.0.1:20080/edge/metrics,us-east=127.0.0.1:21080/gateway/metrics,"
    "us-east=127.0.0.1:21101,us-east=127.0.0.1:21201, europe=127.0.0.1:23101"
)
COMPOSE = Path(__file__).parents[3] / "docker-compose.yml"
TARGET = Path(prometheus.__file__).parents[1] / "target.yaml"


def _checked(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)


def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "prometheus.json"
    config.write_text(json.dumps(prometheus.configuration(SCRAPES)))

    done = _checked("check", "config", config)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


def test_what_a_service_says_carries_its_region() -> None:
    (job,) = prometheus.configuration(SCRAPES)["scrape_configs"]

    assert [(config["targets"], *config["labels"].values()) for config in job["static_configs"]] == [
        (["127.0.0.1:20080"], "", "/edge/metrics"),
        (["127.0.0.1:21080"], "us-east", "/gateway/metrics"),
        (["127.0.0.1:21101", "127.0.0.1:21201"], "us-east", "/metrics"),
        (["127.0.0.1:23101"], "europe", "/metrics"),
    ]


def test_every_service_with_metrics_is_scraped_under_its_own_region() -> None:
    environment = yaml.safe_load(COMPOSE.read_text())["services"]["prometheus"]["environment"]
    services = yaml.safe_load(TARGET.read_text())["services"]

    expected = [
        (of.get("region", ""), f"${{LOOPBACK:-{name}}}:{of['port']}{of['metrics'].removeprefix('/metrics')}")
        for name, of in services.items()
        if "metrics" in of
    ]

    found = [scrape.rpartition("=") for scrape in environment["SCRAPES"].split(",")]
    assert [(region, where) for region, _, where in found] == expected


@pytest.mark.parametrize("dashboard", Dashboard)
def test_a_dashboards_file_is_written_from_the_table(dashboard: Dashboard) -> None:
    assert (dashboards.FOLDER / dashboards.file_name(dashboard)).read_bytes() == dashboards.written(dashboard)


@pytest.mark.parametrize("dashboard", Dashboard)
def test_a_dashboard_shows_the_bound_of_each_of_its_alerts(dashboard: Dashboard) -> None:
    shown = {panel.input for panel in BOARDS[dashboard]}

    assert {rule.input for rule in RULES if rule.dashboard is dashboard} <= shown


RED = [
    (Input.LATENCY_P99_MS, 0.299, 0.301),
    (Input.LEVEL, 1, 2),
    (Input.POOL_RATIO, 0.9, 0.9 + 1 / CONNECTIONS),
    (Input.CACHE_HIT_RATIO, 0.9, 0.89),
]


@pytest.mark.parametrize(("bounded", "last", "first"), RED)
def test_a_panel_turns_red_where_its_alert_fires(bounded: Input, last: float, first: float) -> None:
    assert (_colour(bounded, last), _colour(bounded, first)) == ("green", "red")


def _colour(bounded: Input, value: float) -> str:
    """Grafana's, on the panel of that alert's input: that of the last step that the value has reached."""
    for dashboard, panels in BOARDS.items():
        for panel, written in zip(panels, json.loads(dashboards.written(dashboard))["panels"], strict=True):
            if panel.input is bounded:
                steps = written["fieldConfig"]["defaults"]["thresholds"]["steps"]
                return str([step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1])
    raise AssertionError(bounded)


LOOKED_UP = [
    ("all there", {"hit": 9, "miss": 1, "stale": 0, "unavailable": 0}, 0.9),
    ("some of it old", {"hit": 5, "miss": 1, "stale": 4, "unavailable": 0}, 0.9),
    ("gone for half of the time", {"hit": 5, "miss": 0, "stale": 0, "unavailable": 5}, 0.5),
    ("gone", {"hit": 0, "miss": 0, "stale": 0, "unavailable": 10}, 0.0),
]


@pytest.mark.parametrize(("a_second", "ratio"), [row[1:] for row in LOOKED_UP], ids=[row[0] for row in LOOKED_UP])
def test_a_layer_hits_what_it_has_and_nothing_while_it_is_gone(
    a_second: dict[str, int], ratio: float, tmp_path: Path
) -> None:
    (panel,) = (panel for panel in BOARDS[Dashboard.CACHE] if panel.title == "Hit rate of each layer")
    (expr,) = panel.shows.values()
    labels = 'region="us-east",layer="redis"'
    shown = [
        {"series": f'cache_requests_total{{{labels},result="{result}"}}', "values": f"0+{rise}x120"}
        for result, rise in a_second.items()
    ]
    expected = {"expr": expr, "eval_time": "100s", "exp_samples": [{"labels": f"{{{labels}}}", "value": ratio}]}
    test = {"interval": "1s", "input_series": shown, "promql_expr_test": [expected]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"evaluation_interval": "1s", "tests": [test]}))

    done = _checked("test", "rules", tmp_path / "test.yaml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_understands_every_panel(tmp_path: Path) -> None:
    """A panel's PromQL is that of a rule, which promtool checks."""
    exprs = [expr for panels in BOARDS.values() for panel in panels for expr in panel.shows.values()]
    rules = [{"record": f"panel_{number}", "expr": expr} for number, expr in enumerate(exprs)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    done = _checked("check", "rules", tmp_path / "panels.yaml")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(exprs)} rules found" in done.stdout


def test_every_panel_and_alert_is_of_metrics_that_services_have() -> None:
    exprs = [expr for panels in BOARDS.values() for panel in panels for expr in panel.shows.values()]
    asked = {"alert_input"}.union(*(_metrics_in(expr) for expr in exprs))

    assert len(asked) > len(BOARDS)
    assert asked <= _metrics_of_the_services()


def test_the_contract_has_every_metric_that_services_show() -> None:
    text = "".join((COMPOSE.parent / f"docs/{name}.md").read_text() for name in ("contract", "scaling"))
    shown = {name for name in _metrics_of_the_services() if not name.endswith("_created")}

    assert {name for name in shown if not re.search(rf"`{name}[`{{]", text)} == set()


def _metrics_in(expr: str) -> set[str]:
    """Every word of PromQL that is no label, no function and no keyword."""
    plain = re.sub(r"\b(by|on) \([^)]*\)|\{[^}]*\}|\[[^\]]*\]", "", expr)
    return {name.removesuffix("_bucket") for name in re.findall(r"\b[a-z_]+\b(?! *\()", plain)}


def _metrics_of_the_services() -> set[str]:
    """Of a replica, a worker and a controller of a region with a peer, none of them connected to anything."""
    two_regions = {"REGIONS": "us-east,us-west", "PEERS": "us-west=127.0.0.1:1"}
    of_the_worker, of_the_controller = CollectorRegistry(), CollectorRegistry()
    Worker(worker_settings(two_regions), WorkerParts(), of_the_worker)
    Controller(controller_settings({}), parts=ControllerParts(), registry=of_the_controller)
    text = _metrics_of_a_replica() + (generate_latest(of_the_worker) + generate_latest(of_the_controller)).decode()
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def _metrics_of_a_replica() -> str:
    async def asked() -> str:
        transport = httpx.ASGITransport(app=Api(api_settings({}), ApiParts()))
        async with httpx.AsyncClient(transport=transport, base_url="http://replica") as client:
            return (await client.get("/metrics")).text

    return asyncio.run(asked())
