"""What a process holds after it has dropped a large array, with and without keeping it."""

import subprocess
import sys

import pytest

MEGABYTES = 200
PROGRAM = f"""
import numpy as np, psutil, pyarrow as pa
from harness.verify.memory import keep_freed_memory
if KEEPS:
    keep_freed_memory()
held = psutil.Process().memory_info().rss
array = np.ones({MEGABYTES} << 17)
del array
kept = psutil.Process().memory_info().rss - held
print(kept >> 20, pa.default_memory_pool().backend_name)
"""


def _after_a_large_array(*, keeps: bool) -> tuple[int, str]:
    program = PROGRAM.replace("KEEPS", str(keeps))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    megabytes, pool = done.stdout.split()
    return int(megabytes), pool


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has mallopt")
def test_what_was_freed_is_kept() -> None:
    megabytes, pool = _after_a_large_array(keeps=True)
    assert megabytes > MEGABYTES * 0.9
    assert pool == "system"


def test_otherwise_it_goes_back_to_the_kernel() -> None:
    megabytes, _ = _after_a_large_array(keeps=False)
    assert megabytes < MEGABYTES * 0.5
