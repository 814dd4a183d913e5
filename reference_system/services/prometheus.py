"""Starts Prometheus on the services' metrics and alerts: for looking at the system, not for judging it.

`SCRAPES` holds the services as `region=host:port`, comma-separated, with the path after it where that is not /metrics,
and without `region=` where a service is of no region. The program is Debian's `prometheus`, or any on PATH.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from reference_system.services.binaries import LauncherError, become, service_folder

RULES = Path(__file__).parents[1] / "observability/alerts.yaml"
EVERY = "1s"  # the controller decides once a second; a slower scrape would show levels late


def configuration(scrapes: str) -> dict[str, Any]:
    """Prometheus' configuration; JSON is YAML."""
    targets: dict[tuple[str, str], list[str]] = {}
    for scrape in scrapes.split(","):
        region, _, where = scrape.strip().rpartition("=")
        address, _, path = where.partition("/")
        targets.setdefault((region, f"/{path or 'metrics'}"), []).append(address)
    configs = [
        # Subtle: a label that is empty is none, so the edge keeps the label `region` of its own metrics.
        {"targets": addresses, "labels": {"region": region, "__metrics_path__": path}}
        for (region, path), addresses in targets.items()
    ]
    return {
        "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "reference_system", "static_configs": configs}],
    }


def main() -> None:
    program = shutil.which("prometheus")
    if program is None:
        raise LauncherError("there is no program prometheus: on Debian, apt install prometheus")
    folder = service_folder()
    config = folder / "prometheus.json"
    config.write_text(json.dumps(configuration(os.environ["SCRAPES"])))
    listen = f"{os.environ['HOST']}:{os.environ['PORT']}"
    become(
        Path(program),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'samples'}",
        "--storage.tsdb.retention.time=1d",
        f"--web.listen-address={listen}",
    )


if __name__ == "__main__":
    main()
