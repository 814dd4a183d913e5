"""Starts Toxiproxy with its links, so that the system works before anybody has attacked it.

`LINKS` holds one `name listen upstream` a line (addresses as `host:port`); `TOXIPROXY_SERVER` is the program, if it is
not on PATH. A Toxiproxy that is killed and started again has its links again, without any toxic.
"""

import json
import os
import shutil
from pathlib import Path

from reference_system.services.binaries import LauncherError, become, service_folder


def proxies(links: str) -> list[dict[str, str | bool]]:
    """What Toxiproxy's `-config` file holds; LauncherError for a line that is not a link."""
    found: list[dict[str, str | bool]] = []
    for line in filter(None, map(str.strip, links.splitlines())):
        words = line.split()
        if len(words) != 3:
            raise LauncherError(f'LINKS: "{line}" is not "name listen upstream"')
        name, listen, upstream = words
        found.append({"name": name, "listen": listen, "upstream": upstream, "enabled": True})
    return found


def main() -> None:
    asked = os.environ.get("TOXIPROXY_SERVER") or "toxiproxy-server"
    program = shutil.which(asked)
    if program is None:
        raise LauncherError(f"there is no program {asked}: set TOXIPROXY_SERVER, or put toxiproxy-server on PATH")
    config = service_folder() / "links.json"
    config.write_text(json.dumps(proxies(os.environ.get("LINKS", ""))))
    become(Path(program), "-host", os.environ["HOST"], "-port", os.environ["PORT"], "-config", str(config))


if __name__ == "__main__":
    main()
