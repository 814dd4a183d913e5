"""Prometheus' own tool for rules: that of the PATH, or else out of Debian's package, which is not installed for it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

REQUIRED = "GAMEDAY_REQUIRE_PROMTOOL"  # where leaving it out is a failure


def promtool() -> Path:
    """Skips the test, with the reason, where there is none."""
    found = shutil.which("promtool")
    if found:
        return Path(found)
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gameday/bin/promtool"
    if not cached.exists() and (why := _unpack_from_debian(cached)):
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, and there is no promtool: {why}")
        pytest.skip(f"there is no promtool, so Prometheus does not say what it makes of the rules: {why}")
    return cached


def _unpack_from_debian(to: Path) -> str:
    """Why it could not be done, or the empty text."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return "on Debian or Ubuntu it would have been taken out of the package prometheus"
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent) as scratch:
        for command in (["apt-get", "download", "--quiet", "prometheus"], ["dpkg-deb", "-x", "prometheus.deb", "."]):
            for package in Path(scratch).glob("prometheus_*.deb"):
                package.rename(Path(scratch) / "prometheus.deb")
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}"
        (Path(scratch) / "usr/bin/promtool").rename(to)
    return ""
