"""Starts Prometheus on the services' metrics: for looking at the system, not for judging it.

`SCRAPES` holds the services as `host:port`, comma-separated; the program is Debian's `prometheus`, or any on PATH.
"""

import json
import os
import shutil
from pathlib import Path

from reference_system.services.binaries import LauncherError, become, service_folder

EVERY = "1s"  # the controller decides once a second; a slower scrape would show levels late


def configuration(scrapes: str) -> dict[str, object]:
    """Prometheus' configuration; JSON is YAML."""
    addresses = [address.strip() for address in scrapes.split(",") if address.strip()]
    return {
        "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY},
        "scrape_configs": [{"job_name": "reference_system", "static_configs": [{"targets": addresses}]}],
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
