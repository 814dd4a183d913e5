"""Where and with what a run was made: commit, versions, machine. Collected once, before the load starts."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from harness.clock import anchor, utc_now
from harness.plan import Plan
from harness.record.rows import Environment

PACKAGES = ("gameday-harness", "locust", "geventhttpclient", "toxiproxy-python", "pyarrow", "pandas", "scipy")


def environment(run_id: str, plan: Plan, *, about: Mapping[str, str], harness_defect: str | None) -> Environment:
    """`about` is what the target says of what it runs on."""
    folder = Path(plan.target_path).parent
    return Environment(
        run_id=run_id,
        clock=anchor(),
        started_at=utc_now().isoformat(timespec="seconds"),
        command=tuple(sys.argv),
        git_commit=_git(folder, "rev-parse", "HEAD"),
        git_dirty=bool(_git(folder, "status", "--porcelain")),
        versions={name: _version(name) for name in PACKAGES} | {"python": platform.python_version()} | dict(about),
        cpu_count=os.cpu_count() or 0,
        machine=f"{platform.system()} {platform.release()} {platform.machine()}",
        runtime=plan.runtime,
        defect=plan.defect,
        harness_defect=harness_defect,
    )


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
