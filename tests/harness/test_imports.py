"""Who may import whom, held by reading every module's imports (the table of the design, §3).

A new module at the top of a package belongs to no part until it is added to `PARTS`. An exemption carries its reason,
and one that is no longer needed fails too.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The longest matching prefix decides which part a module belongs to.
PARTS = {
    "harness": "package",
    "harness.errors": "errors",
    "harness.units": "units",
    "harness.clock": "clock",
    "harness.interrupts": "interrupts",
    "harness.capacity": "capacity",
    "harness.experiment": "experiment",
    "harness.loader": "loader",
    "harness.loading": "loader",
    "harness.plan": "plan",
    "harness.region_faults": "region faults",
    "harness.dependency_faults": "dependency faults",
    "harness.record": "record",
    "harness.target": "target",
    "harness.target.strict": "target types",
    "harness.target.target": "target types",
    "harness.target.promises": "target types",
    "harness.target.headers": "target types",
    "harness.target.metrics": "target types",
    "harness.target.runbook": "target types",
    "harness.load": "load",
    "harness.load.inside_locust": "inside_locust",
    "harness.faults": "faults",
    "harness.faults.guard": "guard",
    "harness.faults.procfs": "guard",
    "harness.faults.probes": "guard",
    "harness.faults.salvage": "guard",
    "harness.faults.undo": "guard",
    "harness.faults.undo_container": "guard",
    "harness.faults.engine_api": "guard",
    "harness.observe": "observe",
    "harness.verify": "verify",
    "harness.report": "report",
    "harness.runner": "runner",
    "harness.environment": "runner",
    "harness.by_hand": "runner",
    "harness.search": "search",
    "harness.searching": "cli",
    "harness.gameday": "cli",
    "harness.judging": "cli",
    "harness.operations": "cli",
    "harness.suite": "cli",
    "harness.commands": "cli",
    "harness.display": "cli",
    "harness.cli": "cli",
    "reference_system": "package",
    "reference_system.policies": "policies",
    "reference_system.data": "data",
    "reference_system.services": "services",
    "reference_system.defects": "defects",
    "reference_system.observability": "observability",
}

_PLANNED = {
    "plan",
    "experiment",
    "region faults",
    "dependency faults",
    "target types",
}  # a plan holds a target's types, so its readers may name them
_LIVE = {"target", "record", "clock", *_PLANNED}

MAY_IMPORT: dict[str, set[str]] = {
    "package": set(),
    "errors": set(),
    "units": set(),
    "clock": set(),
    "interrupts": set(),
    "capacity": set(),
    "experiment": set(),
    "region faults": {"experiment", "target types"},
    "dependency faults": {"experiment", "target types"},
    "loader": {"capacity", "experiment", "region faults", "dependency faults", "target types"},
    "plan": {"experiment", "region faults", "target types"},
    "record": _PLANNED,
    "target": {"target types"},
    "target types": set(),
    "load": {"record", "clock", *_PLANNED},
    "inside_locust": {"load", "record", "clock", *_PLANNED},
    "guard": set(),
    "faults": {"guard", *_LIVE},
    "observe": _LIVE,
    "verify": {"record", *_PLANNED},
    "search": {"verify"},  # chooses by verdicts, and starts nothing itself
    "report": {"search", "verify", "record", *_PLANNED},
    "runner": {"interrupts", "loader", "load", "faults", "observe", "guard", *_LIVE},
    "cli": {
        *("interrupts", "capacity", "loader", "load", "faults", "observe", "guard", "search", "verify", "report"),
        "runner",
        *_LIVE,
    },
    "policies": set(),
    "data": {"policies"},
    "services": {"policies", "data"},
    "defects": {"policies", "data", "services"},
    "observability": {"policies"},
}
FOR_ALL_OF_THE_HARNESS = {"errors", "units"}
CONSTANTS = {"harness.clock.NS_PER_S"}  # reads no clock
STANDARD_LIBRARY_ONLY = {"guard"}  # it must start and work when everything else is broken

NETWORK = {
    "socket",
    "ssl",
    "http",
    "urllib",
    "httpx",
    "requests",
    "websocket",
    "docker",
    "toxiproxy",
    "aiohttp",
    "redis",
}
LOCUST = {"locust", "gevent", "geventhttpclient"}  # importing them patches the whole interpreter

# module outside the project → the parts that may import it; nobody else may
RESERVED = {
    "time": {"clock", "guard", "inside_locust", "services"},  # elsewhere time is an argument
    **{module: {"inside_locust"} for module in LOCUST},
}
_PURE = {"time", "os", "random", "asyncio", "subprocess", *NETWORK}
FORBIDDEN = {"verify": _PURE, "search": _PURE, "capacity": _PURE}

# (module, what it imports) → why it may
EXEMPTIONS = {
    ("harness.record.rows", "harness.clock.ClockAnchor"): "a pure type that is written into environment.json",
    (
        "harness.target.lock",
        "harness.clock.utc_now",
    ): "a lock tells people since when it is held; nothing is timed by it",
    ("reference_system.services.api", "reference_system.defects"): "a process plants its defect when it starts",
    ("reference_system.services.worker", "reference_system.defects"): "a process plants its defect when it starts",
    ("reference_system.services.controller", "reference_system.defects"): "a process plants its defect when it starts",
    ("reference_system.services.edge", "reference_system.defects"): "a process plants its defect when it starts",
    ("reference_system.services.nginx", "reference_system.defects"): "a process plants its defect when it starts",
}


def part_of(module: str) -> str | None:
    """The part a module, or a name in it, belongs to; a package itself is not a part for what is inside."""
    words = module.split(".")
    for length in range(len(words), 0, -1):
        part = PARTS.get(".".join(words[:length]))
        if part is not None:
            return part if part != "package" or length == len(words) else None
    return None


def imports_of(tree: ast.Module, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a module imports, wherever in it."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(names=names, module=source, level=level):
                above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                origin = ".".join([*above, *([source] if source else [])])
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in names)


def violations(root: Path) -> tuple[list[str], set[tuple[str, str]]]:
    """A sentence for every import that the table does not allow, and the exemptions that were needed."""
    found: list[str] = []
    needed: set[tuple[str, str]] = set()
    for path in sorted([*root.glob("harness/**/*.py"), *root.glob("reference_system/**/*.py")]):
        is_package = path.name == "__init__.py"
        words = path.relative_to(root).with_suffix("").parts
        module = ".".join(words[:-1] if is_package else words)
        if part_of(module) is None:
            found.append(f"{module} belongs to no part: add it to PARTS.")
            continue
        for line, name in imports_of(ast.parse(path.read_text()), module, is_package=is_package):
            why = _why_not(module, name)
            if why and (module, name) in EXEMPTIONS:
                needed.add((module, name))
            elif why:
                found.append(f"{path.relative_to(root)}:{line}: {module} may not import {name}: {why}.")
    return found, needed


def _why_not(module: str, name: str) -> str:
    part, top = part_of(module), name.split(".", maxsplit=1)[0]
    assert part is not None
    if top in ("harness", "reference_system"):
        return _why_not_ours(module, part, name)
    if top in RESERVED and part not in RESERVED[top]:
        return f"only {', '.join(sorted(RESERVED[top]))} may import {top}"
    if top in FORBIDDEN.get(part, set()):
        return f"{part} may not import {top}"
    if part in STANDARD_LIBRARY_ONLY and top not in sys.stdlib_module_names:
        return f"{part} has the standard library only"
    return ""


def _why_not_ours(module: str, part: str, name: str) -> str:
    other = part_of(name)
    if module.split(".", maxsplit=1)[0] != name.split(".", maxsplit=1)[0]:
        return "harness and reference_system meet in files only"
    if other == part and other != "package":
        return ""
    if (other in FOR_ALL_OF_THE_HARNESS or name in CONSTANTS) and part not in STANDARD_LIBRARY_ONLY:
        return ""
    return "" if other in MAY_IMPORT[part] else f"{part} may not import {other or name}"


def test_every_import_is_in_the_table() -> None:
    found, _ = violations(ROOT)

    assert not found, "\n" + "\n".join(found)


def test_every_exemption_has_a_reason_and_is_needed() -> None:
    _, needed = violations(ROOT)

    assert all(reason.strip() for reason in EXEMPTIONS.values())
    assert needed == EXEMPTIONS.keys(), f"no longer needed: {EXEMPTIONS.keys() - needed}"


def test_the_table_itself_is_whole() -> None:
    assert set(PARTS.values()) == MAY_IMPORT.keys()
    assert set().union(*MAY_IMPORT.values()) <= MAY_IMPORT.keys()
    assert all(
        not ({"verify", "report"} & MAY_IMPORT[part]) for part in MAY_IMPORT.keys() - {"cli", "report", "search"}
    )
    assert all("inside_locust" not in allowed for allowed in MAY_IMPORT.values())


PLANTED = [
    ("harness/runner.py", "from harness.verify.judge import judge", "runner may not import verify"),
    ("harness/runner.py", "import harness.report.html", "runner may not import report"),
    ("harness/observe/scraper.py", "from harness.faults import injector", "observe may not import faults"),
    ("harness/observe/scraper.py", "import time", "may import time"),
    ("harness/observe/scraper.py", "def late():\n    from time import sleep", "may import time"),
    ("harness/verify/slo.py", "import os.path", "verify may not import os"),
    ("harness/verify/slo.py", "from random import Random", "verify may not import random"),
    ("harness/verify/slo.py", "import httpx", "verify may not import httpx"),
    ("harness/verify/slo.py", "from harness.clock import now_ns", "verify may not import clock"),
    ("harness/verify/slo.py", "from harness.target.running_target import Exit", "verify may not import target"),
    ("harness/faults/guard.py", "import msgspec", "guard has the standard library only"),
    ("harness/faults/guard.py", "from harness.errors import FaultError", "guard may not import errors"),
    ("harness/faults/guard.py", "from harness.clock import NS_PER_S", "guard may not import clock"),
    ("reference_system/policies/ranking.py", "import time", "may import time"),
    ("harness/faults/undo.py", "from harness.faults.journal import Journal", "guard may not import faults"),
    ("harness/load/locust_driver.py", "import locust", "only inside_locust may import locust"),
    ("harness/load/locust_driver.py", "from harness.load import inside_locust", "load may not import inside_locust"),
    ("harness/load/locust_driver.py", "from .inside_locust import shard", "load may not import inside_locust"),
    ("harness/cli.py", "from harness.load.inside_locust.shard import x", "cli may not import inside_locust"),
    ("harness/plan.py", "from harness.loader import load_target", "plan may not import loader"),
    ("harness/plan.py", "from harness.target.processes import up", "plan may not import target"),
    ("harness/plan.py", "from reference_system.policies import capacity", "meet in files only"),
    ("harness/capacity/plan.py", "from harness.loader import load_target", "capacity may not import loader"),
    ("harness/capacity/plan.py", "import os", "capacity may not import os"),
    ("harness/search/bisection.py", "from harness.runner import Conductor", "search may not import runner"),
    ("harness/search/bisection.py", "from harness.report import html", "search may not import report"),
    ("harness/search/bisection.py", "import subprocess", "search may not import subprocess"),
    ("harness/runner.py", "from harness.search.bisection import next_rate", "runner may not import search"),
    ("harness/misc.py", "", "harness.misc belongs to no part"),
    ("reference_system/services/api.py", "from harness.units import Seconds", "meet in files only"),
    ("reference_system/policies/ranking.py", "from reference_system.data import posts", "policies may not import data"),
    ("reference_system/data/posts.py", "from ..services import api", "data may not import services"),
    ("reference_system/services/slots.py", "from reference_system import defects", "services may not import defects"),
]


@pytest.mark.parametrize(("module", "text", "why"), PLANTED)
def test_a_planted_import_is_found(tmp_path: Path, module: str, text: str, why: str) -> None:
    (tmp_path / module).parent.mkdir(parents=True)
    (tmp_path / module).write_text(text)

    found, _ = violations(tmp_path)

    assert len(found) == 1
    assert why in found[0]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("harness/verify/slo.py", "from harness.clock import NS_PER_S"),
        (
            "harness/verify/slo.py",
            "import numpy\nfrom harness.record.reader import Run\nfrom harness.verify import figures",
        ),
        ("harness/faults/guard.py", "import os, time\nfrom harness.faults import undo"),
        ("harness/clock.py", "import time"),
        (
            "harness/load/inside_locust/shard.py",
            "import locust, time\nfrom harness.load.messages import x\nfrom . import tally",
        ),
        ("harness/plan.py", "from harness.target import target\nfrom harness.units import Seconds"),
        ("reference_system/services/api.py", "import time\nfrom reference_system.data import posts"),
    ],
)
def test_an_allowed_import_is_not_found(tmp_path: Path, module: str, text: str) -> None:
    (tmp_path / module).parent.mkdir(parents=True)
    (tmp_path / module).write_text(text)

    assert violations(tmp_path) == ([], set())
