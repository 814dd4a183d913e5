"""Services load httpx and nothing that draws in terminals; in a process of their own, since this one has loaded all."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def told_by(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("service", ["api", "worker", "controller", "edge"])
def test_a_service_does_not_load_what_it_has_no_use_for(service: str) -> None:
    program = f"import sys, reference_system.services.{service}; print('httpx' in sys.modules, 'rich' in sys.modules)"

    assert told_by(program) == "True False"


def test_whoever_wants_it_gets_it_before_and_after() -> None:
    assert told_by("from reference_system.services.light_httpx import httpx; import rich; print('here')") == "here"
    assert told_by("import rich; from reference_system.services.light_httpx import httpx; print('here')") == "here"
